"""Kinds of record that are made of formulas: unfolded, compressed, merged.

All are for training: a code that only the validation split knew would have no meaning.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from anchors.formulas.book import Book
from anchors.formulas.codes import GLYPHS
from anchors.formulas.expansion import expand
from anchors.formulas.model import Formula, Scene
from anchors.formulas.syntax import body_of, text_of
from exporters.kinds import Plan
from exporters.linearize import FORMULA, SCENE, Piece, fitted, tell
from exporters.records import Record
from exporters.splits import TRAIN
from forest.language import guess_language

UNKNOWN = "und"


class FormulaRecords:
    """The records of all formulas of a forest."""

    def __init__(self, plan: Plan, book: Book) -> None:
        self._plan, self._book = plan, book

    def __iter__(self) -> Iterator[Record]:
        for formula in self._book.formulas.values():
            lang = guess_language([term.phrase for term in self._book.terms(formula)])
            scenes: list[Scene | None] = list(voices(self._book, formula))
            for scene in scenes or [None]:
                yield from self._expansion(formula, scene, lang)
                yield from self._compression(formula, scene, lang)
            if formula.parts:
                yield from self._merge(formula, lang)

    def _expansion(self, formula: Formula, scene: Scene | None, lang: str) -> Iterator[Record]:
        met = {step.code: step.formula for step in expand(self._book.formulas, formula.code)}
        parts = [_law(part) for part in met.values() if part and part != formula]
        parts = fitted(parts, self._plan.recipe.window, 0, self._plan.measure)
        code = _piece(formula, formula.code)._replace(loss=False)
        said = {"code": code, "parts": parts, **_scene(formula, scene)}
        yield from self._record("expansion", formula, scene, lang, said)

    def _compression(self, formula: Formula, scene: Scene | None, lang: str) -> Iterator[Record]:
        said = _scene(formula, scene)
        if said["scene"]:
            said["scene"] = said["scene"]._replace(loss=False)
        said["code"] = _piece(formula, formula.code)
        yield from self._record("compression", formula, scene, lang, said)

    def _merge(self, formula: Formula, lang: str) -> Iterator[Record]:
        known = [self._book.formulas[code] for code in formula.parts if code in self._book.formulas]
        if known:
            parts = [_law(part)._replace(loss=False) for part in known]
            said = {"parts": parts, "formula": _law(formula)}
            yield from self._record("merge", formula, None, lang, said)

    def _record(
        self, kind: str, formula: Formula, scene: Scene | None, lang: str, said: dict[str, Any]
    ) -> Iterator[Record]:
        ids = (formula.code, scene.text) if scene else (formula.code,)
        if self._plan.mix.keeps(kind, (), *ids):
            if scene and scene.lang != UNKNOWN:
                lang = scene.lang
            if kind != "merge":
                said["body"] = _piece(formula, body_of(formula))
            window = self._plan.recipe.window
            yield Record(
                kind, TRAIN, tell(self._plan.templates.lay(kind, lang, window, **said)), ()
            )


def voices(book: Book, formula: Formula) -> list[Scene]:
    """The scenes that voice a formula, and those that it is set equal to, each text once."""
    said = {scene.text: scene for scene in book.voices(formula.code)}
    for text in formula.scenes:
        said.setdefault(text, Scene(text=text, lang=guess_language([text])))
    return sorted(said.values(), key=lambda scene: (scene.register, scene.text))


def tokens(book: Book) -> list[dict[str, str]]:
    """What a tokenizer should keep whole: the codes in use, and the glyphs that scenes say.

    Each is ``{token, formula}`` with the formula it stands for, "" where nobody defined it.
    """
    codes = book.codes_in_use()
    told = "".join(s.text for f in book.formulas.values() for s in voices(book, f))
    glyphs = [glyph for glyph in GLYPHS if glyph in told and glyph not in codes]
    return [
        {"token": token, "formula": _law(formula).text if formula else ""}
        for token in [*codes, *glyphs]
        for formula in [book.formulas.get(token)]
    ]


def _scene(formula: Formula, scene: Scene | None) -> dict[str, Any]:
    if scene is None:
        return {"register": "", "scene": None}
    piece = Piece(scene.text, role=SCENE, formula=formula.code)
    return {"register": scene.register, "scene": piece}


def _law(formula: Formula) -> Piece:
    """A formula on a line, without its scenes."""
    return _piece(formula, text_of(replace(formula, scenes=(), phrases=())))


def _piece(formula: Formula, text: str) -> Piece:
    return Piece(text, role=FORMULA, formula=formula.code)
