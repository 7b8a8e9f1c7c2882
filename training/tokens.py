"""What stands for a whole scene and so is one token: codes (Δ12), glyphs, the jump marker."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from shlex import quote
from typing import Any, NamedTuple

import orjson

from training.corpus import Corpus
from training.errors import BaseError, CorpusError
from training.formats import as_text

GLYPHS = ("⟁", "🜂", "🫁", "🫧")
_CODE = re.compile(f"Δ[0-9]{{2}}(?![0-9])|{'|'.join(GLYPHS)}")
_NEAR = 64
"""Tokens before the end of a name that are looked at: more than any name is torn into."""
_SHOWN = 5
_INCREMENT = re.compile("\u2206(?=[0-9]{2}(?![0-9]))")


def plain(text: str) -> str:
    """The text with ∆12 (U+2206, the increment) as Δ12; it stays as long as it was.

    >>> plain("\u220612, but \u2206x") == "Δ12, but \u2206x"
    True
    """
    return _INCREMENT.sub("Δ", text)


def codes_in(text: str) -> set[str]:
    """The codes and glyphs in a text.

    >>> sorted(codes_in("Δ12Δ41, Δ123 and Δ07_logic"))
    ['Δ07', 'Δ12', 'Δ41']
    """
    return set(_CODE.findall(plain(text)))


def reserved(corpus: Corpus) -> list[str]:
    """What the corpus wants as single tokens: its tokens.json, its texts' codes, its marker.

    Raises CorpusError where tokens.json cannot be read.
    """
    found = set(_listed(corpus))
    for split in splits(corpus):
        for record in corpus.records(split):
            for text in texts(record):
                found |= codes_in(text)
    if corpus.marker:
        found.add(corpus.marker)
    return sorted(found)


def splits(corpus: Corpus) -> list[str]:
    """The splits with records that are trained on: those with other columns are left out."""
    return [split for split in corpus.splits if corpus.has(split)]


def texts(record: dict[str, Any]) -> Iterator[str]:
    """The text of a record in any format; none of one with other columns."""
    if told := as_text(record):
        yield told["text"]


def _listed(corpus: Corpus) -> list[str]:
    path = corpus.path / "tokens.json"
    export_again = "Export it again: forest export OUT."
    try:
        names = [entry["token"] for entry in orjson.loads(path.read_bytes())["tokens"]]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}") from error
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise CorpusError(f"{path} is no list of tokens", hint=export_again) from None
    if wrong := [name for name in names if not isinstance(name, str) or not name.strip()]:
        raise CorpusError(
            f"{path} lists {wrong[0]!r}: expected codes such as 'Δ12'", hint=export_again
        )
    return names


def single(tokenizer: Any, name: str) -> bool:
    """Whether a tokenizer reads a name as one token: alone, after a space, a bracket, a break.

    And as the name: what stands for all unknown words, or for the name in small letters, is
    another token.
    """
    text = f"{name} {name} ({name})\n{name}"
    found = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
    if Segmentation([name]).torn(text, list(found.offset_mapping)) is not None:
        return False
    own = (
        i
        for i, (a, b) in zip(found.input_ids, found.offset_mapping, strict=True)
        if name in text[a:b]
    )
    return all(
        tokenizer.decode([i], clean_up_tokenization_spaces=False).strip() == name for i in own
    )


def offsets_in(tokenizer: Any, text: str) -> list[tuple[int, int]]:
    """Where in a text its tokens stand: (start, end) in characters of each."""
    found = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
    return list(found.offset_mapping)


class Segmentation:
    """Looks whether every reserved name in a text is one token.

    :param names: the reserved names.
    """

    def __init__(self, names: Iterable[str]) -> None:
        longest = sorted(names, key=lambda name: (-len(name), name))
        either = "|".join(map(re.escape, longest))
        self._names = re.compile(either) if longest else None
        self._digits = re.compile(f"(?:{either})(?<=[0-9])[0-9]") if longest else None

    def torn(self, text: str, offsets: list[tuple[int, int]]) -> str | None:
        """The first name in a text that is no token of its own; else None."""
        if self._names is None:
            return None
        starts: list[int] | None = None
        for found in self._names.finditer(text):
            begin, end = found.span()
            starts = starts or [start for start, _ in offsets]
            upto = bisect_left(starts, end)
            own = [o for o in offsets[max(0, upto - _NEAR) : upto] if o[1] > begin]
            if len(own) != 1 or own[0][1] != end or text[own[0][0] : begin].strip():
                return found[0]
        return None

    def followed_by_digit(self, text: str) -> str | None:
        """The first name in a text that a digit goes on from (Δ12 in Δ123); else None."""
        found = self._digits.search(text) if self._digits else None
        return found[0] if found else None


def check_segmentation(corpus: Corpus, tokenizer: Any, names: Iterable[str]) -> set[str]:
    """The names that the tokenizer tears in texts of the corpus.

    Raises CorpusError where a text goes on with a digit after a name (Δ123): no tokenizer can know
    which was meant.
    """
    segmentation = Segmentation(names)
    torn = set()
    for split in splits(corpus):
        for number, record in enumerate(corpus.records(split), 1):
            for text in map(plain, texts(record)):
                if long := segmentation.followed_by_digit(text):
                    raise ambiguous(long, number, split, record)
                if found := segmentation.torn(text, offsets_in(tokenizer, text)):
                    torn.add(found)
    return torn


def ambiguous(found: str, number: int, split: str, record: dict[str, Any]) -> CorpusError:
    """The error for a code that a digit follows."""
    return CorpusError(
        f"record {number} of the split {split} says {found!r}…{_place_of(found, record)}, which "
        "begins with a code",
        hint="A code is Δ and two digits. Put a space or another sign into the thought, and "
        "export again.",
    )


def _place_of(found: str, record: dict[str, Any]) -> str:
    """Whose words a text is found in: a thought or a formula, if the record tells."""
    told = as_text(record) or record
    meta, at = told.get("meta") or {}, plain(told["text"]).find(found)
    for span in meta.get("spans") or ():
        if not span["start"] <= at < span["end"]:
            continue
        for what, key in (("thought", "thoughts"), ("formula", "formulas")):
            names, n = meta.get(key) or (), span.get(what, -1)
            if 0 <= n < len(names):
                return f" (the {what} {names[n]})"
    return ""


# --- what a tokenizer cannot read -----------------------------------------------------------------

UNREAD = 0.01
"""The share of a corpus's tokens, at most, that may be unknown to a base. What is unknown is
neither learnt nor said; at one in a hundred every fifth thought of twenty tokens has a hole."""


class Unread(NamedTuple):
    """What of some texts a tokenizer does not know: what it drops, or has one token for all of."""

    tokens: int = 0
    """Of all texts."""
    unknown: int = 0
    """Of these tokens. A word that is dropped counts as one of them."""
    texts: tuple[str, ...] = ()
    """What is unknown, the most frequent first; a few."""

    @property
    def share(self) -> float:
        """How much of all is unknown, from 0 to 1."""
        return self.unknown / self.tokens if self.tokens else 0.0

    @property
    def said(self) -> str:
        """It in words: ``29% of the tokens, such as 'вода'``."""
        shown = f", such as {', '.join(map(repr, self.texts))}" if self.texts else ""
        return f"{100 * self.share:.2g}% of the tokens{shown}"

    def require(self, corpus: Corpus, base: object) -> None:
        """Raise BaseError where it is more than `UNREAD`."""
        if self.share > UNREAD:
            raise BaseError(
                f"the tokenizer of {base} cannot read the corpus {corpus.path}: {self.said} stand "
                "for what it does not know",
                hint="That can be neither learnt nor said. Take a base that reads these letters: "
                "one whose tokenizer falls back to bytes reads all, as that of tiny: does.",
            )


def unknown_of(tokenizer: Any) -> int | None:
    """The id of a tokenizer's token for what it does not know; None where it has none.

    Some name the end of a text so (GPT-2): they read everything, and never say it.
    """
    unknown: int | None = tokenizer.unk_token_id
    return None if unknown in (tokenizer.bos_token_id, tokenizer.eos_token_id) else unknown


def dropped(text: str, offsets: Iterable[tuple[int, int]]) -> list[str]:
    """The words of a text of which a part has no token; spaces and unseen signs need none.

    A tokenizer without a token for all that it does not know leaves it out.

    >>> dropped("где вода, Δ12.", [(0, 3), (8, 9), (10, 13), (13, 14)])
    ['вода,']
    """
    gaps, at = [], 0
    for start, end in (*offsets, (len(text), len(text))):
        if start > at:
            gaps += [at + n for n, sign in enumerate(text[at:start]) if _needs_token(sign)]
        at = max(at, end)
    if not gaps:
        return []
    words = (word.span() for word in re.finditer(r"\S+", text))
    return [text[a:b] for a, b in words if bisect_left(gaps, a) < bisect_left(gaps, b)]


def _needs_token(sign: str) -> bool:
    return unicodedata.category(sign)[0] in "LNPS"


def unread(corpus: Corpus, tokenizer: Any) -> Unread:
    """What of the texts of a corpus a tokenizer cannot read."""
    unknown, tokens, met = unknown_of(tokenizer), 0, Counter[str]()
    for split in splits(corpus):
        for record in corpus.records(split):
            for text in map(plain, texts(record)):
                found = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
                left = dropped(text, found.offset_mapping)
                met.update(left)
                tokens += len(found.input_ids) + len(left)
                for token, (start, end) in zip(found.input_ids, found.offset_mapping, strict=True):
                    if token == unknown:
                        met[text[start:end].strip()] += 1
    return Unread(tokens, met.total(), tuple(sign for sign, _ in met.most_common(_SHOWN)))


_TEXTS = (
    "Where the water stands, the threshold is silent.",
    "Там, где стоит вода, порог молчит.",
    "水站立的地方，门槛沉默。",
)
"""What a tokenizer is tried with where there is no corpus: it has to read one of them."""
_TRIED = 50


def require_read(tokenizer: Any, rows: int, corpus: Corpus | None, model: object) -> None:
    """Raise BaseError unless a tokenizer is that of its network, and knows what it has to read.

    Where files are missing from a model's folder the libraries make one that knows no word.

    :param rows: of the network's embeddings.
    """
    if len(tokenizer) * 2 < rows:
        raise _no_reader(model, f"it knows {len(tokenizer):,} tokens, the network {rows:,}")
    every = (text for record in corpus.records() for text in texts(record)) if corpus else ()
    some = [plain(text) for text, _ in zip(every, range(_TRIED), strict=False)]
    tried = ["\n".join(some)] if some else _TEXTS
    if not any(_survives(tokenizer, text) for text in tried):
        start = tried[0][:40]
        read = tokenizer.decode(tokenizer(start, add_special_tokens=False).input_ids)
        raise _no_reader(model, f"{start!r} comes out of it as {read!r}")


def _no_reader(model: object, why: str) -> BaseError:
    return BaseError(
        f"the tokenizer of {model} does not know the texts that it is to read: {why}",
        hint="Nothing was written. Is a file of it missing (tokenizer.json; or vocab.json and "
        "merges.txt; or tokenizer.model)? Copy the model again, with all its files, or take one "
        "that reads these letters.",
    )


def _survives(tokenizer: Any, text: str) -> bool:
    """Whether half of a text's letters, at the least, are there when it was read and said again."""
    said = tokenizer.decode(tokenizer(text, add_special_tokens=False).input_ids)
    wanted, found = _letters(text), _letters(said)
    return 2 * (wanted & found).total() >= wanted.total()


def _letters(text: str) -> Counter[str]:
    """The letters and digits of a text, whatever their case and accents."""
    return Counter(filter(str.isalnum, unicodedata.normalize("NFKD", text.casefold())))


def require_known(tokenizer: Any, names: Iterable[str], corpus: Corpus, base: object) -> None:
    """Raise BaseError unless a base reads all names of a corpus as single tokens."""
    if missing := [name for name in names if not single(tokenizer, name)]:
        shown = ", ".join(missing[:8]) + (" …" if len(missing) > 8 else "")
        raise BaseError(
            f"the base {base} has no single token for {shown}, which the corpus {corpus.path} uses",
            hint="Prepare the base with it: forest base prepare MODEL OUT --corpus "
            f"{quote(str(corpus.path))}",
        )
