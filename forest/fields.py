"""Checked types of the models' fields, and what their errors say in plain words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, Strict, ValidationError
from pydantic_core import ErrorDetails

from forest.errors import InvalidInput, InvalidTree
from forest.language import check_language

T = TypeVar("T")
MAX_TEXT = 1_000_000
"""Longest text of one thought, in characters."""
MAX_ID = 512
"""Longest id, in characters."""

_BLANK = re.compile(
    r"[\s\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]*"
)
"""White space and format characters."""
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_CONTROL_OR_BREAK = re.compile("[\x00-\x1f\x7f\u2028\u2029\ud800-\udfff]")


def _clean_text(value: str) -> str:
    if value.isprintable() and not value.isspace() and 0 < len(value) <= MAX_TEXT:
        return value  # nearly all thoughts; the rest is looked at closely
    if is_blank(value):
        raise ValueError("the text is empty")
    if len(value) > MAX_TEXT:
        raise ValueError(
            f"the text has {len(value):,} characters, more than {MAX_TEXT:,}: "
            "cut it into several thoughts"
        )
    if bad := _CONTROL.search(value):
        raise ValueError(
            f"the character U+{ord(bad[0]):04X} at offset {bad.start()} is not text: remove it"
        )
    return value


def is_blank(text: str) -> bool:
    """Whether nothing of a text is seen: white space and zero-width characters alone."""
    return _BLANK.fullmatch(text) is not None


def is_text(value: str) -> bool:
    """Whether a string can be written as UTF-8: bytes of an argument that are no text cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def surely_text(texts: Sequence[str], *, clean: bool = False) -> bool:
    """Whether all of these are what a thought may say: a quick test that refuses some that are.

    :param clean: it is known that none holds a control character.
    """
    return (
        not any(map(_BLANK.fullmatch, texts))
        and max(map(len, texts), default=0) <= MAX_TEXT
        and (clean or "".join(texts).isprintable())
    )


def clean_name(value: str) -> str:
    """The name in NFC without white space around it. Raises ValueError where it is none."""
    value = unicodedata.normalize("NFC", value).strip()
    if is_blank(value):
        raise ValueError("it is empty")
    if len(value) > MAX_ID:
        raise ValueError(f"it has {len(value):,} characters, more than {MAX_ID}")
    if bad := _CONTROL_OR_BREAK.search(value):
        raise ValueError(f"the character U+{ord(bad[0]):04X} may not stand in it")
    return value


def _clean_optional(value: str) -> str:
    return clean_name(value) if value else ""


def clean_lines(value: str) -> str:
    """Text of any length and any number of lines, as it stands. Raises ValueError for other."""
    if bad := _CONTROL.search(value):
        raise ValueError(f"the character U+{ord(bad[0]):04X} may not stand in it")
    return value


def clean_line(value: str) -> str:
    """One line of text of any length, as it stands. Raises ValueError where it is none."""
    if bad := _CONTROL_OR_BREAK.search(value):
        raise ValueError(f"the character U+{ord(bad[0]):04X} may not stand in it")
    return value


def _clean_language(value: str) -> str:
    check_language(value)
    return value


def _clean_path(value: Any) -> Any:
    """A file's name may hold bytes that are no text; what is kept of it is text."""
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


_NUMBERED = re.compile(r"(thought|anchor)s\.(\d+)(?:\.phrase)?")

Text = Annotated[str, Strict(), AfterValidator(_clean_text)]
"""What a thought says: not empty, no control characters, kept verbatim."""
Name = Annotated[str, AfterValidator(clean_name)]
"""An id or a name: one line, NFC."""
Language = Annotated[str, AfterValidator(clean_name), AfterValidator(_clean_language)]
"""What has the shape of a language tag of BCP 47."""
OptionalName = Annotated[str, AfterValidator(_clean_optional)]
"""A name, or nothing."""
Lines = Annotated[str, AfterValidator(clean_lines)]
"""Text of any length, also none: no control characters, kept verbatim."""
Key = Annotated[str, AfterValidator(clean_line)]
"""The key of a name: one line, of any length."""
FileName = Annotated[str, BeforeValidator(_clean_path)]
"""The name of a file, readable whatever its bytes are."""


def first_of(error: Exception) -> ErrorDetails:
    """What pydantic found first, also where its error is the cause of one of the forest's."""
    found = error if isinstance(error, ValidationError) else error.__cause__
    if not isinstance(found, ValidationError):
        raise error
    return found.errors(include_url=False)[0]


def plain_words(error: ValidationError) -> str:
    """What pydantic found first, on one line: ``text: the text is empty``."""
    first = first_of(error)
    where = ".".join(str(part) for part in first["loc"])
    where = _NUMBERED.sub(lambda found: f"{found[1]} {int(found[2]) + 1}", where)
    where = (
        re.sub(r"(?<=\d)\.", ", ", where) if where.startswith(("thought ", "anchor ")) else where
    )
    said = first["msg"].removeprefix("Value error, ")
    return f"{where}: {said}" if where else said


def kind_of(value: object) -> str:
    """What a value of the wrong type is: ``an int``."""
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def in_words(model: type[T]) -> type[T]:
    """Let a model raise InvalidTree where pydantic refuses its values, whose error is the cause.

    Values that another model checks on its way, such as the thoughts of a tree, are not told twice.
    """
    make = model.__init__

    @wraps(make)
    def made(self: T, *args: Any, **fields: Any) -> None:
        try:
            make(self, *args, **fields)
        except ValidationError as error:
            hint = _HINTS.get(first_of(error)["loc"])
            raise InvalidTree(plain_words(error), hint=hint) from error

    model.__init__ = made  # type: ignore[assignment, method-assign]
    return model


_HINTS: dict[tuple[int | str, ...], str] = {
    ("text",): "A thought is made with its text: Thought(text='Justice is a fit of deeds.').",
    ("title",): "A tree is made with its title: Tree('Justice').",
}


@contextmanager
def in_plain_words(where: str, kind: type[InvalidInput] = InvalidTree) -> Iterator[None]:
    """Turn what pydantic finds into one error that says where and what."""
    try:
        yield
    except InvalidTree as error:
        raise kind(f"{where}: {error.message}") from error.__cause__
    except ValidationError as error:
        raise kind(f"{where}: {plain_words(error)}") from error
    except ValueError as error:
        raise kind(f"{where}: {error}") from None
