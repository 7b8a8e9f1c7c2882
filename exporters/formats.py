"""How the records of the default configuration are said: as a text, or as request and answer.

A record is made as a text; a format only says it otherwise. `request` is the one place where it is
decided what of a record asks and what answers; every format cuts there. No word is lost or
invented: request, gap and answer, joined, are the text.

Preferences follow the format where that is ``messages``, as trl knows them; stepwise paths never
do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from exporters.linearize import MARKER, WORDS
from exporters.records import (
    ALPACA,
    DEFAULT,
    MESSAGES,
    PREFERENCE,
    PROMPT_COMPLETION,
    SHAREGPT,
    TEXT,
    has_gap,
)

Record = dict[str, Any]
"""A record as its line of JSON says it."""
_Place = tuple[str, int]
"""A column, and which text of it."""
_Border = tuple[_Place, tuple[int, int]]
"""A place, and from where to where of the whole text it says."""
_Laid = tuple[Record, _Place, _Place]
"""Columns, and where in them the request and the answer stand."""


def request(spans: Sequence[Mapping[str, Any]], no_loss: Sequence[Mapping[str, int]]) -> int:
    """How many of the parts of a text, from its first on, are the request.

    That is what is read without loss before all else. Where it says nothing of the forest, the
    request goes on up to the first jump; where there is none, with one part: a breadcrumb, an
    anchor, the first thought of a path. A text of one part is all answer: 0.
    """
    silent = no_loss[0]["end"] if no_loss and not no_loss[0]["start"] else 0
    asked = sum(span["end"] <= silent for span in spans)
    if all(span["role"] == WORDS for span in spans[:asked]):
        later = range(asked + 1, len(spans))
        asked = next((n for n in later if spans[n]["role"] == MARKER), asked + 1)
    return asked if asked < len(spans) else 0


def say(record: Record, config: str, format: str) -> Record:
    """A record of a configuration in a format; the same one where that changes nothing.

    :param record: as `exporters.records.Record` tells it.
    """
    if config == DEFAULT and format != TEXT:
        return _asked(record, format)
    if config == PREFERENCE and format == MESSAGES:
        speakers = {"prompt": "user", "chosen": "assistant", "rejected": "assistant"}
        said = record | {"prompt": record["prompt"].removesuffix("\n")}  # a chat ends the turn
        chats = {name: [_message(who, said[name])] for name, who in speakers.items()}
        return record | chats
    return record


def _asked(record: Record, format: str) -> Record:
    """A record as request and answer; what stands between them ends a prompt, or is the gap."""
    text, meta = record["text"], record["meta"]
    cut = request(meta["spans"], meta["no_loss"])
    begins = meta["spans"][cut]["start"] if cut else 0
    ends = meta["spans"][cut - 1]["end"] if cut and has_gap(DEFAULT, format) else begins
    columns, *places = _LAID[format](text[:ends], text[begins:])
    borders = list(zip(places, ((0, ends), (begins, len(text))), strict=True))
    placed = {
        name: [placed for part in meta[name] for placed in _placed(part, borders)]
        for name in ("spans", "no_loss")
    }
    gap = {"gap": text[ends:begins]} if has_gap(DEFAULT, format) else {}
    return columns | {"meta": meta | placed | gap}


def _placed(part: Mapping[str, Any], borders: Sequence[_Border]) -> Iterator[Record]:
    """A part of a text as parts of the request and of the answer."""
    for (column, item), (first, last) in borders:
        start, end = max(part["start"], first), min(part["end"], last)
        if start < end:
            moved = {"start": start - first, "end": end - first}
            yield {"column": column, "item": item, **part, **moved}


def _messages(asked: str, answer: str) -> _Laid:
    turns = [_message("user", asked), _message("assistant", answer)]
    return {"messages": turns}, ("messages", 0), ("messages", 1)


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _prompt_completion(asked: str, answer: str) -> _Laid:
    return {"prompt": asked, "completion": answer}, ("prompt", 0), ("completion", 0)


def _sharegpt(asked: str, answer: str) -> _Laid:
    turns = [{"from": "human", "value": asked}, {"from": "gpt", "value": answer}]
    return {"conversations": turns}, ("conversations", 0), ("conversations", 1)


def _alpaca(asked: str, answer: str) -> _Laid:
    columns = {"instruction": asked, "input": "", "output": answer}
    return columns, ("instruction", 0), ("output", 0)


_LAID: dict[str, Callable[[str, str], _Laid]] = {
    MESSAGES: _messages,
    PROMPT_COMPLETION: _prompt_completion,
    SHAREGPT: _sharegpt,
    ALPACA: _alpaca,
}
