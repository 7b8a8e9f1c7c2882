"""Where in a text formulas begin, and where each of them ends at the latest."""

from __future__ import annotations

import re
from collections.abc import Iterator

from anchors.formulas.codes import GLYPHS, LOOKALIKES, look_alikes
from anchors.formulas.syntax import LIKE_EQUALS, SIGNED_ARROW, prose_before
from forest.phrases import ARROWS

CODE = rf"(?<!\w)(?:[Δ{''.join(LOOKALIKES)}ΛΩ]\d\w*|{'|'.join(GLYPHS)})"
_JOINS = tuple("=+·⋅∙*")
"""What stands before a term or a part of a formula, and before none that begins."""
_ARROWS = (*ARROWS, "->", "=>")
_OTHER_ARROW = r"[~>]+|[\u2190-\u21ff\u27f0-\u27ff\u2900-\u297f\u2b00-\u2bff\U0001f800-\U0001f8ff]"
"""Other arrows, which join nothing: between codes they are named."""
_HEAD = re.compile(rf"{CODE}(?:\s*(?:[+·⋅∙*,]|{SIGNED_ARROW}|{_OTHER_ARROW})\s*{CODE})*")
_DEFINES = re.compile(rf"\s*(?:=(?!=*>|=)|{SIGNED_ARROW}\s*(?i:сцепка|terms)\s*:)")
_BODY_WITHOUT_CODE = re.compile(
    rf"[^=()\[\]]*[(\[](?=[^()\[\]]*?(?:[+·⋅∙*,]|{SIGNED_ARROW}))[^()\[\]]*[)\]]"
    rf"(?:[^=()\[\]]*(=)|\s*(?:_\s*\w+)?\s*(?:$|{SIGNED_ARROW}\s*[«\"“„]))"
)
"""Set equal to something, or all that its line says."""
NEARLY = re.compile(
    rf"({CODE})\s*(?::=\s*[\w(\[]"
    rf"|(?:=[=>]+|[{LIKE_EQUALS}:—–-])\s*\w*[(\[]"
    rf"(?=[^()\[\]]*?(?:[+·⋅∙*]|{SIGNED_ARROW}))[^()\[\]]*[)\]])"
)
CODE_ALONE = re.compile(rf"\s*{CODE}\s*")
_BARE = re.compile(
    r"[^=]*=(?:[^=()\[\]]*[(\[][^()\[\]]*[)\]]\s*_)?[^=()\[\]«»\"“„]*?(?=[.;!?…](?:\s|$))"
)
"""A formula that ends with words, not with a bracket or a scene: its sentence ends it."""
_SENTENCE = re.compile(r".*[.;!?…](?=\s)")
LONE = re.compile(rf"\s*{CODE}\s*=[^=()\[\]«»\"“”„+·⋅∙*→,]+")
_STOP = re.compile(r"\s*[.!?…]")
_PAIRS = {"(": ")", "[": "]", "«": "»", "“": "”", "„": "“", '"': '"', "$": "$"}
_NEAR = 80
"""How many characters before a formula tell whether it is a part of another one."""
GAP = "\ue000"
"""What stands in a line for a code span that is read by itself."""
WORD = re.compile(r"\w")


def _definitions(text: str) -> Iterator[int]:
    """Where formulas begin. A run of codes is looked at once, as a whole, however long it is."""
    return (m.start() for m in _HEAD.finditer(text) if _DEFINES.match(text, m.end()))


def defines(text: str) -> bool:
    """Whether a formula begins anywhere in a text."""
    return any(True for _ in _definitions(text))


def stretches(text: str) -> Iterator[tuple[int, int]]:
    """Where in a text a formula begins, and where what belongs to it ends at the latest."""
    starts: list[int] = []
    for start in _definitions(text):
        if not joins(text[max(start - _NEAR, 0) : start], begun=bool(starts)):
            starts.append(start)
    past = 0
    for i, start in enumerate(starts):
        if start < past:
            continue
        stop = starts[i + 1] if i + 1 < len(starts) else len(text)
        while stop < len(text) and text.count("«", start, stop) > text.count("»", start, stop):
            stop = next((other for other in starts if other > stop), len(text))
        past = stop
        gap = text.find(GAP, start, stop)
        stop = stop if gap < 0 else gap
        stop = min(stop, _closing(text, start))
        if stop < len(text) and (sentence := _SENTENCE.match(text, start, stop)):
            stop = sentence.end()
        if bare := _BARE.match(text, start, stop):
            stop = bare.end()
        yield start, start + len(text[start:stop].rstrip(" \t;"))


def joins(before: str, begun: bool = False) -> bool:
    """Whether what stands before a formula makes it a part of another one.

    An arrow does where one has begun, or a code before it is not written as one.
    """
    before = before.rstrip().rstrip("\ufe0e\ufe0f")
    if not before.endswith(_ARROWS):
        return before.endswith(_JOINS)
    part = before.rstrip("=->" + ARROWS).rstrip()
    return begun or any(end == len(part) for _, end, _ in look_alikes(part))


def _closing(text: str, start: int) -> int:
    """Where the bracket or quote closes that opens right before a formula; else the end."""
    opening = text[start - 1 : start]
    closing = _PAIRS.get(opening)
    depth = 1
    for at in range(start, len(text) if closing else start):
        if text[at] == closing:
            depth -= 1
        elif text[at] == opening:
            depth += 1
        if not depth:
            return at
    return len(text)


def in_prose(before: str, after: str) -> bool:
    """Whether what stands around a formula in its line says anything, or ends a sentence."""
    return bool(WORD.search(before) or WORD.search(after) or _STOP.match(after))


def is_body_alone(text: str) -> bool:
    """Whether a text is a formula whose code is missing, as it may stand on the line below."""
    body = _BODY_WITHOUT_CODE.match(text)
    is_one = body and (body[1] or not WORD.search(prose_before(text)))
    return bool(is_one) and not defines(text)
