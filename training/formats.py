"""The formats of a record, read as one text with what carries no loss.

A record is a text; or request and answer, as ``messages``, ``conversations`` (ShareGPT),
``prompt`` and ``completion``, or ``instruction`` and ``output`` (Alpaca). `as_text` is the only
place that knows them apart: what trains, probes and reserves tokens sees a text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Record = dict[str, Any]
ANSWERS = ("assistant", "gpt")
"""Who answers in a chat."""


class _Turn(NamedTuple):
    column: str
    item: int
    text: str
    answers: bool


def as_text(record: Record) -> Record | None:
    """The record with a ``text``, the places in ``meta`` moved to it; None for other columns.

    Texts of a chat are joined by ``meta.gap`` (without one, a line break), prompt and completion by
    nothing. What asks is in ``meta.no_loss``.
    """
    if isinstance(record.get("text"), str):
        return record
    turns = list(_turns(record))
    if not turns:
        return None
    meta = record.get("meta") or {}
    gap = "" if "prompt" in record else meta.get("gap", "\n")
    begins: dict[tuple[str, int], int] = {}
    no_loss: list[Record] = []
    text = ""
    for n, turn in enumerate(turns):
        text += gap if n else ""
        begins[turn.column, turn.item] = len(text)
        text += turn.text
        if not turn.answers:
            end = len(text) + (len(gap) if n + 1 < len(turns) else 0)
            no_loss.append({"start": begins[turn.column, turn.item], "end": end})

    def moved(part: Mapping[str, Any]) -> Record:
        begin = begins[part["column"], part["item"]]
        return {**part, "start": part["start"] + begin, "end": part["end"] + begin}

    no_loss += [moved(part) for part in meta.get("no_loss") or ()]
    spans = [moved(span) for span in meta.get("spans") or ()]
    return {"text": text, "meta": {**meta, "no_loss": no_loss, "spans": spans}}


def _turns(record: Record) -> Iterator[_Turn]:
    """The texts of a record in their order; none for columns that are no request and answer."""
    for column, who, said in (("messages", "role", "content"), ("conversations", "from", "value")):
        for item, turn in enumerate(record.get(column) or ()):
            yield _Turn(column, item, turn[said], turn[who] in ANSWERS)
    for asked, answer in (("prompt", "completion"), ("instruction", "output")):
        if isinstance(record.get(asked), str) and isinstance(record.get(answer), str):
            yield _Turn(asked, 0, record[asked], False)
            if record.get("input"):
                yield _Turn("input", 0, record["input"], False)
            yield _Turn(answer, 0, record[answer], True)
