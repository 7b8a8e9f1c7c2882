"""The language of a text, guessed from its script.

A guess good enough to choose a template, not a classifier: letters are counted, Cyrillic says
``ru``, Latin says ``en``, anything else ``und`` (BCP 47: undetermined). An author who wants
another language writes ``lang`` and is believed, if what he writes has the shape of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_TAG = re.compile(r"([A-Za-z]{2,8}|[xi])(-[A-Za-z0-9]{1,8})*")
_CYRILLIC = re.compile(r"[\u0400-\u052f]+")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]+")


def is_language(tag: str) -> bool:
    """Whether a text has the shape of a language tag of BCP 47."""
    return _TAG.fullmatch(tag.strip()) is not None


def no_language(tag: str) -> str:
    """What `check` says of a language that is none; it is read as it stands."""
    return f"lang is {tag[:40]!r}: expected a language such as ru, en or pt-BR (BCP 47)"


def check_language(tag: str) -> None:
    """Raise ValueError for what has not the shape of a language tag of BCP 47."""
    if not is_language(tag):
        raise ValueError(f"expected a language such as ru, en or pt-BR (BCP 47), got {tag[:40]!r}")


def guess_language(texts: Iterable[str], *, enough: int = 400) -> str:
    """``ru``, ``en`` or ``und``, from the first ``enough`` characters of the texts."""
    cyrillic = latin = seen = 0
    for text in texts:
        head = text[:enough]
        cyrillic += sum(map(len, _CYRILLIC.findall(head)))
        latin += sum(map(len, _LATIN.findall(head)))
        seen += len(head)
        if seen >= enough:
            break
    if not cyrillic and not latin:
        return "und"
    return "ru" if cyrillic >= latin else "en"
