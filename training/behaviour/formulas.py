"""The formulas of a corpus as its records of kind expansion say them, and which one a text says.

Training reads no graph, so a formula here is what stands in the texts: a code, a body with its
operator, terms and joins, and the scenes that voice it in registers.
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from snowballstemmer import stemmer

from training.behaviour.grams import Grams, Vectors, centroids
from training.corpus import Corpus
from training.errors import CorpusError
from training.registers import Expansion, expansions, lead_of, standard

_TERM = re.compile(r"«([^»]*)»|\"([^\"]*)\"|([^\s+·→,*()\[\]=][^+·→,*()\[\]=]*)")
_ROLE = re.compile(r"\s[—–-]\s.*$")
_OPERATOR = re.compile(r"=\s*(\w*)\s*[(\[]")
_CODE = re.compile(r"[ΔΛΩ]\d+$")


@dataclass(frozen=True)
class Formula:
    """A formula as a corpus writes it."""

    code: str
    body: str
    """The lines that stand before its scene: ``Δ12 = (вода + весна)`` and what its parts are."""
    terms: tuple[str, ...]
    scenes: dict[str, list[str]] = field(default_factory=dict)
    """By register, as `standard` names it; "" for scenes in none."""

    @property
    def law(self) -> str:
        """Its first line: ``Δ12 = (вода + весна)``."""
        return self.body.partition("\n")[0]

    @property
    def operator(self) -> str:
        """What stands before its bracket: ``порог``; often nothing."""
        found = _OPERATOR.search(self.law)
        return found[1] if found else ""


class Formulas:
    """All formulas of a corpus, and the registers that it voices them in.

    Raises CorpusError where it has none.
    """

    def __init__(self, corpus: Corpus) -> None:
        self._records: list[Expansion] = list(expansions(corpus))
        known: dict[str, Formula] = {}
        for part in self._records:
            one = known.setdefault(part.code, Formula(part.code, part.body, terms_of(part.body)))
            if part.scene:
                one.scenes.setdefault(standard(part.lead), []).append(part.scene)
        self.all = tuple(known.values())
        if not self.all:
            raise CorpusError(
                f"the corpus {corpus.path} has no formulas",
                hint="Write some (forest formulas add), and export with the kind expansion.",
            )

    @property
    def registers(self) -> list[str]:
        """The registers of its scenes, as `standard` names them; "" for none."""
        return sorted({register for one in self.all for register in one.scenes}) or [""]

    def prompt(self, formula: Formula, register: str) -> str:
        """What a scene of a formula follows in a register, as the corpus says it."""
        if not register:
            return formula.body.rstrip("\n") + "\n"
        return formula.body + lead_of(self._records, formula.code, formula.body, register)

    def composed(self, seed: int) -> tuple[Formula, ...]:
        """Formulas that the corpus does not have: each of its own with other formulas' terms.

        Operator, joins and number of terms stay; the code is one that the corpus does not define.
        """
        draw = random.Random(seed)
        pool = sorted({term for one in self.all for term in one.terms if not _CODE.match(term)})
        taken = {frozenset(one.terms) for one in self.all}
        codes = self._free_codes()
        found = []
        for one in self.all:
            mine = list(_terms(one.law))
            others = [term for term in pool if term not in mine]
            if not mine or len(others) < len(mine) or any(map(_CODE.match, mine)):
                continue
            terms = tuple(draw.sample(others, len(mine)))
            code = next(codes, None)
            if code and frozenset(terms) not in taken:
                taken.add(frozenset(terms))
                law = _rewritten(one.law.replace(one.code, code, 1), mine, terms)
                found.append(Formula(code, f"{law}\n", terms))
        return tuple(found)

    def _free_codes(self) -> Iterator[str]:
        used = {one.code for one in self.all}
        return (code for n in range(99, -1, -1) if (code := f"Δ{n:02d}") not in used)


def terms_of(body: str) -> tuple[str, ...]:
    """The terms of a formula that is written out, without their roles.

    Of one that is made of codes, the terms of the formulas below it.

    >>> terms_of("Δ94 = порог(страх · «а + б» · наблюдение — переход)")
    ('страх', 'а + б', 'наблюдение')
    """
    lines = body.strip().split("\n")
    terms = _terms(lines[0])
    if not any(map(_CODE.match, terms)):
        return terms
    below = (term for line in lines for term in _terms(line))
    return tuple(dict.fromkeys(term for term in below if not _CODE.match(term))) or terms


def _terms(line: str) -> tuple[str, ...]:
    law = line.partition("=")[2]
    opens = re.search(r"[(\[]", law)
    inner = law[opens.end() :] if opens else law
    found = ("".join(map(str, filter(None, m.groups()))) for m in _TERM.finditer(inner))
    terms = (_ROLE.sub("", term).strip() for term in found)
    return tuple(dict.fromkeys(term for term in terms if term and not term.startswith("_")))


def _rewritten(law: str, old: Sequence[str], new: Sequence[str]) -> str:
    """A law with its terms replaced, the longest first, each where it stands."""
    put = dict(zip(old, new, strict=True))
    begin = law.index("=")
    either = "|".join(re.escape(term) for term in sorted(old, key=len, reverse=True))
    return law[:begin] + re.sub(rf"(?<!\w)(?:{either})(?!\w)", lambda m: put[m[0]], law[begin:])


# --- which formula a text says --------------------------------------------------------------------


class Nearest:
    """The formula that a text is nearest to, of several.

    Each formula is the mean of the vectors (`Grams`) of its terms and of each of its scenes; a text
    is nearest to the one with the largest cosine, and to none where it shares no run with any.
    """

    def __init__(self, formulas: Sequence[Formula]) -> None:
        self._formulas = list(formulas)
        texts, owners = [], []
        for n, one in enumerate(self._formulas):
            for text in (" ".join(one.terms), *(s for some in one.scenes.values() for s in some)):
                texts.append(text)
                owners.append(n)
        self._grams, self._owners = Grams(texts), np.array(owners, dtype=np.intp)
        self._vectors = self._grams.vectors(texts)
        self._centres = centroids(self._vectors, self._owners, len(self._formulas))

    def of(self, texts: Sequence[str]) -> list[str | None]:
        """The code of the formula nearest to each text."""
        return [self._best(row) for row in self._grams.vectors(texts) @ self._centres.T]

    def right(self) -> list[tuple[str, float]]:
        """For each scene of the corpus its formula, and whether it is found without that scene."""
        found = []
        for n, owner in enumerate(self._owners.tolist()):
            if n and self._owners[n - 1] == owner:  # what stands first are the terms
                rest = np.arange(len(self._owners)) != n
                centres = self._centres.copy()
                centres[owner] = _mean(self._vectors[rest & (self._owners == owner)])
                best = self._best(self._vectors[n] @ centres.T)
                code = self._formulas[owner].code
                found.append((code, float(best == code)))
        return found

    def _best(self, likeness: Vectors) -> str | None:
        best = int(likeness.argmax())
        return self._formulas[best].code if likeness[best] > 0 else None


def _mean(vectors: Vectors) -> Vectors:
    mean: Vectors = centroids(vectors, np.zeros(len(vectors), np.intp), 1)[0]
    return mean


# --- which terms a text says ----------------------------------------------------------------------


class Said:
    """Finds phrases in texts, in any form of their words: by stems (Snowball), in their order."""

    def __init__(self, phrases: Collection[str]) -> None:
        self._stems = {phrase: stems for phrase in phrases if (stems := _stems(phrase))}

    def __call__(self, text: str) -> list[str]:
        """The phrases that a text says."""
        told = f" {' '.join(_stems(text))} "
        return [p for p, stems in self._stems.items() if f" {' '.join(stems)} " in told]


def foreign(formula: Formula, every: Sequence[Formula]) -> list[str]:
    """Terms of other formulas that a scene of this one has no business to say.

    Its own terms, and what its author's own scenes say, are not foreign.
    """
    own = " . ".join([*formula.terms, *(s for some in formula.scenes.values() for s in some)])
    terms = {t for one in every for t in one.terms if not _CODE.match(t)} - set(formula.terms)
    allowed = set(Said(terms)(own))
    return sorted(terms - allowed)


def _stems(text: str) -> list[str]:
    return [_stem(word) for word in re.findall(r"\w+", text.casefold().replace("ё", "е"))]


@cache
def _stem(word: str) -> str:
    language = "russian" if re.search("[а-я]", word) else "english"
    return str(_stemmer(language).stemWord(word))


@cache
def _stemmer(language: str) -> Any:
    return stemmer(language)
