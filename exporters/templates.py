"""The words around pieces: templates (Jinja2) in several languages.

A template lays out one record. It never sees the words of a thought: it gets marks, places them,
and each mark is replaced by its pieces afterwards. So whatever a template does, thoughts stay
verbatim, and what it says itself becomes pieces of their own, which carry no loss as long as
nothing before them does. The shipped templates stand in `recipes/templates.toml`, as a recipe
overrides them::

    [templates.en]
    reverse = "Backwards: {{ thoughts }}"

A record is laid out in the language of its (first) tree; where there is no template in that
language, in English.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from exporters.linearize import ANCHOR, FORMULA, MARKER, SCENE, WORDS, Piece
from exporters.measure import Measure
from forest.errors import ExportError

if TYPE_CHECKING:
    from jinja2 import Environment, Template

Own = Mapping[str, Mapping[str, str]]
"""Templates by language, then by kind of record."""

_MARK = re.compile("\0([0-9]+)\0")
_THOUGHTS = [Piece("first", "t", "t/1"), Piece("then", "t", "t/2")]
_LATER = [Piece("later", "u", "u/2")]
_ANCHOR, _MARKER = Piece("phrase", "u", role=ANCHOR), Piece("jump", "u", role=MARKER)
_WAYS = [{"title": "T", "thoughts": _THOUGHTS}, {"title": "U", "thoughts": _LATER}]
_CODE, _BODY = Piece("code", role=FORMULA), Piece("body", role=FORMULA)
_PARTS, _SCENE = [Piece("part", role=FORMULA)], Piece("scene", role=SCENE)
_STITCH = {
    "title": "T",
    "target_title": "U",
    "marker": _MARKER,
    "anchor": _ANCHOR,
    "before": _THOUGHTS,
    "after": _LATER,
}
SAMPLES: dict[str, dict[str, Any]] = {
    "fragment": {
        "title": "T",
        "anchor": _ANCHOR,
        "premises": [Piece("premise", "t", "t/3")],
        "thoughts": _THOUGHTS,
    },
    "reverse": {"title": "T", "thoughts": _THOUGHTS},
    "card": {"anchor": _ANCHOR, "ways": _WAYS},
    "comparison": {"anchor": _ANCHOR, "ways": _WAYS},
    "bridge": {**_STITCH, "target": [Piece("target", "u", "u/1")]},
    "composite": _STITCH,
    "chain": {**_STITCH, "first": [_THOUGHTS[0]], "last": _LATER},
    "expansion": {
        "code": _CODE,
        "body": _BODY,
        "parts": _PARTS,
        "register": "poetic",
        "scene": _SCENE,
    },
    "compression": {"scene": _SCENE, "register": "poetic", "body": _BODY, "code": _CODE},
    "merge": {"parts": _PARTS, "formula": Piece("whole", role=FORMULA)},
}
"""For each kind the names that its template may say, with an example of each.

It must place all that is in the words of thoughts, formulas and scenes, each at least once.
"""


_LOSE_THE_FIRST = {"before", "premises"}
_TITLES = {"title", "target_title"}


class TemplateProblem(ValueError):
    """A template cannot be used; the message says why."""


class Templates:
    """The shipped templates, with those of a recipe in their place.

    :param own: the recipe's.
    :param marker: no words of a template or a title may contain it.
    :param measure: what lengths are counted in.
    """

    def __init__(self, own: Own, marker: str, measure: Measure = len) -> None:
        self._marker, self._measure = marker, measure
        shipped = shipped_templates()
        self._texts = {
            lang: {**shipped.get(lang, {}), **own.get(lang, {})} for lang in {*shipped, *own}
        }
        self._compiled: dict[tuple[str, str], tuple[Template, bool]] = {}
        self._layouts: dict[tuple[str, str, tuple[Any, ...]], _Layout] = {}

    def lay(self, kind: str, lang: str, window: int, least: int = 1, **said: Any) -> list[Piece]:
        """The pieces of a record in their places, with words and gaps between them.

        Where they outgrow the window, the longest run of thoughts loses its last one, again and
        again; each keeps at least ``least``.

        :param said: by name, as in `SAMPLES`; an empty list or None is false in the template.
        :raises ExportError: the words contain the jump marker.
        """
        slots: list[_Slot] = []
        layout = self._layout(kind, lang, said, slots)
        laid = _laid(layout.parts, slots)
        for n in layout.left_out:
            if any(_is_verbatim(piece) for piece in slots[n].pieces):
                raise _useless(kind, f"it leaves {{{{ {slots[n].name} }}}} out")
        self._shorten(laid, slots, window, least)
        return [piece for _, piece in laid]

    def _layout(self, kind: str, lang: str, said: Mapping[str, Any], slots: list[_Slot]) -> _Layout:
        """What the template says to the marks of what is said, which are put into ``slots``.

        That depends on what there is, and on titles and the like, but on none of the pieces: many
        records have the same.
        """
        template, says_title = self._template(kind, lang)
        key = kind, lang, _shape(said, slots, titles=says_title)
        layout = self._layouts.get(key)
        if layout is None:
            marked = _marked(said, [])
            if not says_title:
                marked = _untitled(marked)
            layout = self._laid_out(kind, template, marked, len(slots))
            if len(self._layouts) >= LAYOUTS:
                self._layouts.clear()
            self._layouts[key] = layout
        return layout

    def _laid_out(
        self, kind: str, template: Template, marked: dict[str, Any], slots: int
    ) -> _Layout:
        try:
            parts = list(_parts(_rendered(template, marked)))
            for part in parts:
                _check_words(part.words)
        except Exception as error:  # noqa: BLE001  (a template computes: it may raise anything)
            raise _useless(kind, str(error)) from None
        for part in parts:
            if self._marker in part.words:
                raise marker_met(self._marker, f"the words {part.words!r} of a {kind}")
        placed = {part.slot for part in parts}
        return _Layout(parts, [n for n in range(slots) if n not in placed])

    def _shorten(
        self, laid: list[_Placed], slots: Sequence[_Slot], window: int, least: int
    ) -> None:
        """Take thoughts out of the longest run until all fit; before an anchor, the first."""
        sizes = self._measure
        over = sum([sizes(piece.text) for _, piece in laid]) + len(laid) - 1 - window
        while over > 0:
            runs: dict[int, list[int]] = {}
            for at, (slot, piece) in enumerate(laid):
                if piece.thought:
                    runs.setdefault(slot, []).append(at)
            long = [slot for slot, run in runs.items() if len(run) > least]
            if not long:
                return
            slot = max(long, key=lambda s: sum(sizes(laid[at][1].text) for at in runs[s]))
            at = runs[slot][0 if slots[slot].name in _LOSE_THE_FIRST else -1]
            _, gone = laid.pop(at)
            if at == runs[slot][0]:
                laid[at] = slot, laid[at][1]._replace(gap=gone.gap)
            over -= sizes(gone.text) + 1

    def _template(self, kind: str, lang: str) -> tuple[Template, bool]:
        """The template of a kind in a language, and whether it may say a title."""
        found = self._compiled.get((kind, lang))
        if found is None:
            names = (lang, lang.partition("-")[0], "en")
            text = next(t[kind] for n in names if kind in (t := self._texts.get(n, {})))
            shipped = any(text == t.get(kind) for t in shipped_templates().values())
            says_title = "title" in text or not shipped  # others may say whatever they are given
            found = self._compiled[kind, lang] = _environment().from_string(text), says_title
        return found


def _useless(kind: str, why: str) -> ExportError:
    return ExportError(
        f"the template of a {kind} cannot be used: {why}",
        hint="Correct it in the recipe, under [templates].",
    )


def check_template(kind: str, text: str, marker: str) -> None:
    """Raise TemplateProblem where a template is none for its kind, or leaves words out."""
    from jinja2.meta import find_undeclared_variables

    if kind not in SAMPLES:
        raise TemplateProblem(f"there is no such template: expected one of {', '.join(SAMPLES)}")
    sample = SAMPLES[kind]
    try:
        unknown = find_undeclared_variables(_environment().parse(text)) - sample.keys()
        if unknown:
            raise TemplateProblem(f"there is no {min(unknown)!r}: expected {', '.join(sample)}")
        slots: list[_Slot] = []
        said = _rendered(_environment().from_string(text), _marked(sample, slots))
        laid = [piece for _, piece in _laid(_parts(said), slots)]
        for piece in laid:
            _check_words(piece.text if piece.role == WORDS else "")
    except TemplateProblem:
        raise
    except Exception as error:  # noqa: BLE001  (a template computes: it may raise anything)
        line = getattr(error, "lineno", None)
        raise TemplateProblem(f"line {line}: {error}" if line else str(error)) from None
    if any(piece.role == WORDS and (marker in piece.text or "\0" in piece.text) for piece in laid):
        raise TemplateProblem(f"its words contain the marker {marker!r}: write {{{{ marker }}}}")
    placed = {piece.text for piece in laid}
    for name, piece in _verbatim(sample):
        if piece.text not in placed:
            raise TemplateProblem(f"it leaves {{{{ {name} }}}} out")


def _verbatim(sample: Mapping[str, Any]) -> Iterator[tuple[str, Piece]]:
    """The pieces that a template must place, each with its name."""
    for name, value in sample.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                yield from ((f"{name}: .{inner}", piece) for inner, piece in _verbatim(one))
            elif isinstance(one, Piece) and _is_verbatim(one):
                yield name, one


def _is_verbatim(piece: Piece) -> bool:
    return piece.role not in (ANCHOR, MARKER)


@lru_cache(maxsize=1)
def shipped_templates() -> dict[str, dict[str, str]]:
    """The templates of `templates.toml`, by language and kind."""
    text = (files("exporters.recipes") / "templates.toml").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = tomllib.loads(text)["templates"]
    return found


# --- from a template to pieces --------------------------------------------------------------------


LAYOUTS = 4096
"""Layouts that are kept in memory."""


class _Part(NamedTuple):
    """A part of what a template said."""

    slot: int
    """The mark that stands there, -1 for words."""
    words: str
    gap: str
    """What stands between it and the part before it."""


class _Layout(NamedTuple):
    """What a template says to marks."""

    parts: list[_Part]
    left_out: list[int]
    """The marks that it does not place."""


_Placed = tuple[int, Piece]
"""The mark that a piece stands for, -1 for words, and the piece."""


class _Slot(NamedTuple):
    name: str
    pieces: Sequence[Piece]


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from forest.templating import Bounded

    environment = Bounded(trim_blocks=True, lstrip_blocks=True, finalize=_as_said)
    del environment.filters["random"]  # the same forest and recipe give the same bytes
    return environment


def _as_said(value: Any) -> Any:
    """What a template writes, which has to be a text or a number."""
    from jinja2 import Undefined

    if isinstance(value, str | int | float | Undefined):  # the last says itself what is wrong
        return value
    raise TemplateProblem(f"it writes neither a text nor a number: a {type(value).__name__}")


_INNARDS = re.compile(r"\\x00| at 0x[0-9a-f]{6,}")
"""What Python calls an object by: a mark within a list, the place of an object in memory."""


def _check_words(words: str) -> None:
    if found := _INNARDS.search(words):
        raise TemplateProblem(f"it writes the innards of an object: …{found[0]!r}…")


def _rendered(template: Template, values: Mapping[str, Any]) -> str:
    from forest.templating import rendered

    return rendered(template, values)


def _parts(text: str) -> Iterator[_Part]:
    gap = ""
    for n, part in enumerate(_MARK.split(text.strip())):
        if n % 2:
            yield _Part(int(part), "", gap)
            gap = ""
        elif words := part.strip():
            before, _, after = part.partition(words)
            yield _Part(-1, words, gap + before)
            gap = after
        else:
            gap += part


def _laid(parts: Iterable[_Part], slots: Sequence[_Slot]) -> list[_Placed]:
    """What a template said, with the pieces in the place of their marks."""
    laid: list[_Placed] = []
    lossy = False
    for slot, words, gap in parts:
        if slot < 0:
            laid.append((-1, Piece(words, role=WORDS, gap=gap, loss=lossy)))
            continue
        pieces = slots[slot].pieces
        begun = len(laid)
        laid += [(slot, piece) for piece in pieces]
        if pieces[0].gap != gap:
            laid[begun] = slot, pieces[0]._replace(gap=gap)
        lossy = lossy or any(piece.loss for piece in pieces)
    return laid


def _shape(said: Mapping[str, Any], slots: list[_Slot], *, titles: bool) -> tuple[Any, ...]:
    """What a template can tell what is said by; the pieces themselves are put into ``slots``."""
    shape: list[Any] = []
    for name, value in said.items():
        if isinstance(value, Piece):
            slots.append(_Slot(name, [value]))
            shape.append(name)
        elif isinstance(value, list) and value:
            if isinstance(value[0], Piece):
                slots.append(_Slot(name, value))
                shape.append(name)
            else:
                shape.append((name, *[_shape(one, slots, titles=titles) for one in value]))
        elif titles or name not in _TITLES:
            shape.append((name, repr(value)))
    return tuple(shape)


def _untitled(marked: dict[str, Any]) -> dict[str, Any]:
    """The same without titles."""
    return {
        name: ""
        if name in _TITLES
        else [_untitled(one) for one in value]
        if isinstance(value, list)
        else value
        for name, value in marked.items()
    }


def _marked(said: Mapping[str, Any], slots: list[_Slot]) -> dict[str, Any]:
    """What the template gets: a mark for pieces, anything else as it is."""
    return {name: _mark(name, value, slots) for name, value in said.items()}


def _mark(name: str, value: Any, slots: list[_Slot]) -> Any:
    if isinstance(value, Piece):
        value = [value]
    if not isinstance(value, list) or not value:
        return value
    if isinstance(value[0], Piece):
        slots.append(_Slot(name, value))
        return f"\0{len(slots) - 1}\0"
    return [_marked(one, slots) for one in value]


def marker_met(marker: str, where: str) -> ExportError:
    """The error for a text that contains the jump marker."""
    return ExportError(
        f"{where} contains {marker!r}, which marks a jump in a walk",
        hint='Choose another sign in the recipe, under [walks]: marker = "…".',
    )
