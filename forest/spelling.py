"""Is a name a slip of the pen for another one? For names that are few and chosen with care.

Trees are bound to axes by their names, and a name that no axis has makes a new axis: so what may be
a slip is refused, and an axis that is really called so is added by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

from forest.errors import InvalidInput
from forest.model import Axis
from forest.phrases import phrase_key
from forest.shell import command_line

SHORTEST = 5
"""Letters of names that are compared: «вода» and «мода» differ by one, and are no slip."""
_ENDING = 2


def meant(name: str, known: Iterable[str]) -> str:
    """The name among some that another one is nearly, "" where there is none, or it is one itself.

    Nearly: a letter is too many, missing, another, or two are swapped; or words of it, with five
    letters in common at least, end in up to two others. A number is no slip for another one. All
    are compared as they are given: give keys (`forest.phrases.phrase_key`).

    >>> axes = ["причинность", "эмпатия", "долг"]
    >>> meant("причиность", axes), meant("эмпатией", axes), meant("долг", axes), meant("волк", axes)
    ('причинность', 'эмпатия', '', '')
    >>> meant("этап 2", ["этап 1"])
    ''
    """
    names = list(known)
    if name in names:
        return ""
    return next((other for other in names if _slip(name, other) or _other_form(name, other)), "")


def check_axes(names: Iterable[str], axes: Iterable[Axis]) -> None:
    """Raise InvalidInput for a name that no axis has, and one, or an earlier name, has nearly."""
    there = {axis.id: axis.name for axis in axes}
    for name in names:
        if near := meant(phrase_key(name), there):
            raise InvalidInput(
                f"there is no axis {name!r}: was {there[near]!r} meant?",
                hint=f"If it is another axis, add it first: `{command_line('axes', 'add', name)}`, "
                f"in Python forest.add_axis({name!r}).",
            )
        there.setdefault(phrase_key(name), name)


def _slip(one: str, other: str) -> bool:
    if min(len(one), len(other)) < SHORTEST:
        return False
    start = _common(one, other)
    a, b = one[start:], other[start:]
    end = _common(a[::-1], b[::-1])
    a, b = a[: len(a) - end], b[: len(b) - end]
    if any(map(str.isdigit, a + b)):  # «этап 1» and «этап 2» are two
        return False
    return (len(a) <= 1 and len(b) <= 1) or (len(a) == 2 and a == b[::-1])


def _other_form(one: str, other: str) -> bool:
    ours, theirs = one.split(), other.split()
    return len(ours) == len(theirs) and all(map(_ends_otherwise, ours, theirs))


def _ends_otherwise(one: str, other: str) -> bool:
    common = _common(one, other)
    longest = max(len(one), len(other)) - common
    ends = one[common:] + other[common:]
    is_form = common >= SHORTEST and longest <= _ENDING and not any(map(str.isdigit, ends))
    return longest == 0 or is_form


def _common(one: str, other: str) -> int:
    """With how many letters both begin."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
