"""The registers that a corpus voices formulas in, as its records of kind expansion say them.

The formula is unfolded, then a line begins with the register and holds the scene:
``поэтически: …``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from training.corpus import Corpus
from training.errors import CorpusError
from training.formats import as_text
from training.tokens import plain, splits

REGISTERS = {
    "logical": "логически",
    "poetic": "поэтически",
    "bodily": "телесно",
    "emoji": "эмодзи",
}
"""What registers are called in Russian texts. Any other word stands for itself."""
_SCENE = "scene"


class Expansion(NamedTuple):
    """A record in which a formula is unfolded."""

    code: str
    body: str
    """The lines before its scene."""
    lead: str
    """What stands before the scene in its line: ``поэтически:``, or nothing."""
    scene: str
    """The scene itself; empty where there is none."""


def expansions(corpus: Corpus) -> Iterator[Expansion]:
    """All records in which a formula is unfolded."""
    for split in splits(corpus):
        for record in corpus.records(split):
            if record["meta"]["kind"] != "expansion":
                continue
            told = as_text(record) or record
            text, spans = plain(told["text"]), told["meta"]["spans"]
            code = next(span for span in spans if span["role"] == "formula")
            scene = next(_scenes(told), "")
            start = next((span["start"] for span in spans if span["role"] == _SCENE), len(text))
            begin = text.rfind("\n", 0, start) + 1 if scene else len(text)
            body = text[:begin].rstrip("\n") + "\n"
            # A blank at the end would be a token of its own, which no text of the corpus has there.
            lead = text[begin:start].rstrip(" ")
            yield Expansion(text[code["start"] : code["end"]], body, lead, scene)


def lead_of(known: Sequence[Expansion], code: str, body: str, register: str) -> str:
    """What stands before a scene of a formula in a register: ``поэтически:``; "" for none known.

    The formula's own records say it, else those of others, in the language of its body if they can.
    """
    own = [part for part in known if part.code == code]
    wanted = standard(register)
    leads = [part.lead for part in [*own, *known] if standard(part.lead) == wanted]
    fitting = (lead for lead in leads if russian(lead) == russian(body))
    return next(fitting, leads[0]) if leads else ""


def russian(text: str) -> bool:
    """Whether a text has Cyrillic letters.

    >>> russian("Δ12 = (вода)"), russian("Δ12 = (water)")
    (True, False)
    """
    return re.search("[а-яё]", text, re.IGNORECASE) is not None


def standard(register: str) -> str:
    """A register, or what leads to its scenes, under one name.

    >>> standard("Poetic") == standard("поэтически:")
    True
    """
    word = register.strip(" :").casefold()
    return REGISTERS.get(word, word)


class Voiced:
    """Says of records whether their scenes are in some registers.

    Raises CorpusError where the corpus teaches none of them.

    :param registers: none: every record is.
    """

    def __init__(self, corpus: Corpus, registers: Collection[str]) -> None:
        self._wanted = {standard(register) for register in registers}
        self._known: dict[str, set[str]] = defaultdict(set)
        if not self._wanted:
            return
        leads = dict[str, None]()
        for part in expansions(corpus):
            if part.scene:
                self._known[part.scene].add(standard(part.lead))
                leads[part.lead.strip(" :")] = None
        if not any(self._wanted & some for some in self._known.values()):
            raise untaught(corpus, ", ".join(registers), leads)

    def __call__(self, record: dict[str, Any]) -> bool:
        """Whether a record holds no scene, or one in these registers."""
        if not self._wanted:
            return True
        scenes = list(_scenes(record))
        return not scenes or any(self._wanted & self._known.get(s, set()) for s in scenes)


def untaught(corpus: Corpus, register: str, leads: Collection[str]) -> CorpusError:
    """The error for a register that a corpus does not teach."""
    return CorpusError(
        f"the corpus {corpus.path} teaches no register {register!r}",
        hint=f"It teaches: {', '.join(filter(None, leads)) or 'none'}. Name one of those, or add "
        "scenes (forest formulas scene) and export again.",
    )


def _scenes(record: dict[str, Any]) -> Iterator[str]:
    spans = (record.get("meta") or {}).get("spans") or ()
    for span in spans:
        if span.get("role") == _SCENE and isinstance(record.get("text"), str):
            yield plain(record["text"])[span["start"] : span["end"]]
