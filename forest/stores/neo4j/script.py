"""A script of Cypher as its statements: what stands between semicolons."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from forest.errors import UsageError

_TOKEN = re.compile(
    r"""
    (?P<blank>  \s+ | //[^\r\n]* | /\*.*?\*/ )
  | (?P<quoted> '[^'\\]*(?:\\.[^'\\]*)*' | "[^"\\]*(?:\\.[^"\\]*)*" | `[^`]*` )
  | (?P<open>   ['"`] | /\* )
  | (?P<end>    ; )
  | (?P<other>  [^\s'"`/;]+ | / )
    """,
    re.VERBOSE | re.DOTALL,
)


class Statement(NamedTuple):
    """One statement, and the line of the script on which it begins, from 1."""

    line: int
    text: str


def statements(script: str) -> list[Statement]:
    """The statements of a script, without the semicolons that end them.

    A semicolon in a string, in backticks or in a comment ends none; comments alone are none.

    :raises UsageError: a line is a command of Neo4j's shell (``:param``), or a quote or a comment
        does not end.
    """
    return list(_statements(script))


def _statements(script: str) -> Iterator[Statement]:
    line, start, begins = 1, None, 1
    for token in _TOKEN.finditer(script):
        if token.lastgroup == "open":
            raise UsageError(
                f"line {line} of the script: what begins with {token[0]} does not end",
                hint="Nothing was run.",
            )
        if token.lastgroup == "end":
            if start is not None:
                yield Statement(begins, script[start : token.start()])
            start = None
        elif token.lastgroup != "blank" and start is None:
            if token[0].startswith(":"):
                raise UsageError(
                    f"line {line} of the script: {token[0]} is a command of Neo4j's shell, "
                    "not Cypher",
                    hint="Leave it out; nothing was run. --param gives parameters, the store URL "
                    "names the database: neo4j://HOST:7687/NAME.",
                )
            start, begins = token.start(), line
        line += token[0].count("\n")
    if start is not None:
        yield Statement(begins, script[start:])
