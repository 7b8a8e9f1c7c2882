"""Speaking with a base and its masks: what is asked, and what came back with where it came from."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from training.base import Base
from training.corpus import Corpus
from training.errors import CorpusError, TrainingError
from training.masks import BASE, Mask
from training.registers import REGISTERS, expansions, lead_of, russian, untaught
from training.tokens import GLYPHS, plain
from training.voices import Voices

_MOST = 512
"""Characters of an origin at most, as a scene keeps it."""
_TERMS = r"(?:«[^»\n]*»|\"[^\"\n]*\"|[^()\[\]«»\"=\n])+"
_CODE_LAST = re.compile(
    r"(?:^|(?<=[.:;!?…—] ))"  # a line's begin, or a sentence's
    rf"(?P<body>(?:[^\W\d_][\w -]*)?(?:\({_TERMS}\)|\[{_TERMS}\])(?:_\w+)?)"
    rf" *= *(?P<code>[Δ\u2206]\d\d|[ΛΩ]\d+|{'|'.join(GLYPHS)})(?!\w| *=)",
    re.MULTILINE,
)
"""A formula with its code behind it: ``край(покой · распад) = Δ84``."""


@dataclass(frozen=True)
class Answer:
    """What a voice said, and what it was asked."""

    voice: str
    sha256: str
    """Checksum of the mask's tensors, or the hash of the base."""
    prompt: str
    text: str
    date: str
    """The day it was asked, in UTC: 2026-11-22."""

    @property
    def origin(self) -> str:
        """Where the text comes from, on a line of 512 characters at most.

        The prompt stands last, as JSON; the end of a long one is left out.
        """
        who = "a base" if self.voice == BASE else f"the mask {self.voice}"
        told = f"{who}, sha256 {self.sha256}, asked on {self.date}: "
        prompt = json.dumps(self.prompt, ensure_ascii=False)
        room = max(0, _MOST - len(told))
        return told + (prompt if len(prompt) <= room else prompt[: room - 1] + "…")


def ask(  # noqa: PLR0913 - what is asked, and how it is answered
    text: str,
    base: Base,
    masks: Sequence[Mask] = (),
    *,
    bare: bool = True,
    length: int = 120,
    temperature: float = 0.8,
    seed: int = 0,
    guidance: float = 0.0,
) -> list[Answer]:
    """How the base and each mask go on with a text, in one batch.

    :param bare: whether the base speaks too, without a mask; it then is the first.
    :param length: tokens of an answer at most.
    :param temperature: 0: always the likeliest token.
    :param guidance: how much more the last line of the text counts, which asks for something, as
        for a jump; 0.5: half more. See `training.guide`. It takes twice the time.

    Raises TrainingError for an empty text, one that is too long for the base, or one of a single
    line with guidance; MaskError where a mask is damaged or of another base; MissingExtra.
    """
    voices = Voices(base, masks)
    names = voices.names if bare or not masks else voices.names[1:]
    said = voices.answer(
        [text] * len(names),
        names,
        length=length,
        temperature=temperature,
        seed=seed,
        guidance=guidance,
    )
    hashes = {BASE: base.hash} | {mask.name: mask.about["sha256"] for mask in masks}
    today = datetime.now(UTC).date().isoformat()
    return [
        Answer(name, hashes[name], text, answer, today)
        for name, answer in zip(names, said, strict=True)
    ]


def code_first(text: str) -> str:
    r"""The text with each formula that ends in its code written as a formula is: code, then body.

    A compression says the scene, the body and last the code, for a code is what it comes to; what
    looks for formulas in a text reads them from their codes on.

    >>> code_first("Он спокоен.\nкрай(покой · распад · зов) = Δ84")
    'Он спокоен.\nΔ84 = край(покой · распад · зов)'
    """
    return _CODE_LAST.sub(r"\g<code> = \g<body>", text)


# --- registers ------------------------------------------------------------------------------------


def unfolding(formula: str, register: str, corpus: Corpus | None = None) -> str:
    """The prompt that a scene of the formula follows, in a register, as a corpus teaches it.

    The corpus's own records of kind expansion say it, whatever its templates: the formula unfolded,
    then ``поэтически:``.

    :param formula: its code, if there is a corpus; else it is written out, as
        ``Δ12 = (вода + весна)``.

    Raises CorpusError where the corpus does not unfold the formula, or teaches no such register;
    TrainingError for a code without a corpus.
    """
    formula = plain(formula).strip()
    if corpus is not None:
        return _taught(formula, register, corpus)
    if "=" not in formula:
        raise TrainingError(
            f"{formula!r} alone says no formula",
            hint="Give a --corpus that unfolds it, or write it out: 'Δ12 = (вода + весна)'.",
        )
    name = next((name for name, word in REGISTERS.items() if word == register), register)
    return f"{formula}\n{REGISTERS.get(name, name) if russian(formula) else name}:"


def _taught(code: str, register: str, corpus: Corpus) -> str:
    known = list(expansions(corpus))
    own = [part for part in known if part.code == code]
    if not own:
        codes = ", ".join(dict.fromkeys(part.code for part in known))
        raise CorpusError(
            f"the corpus {corpus.path} does not unfold {code!r}",
            hint=f"Expected a code that it unfolds: {codes or 'there is none'}.",
        )
    lead = lead_of(known, code, own[0].body, register)
    if not lead:
        raise untaught(corpus, register, dict.fromkeys(part.lead.strip(" :") for part in known))
    return own[0].body + lead
