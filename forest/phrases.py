"""When are two written phrases the same anchor, and two written names the same axis?

The key of a phrase is what stays when spelling habits are taken away: Unicode NFC, case, ё and е,
the many quotes, dashes and arrows, runs of white space, and a full stop at the end. The phrase as
written is kept beside the key, always.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_ARROWS = "⇒⟶➔➜➝➞⟹"
PICTURED_ARROWS = "➡⮕🡒🠖"
"""Arrows that keys tell from →, though ways to read a phrase (`anchors.forms`) do not."""
ARROWS = f"→{_ARROWS}{PICTURED_ARROWS}"
ARROW = f"[-=]+>|[{ARROWS}]"
"""How authors write an arrow, as a regular expression."""

_SAME = str.maketrans(
    {
        "ё": "е",
        **dict.fromkeys("«»„“”‟‹›", '"'),
        **dict.fromkeys("‘’‚‛`´", "'"),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys(_ARROWS, "→"),
    }
)
_OTHER = re.compile(f"[{''.join(map(chr, _SAME))}]")
_ARROW = re.compile("[-=]+>")


@lru_cache(maxsize=65536)
def phrase_key(phrase: str) -> str:
    """The key under which a written phrase is matched; "" if nothing is left of it.

    >>> phrase_key("Причинность → следствие") == phrase_key("причинность -> следствие")
    True
    """
    text = unicodedata.normalize("NFC", phrase).casefold()
    if _OTHER.search(text):
        text = text.translate(_SAME)
    if ">" in text:
        text = _ARROW.sub("→", text)
    return " ".join(text.replace("→", " → ").split()).rstrip(".").rstrip()


def stands_in(phrase: str, text: str) -> bool:
    """Whether a text says a phrase, in whole words, whatever the spelling habits."""
    key = phrase_key.__wrapped__  # without its cache: thoughts are many and long
    return re.search(rf"(?<!\w){re.escape(phrase_key(phrase))}(?!\w)", key(text)) is not None


def tree_id_from(title: str) -> str:
    """A tree id made from a title: its letters and digits in NFC and lower case, joined by "-".

    A title without any, such as an emoji, is its own id.
    """
    title = unicodedata.normalize("NFC", title)
    words = re.findall(r"\w+", title.lower())
    return "-".join(words)[:120].strip("-") or title.strip()[:120]
