"""Command lines that an author copies from a message."""

from __future__ import annotations

import re
import shlex

_PLAIN = re.compile(r"[\w@%+=:,./-]+")


def quoted(word: object) -> str:
    """A word as a shell reads it as one: in quotes where it must be, in any alphabet.

    >>> quoted("заметки/обзор.md"), quoted("t paradox.yaml"), quoted("")
    ('заметки/обзор.md', "'t paradox.yaml'", "''")
    """
    text = str(word)
    return text if _PLAIN.fullmatch(text) else shlex.quote(text)


def command_line(*words: object) -> str:
    """`forest` with these words, each quoted where it must be.

    >>> command_line("import", "t paradox.yaml")
    "forest import 't paradox.yaml'"
    """
    return " ".join(("forest", *map(quoted, words)))
