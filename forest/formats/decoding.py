"""From the bytes of a file to text: UTF-8, repaired where it was encoded twice."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from forest.errors import ImportRefused
from forest.formats.base import Notice, SourceFile, refused, shortened, shown
from forest.formats.mojibake import (
    SHORT,
    Repair,
    may_be_broken,
    repaired,
    repaired_alike,
    unescaped,
)
from forest.render import plural

MAX_BYTES = 256 * 1024 * 1024
"""Largest file, or line of JSONL, that is read as one piece."""
READ_AHEAD = 1024 * 1024
"""How many bytes of a file are asked for at once where it is read line by line."""


class NotText(ImportRefused):
    """What the file holds is no text in UTF-8: it is refused as a whole."""


_ENCODINGS = ("windows-1251", "koi8-r", "cp866")
_SMALL = re.compile("[а-яё]")
_SAMPLE = 1 << 16
_BOMS = (
    (codecs.BOM_UTF32_LE, "UTF-32", "utf-32"),
    (codecs.BOM_UTF32_BE, "UTF-32", "utf-32"),
    (codecs.BOM_UTF16_LE, "UTF-16", "utf-16"),
    (codecs.BOM_UTF16_BE, "UTF-16", "utf-16"),
)


def read_text(source: SourceFile, notice: Notice, *, escapes: bool = False) -> str:
    r"""The text of a file, with ``\n`` at the end of lines.

    :param escapes: the text is JSON, where broken characters may hide in ``\u`` escapes.
    :raises ImportRefused: the file cannot be read, is too large, is not UTF-8 or holds NUL.
    """
    raw = read_bytes(source)
    text = decoded(raw, source).replace("\r\n", "\n")
    if len(raw) > SHORT and not may_be_broken(_without_escapes(raw) if escapes else raw):
        return text
    repair = repaired(unescaped(text) if escapes else text)
    if repair is None:
        return text
    _tell(source, repair, notice)
    return repair.text


def _without_escapes(raw: bytes) -> bytes:
    r"""JSON with the characters that ASCII JSON hides behind ``\u``; other bytes as they are."""
    if not raw.isascii() or b"\\u" not in raw:
        return raw
    try:
        return orjson.dumps(orjson.loads(raw))
    except orjson.JSONDecodeError:
        return raw


def _tell(source: SourceFile, repair: Repair, notice: Notice) -> None:
    lost = f"; {plural(repair.lost, 'place')} could not be restored" if repair.lost else ""
    what, said = "text was", ""
    if repair.parts:
        what = "a part was" if len(repair.parts) == 1 else f"{len(repair.parts)} parts were"
        said = f": {shown(shortened(repair.parts[0], 40))}"
    notice(
        f"{source.name}: {what} encoded twice (UTF-8 read as {repair.encoding}); "
        f"repaired{lost}{said}"
    )


def read_bytes(source: SourceFile) -> bytes:
    """The bytes of a file that is read as one piece.

    :raises ImportRefused: it cannot be read, or is larger than `MAX_BYTES`.
    """
    try:
        with source.path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            raw = file.read(min(size, MAX_BYTES) + 1)  # takes that memory before it reads
            if len(raw) > size:  # a pipe, or it has grown
                raw += file.read(MAX_BYTES + 1 - len(raw))
    except OSError as error:
        raise unreadable(source, error) from None
    if len(raw) > MAX_BYTES:
        raise too_large(source, None, "the file")
    return raw


def unreadable(source: SourceFile, error: OSError) -> ImportRefused:
    """The error for a file that the system does not let us read."""
    return refused(source, None, f"the file cannot be read: {error.strerror or error}")


def too_large(source: SourceFile, line: int | None, what: str) -> ImportRefused:
    """The error for something too large to be held as one piece."""
    return refused(
        source,
        line,
        f"{what} is larger than {MAX_BYTES // 1024 // 1024} MB",
        hint="Write large forests as JSONL, one tree a line: it is read line by line.",
    )


def decoded(raw: bytes, source: SourceFile, line: int = 1, offset: int = 0) -> str:
    """The text of bytes that begin at ``offset`` in line ``line`` of the file.

    :raises NotText: they are not UTF-8, or hold NUL.
    """
    try:
        text = raw.decode("utf-8-sig" if line == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise _not_utf8(raw, error, source, line, offset) from None
    if "\0" in text:
        line += text.count("\n", 0, text.index("\0"))
        raise NotText(
            f"{source.name}:{line}: the byte NUL at offset {offset + raw.index(0)}: "
            "this is not a text file",
            hint="If it is text in UTF-16, convert it: iconv -f utf-16 -t utf-8 FILE > NEW",
        )
    return text


def _not_utf8(
    raw: bytes, error: UnicodeDecodeError, source: SourceFile, line: int, offset: int
) -> NotText:
    if line == 1:
        for bom, name, codec in _BOMS:
            if raw.startswith(bom):
                hint = f"Convert it: iconv -f {codec} -t utf-8 FILE > NEW"
                return NotText(f"{source.name}:1: the file is {name}, expected UTF-8", hint=hint)
    line += raw.count(b"\n", 0, error.start)
    byte, at = raw[error.start], offset + error.start
    return NotText(
        f"{source.name}:{line}: the file is not UTF-8: byte 0x{byte:02X} at offset {at}",
        hint=f"Convert it, for example: iconv -f {_likely_encoding(raw)} -t utf-8 FILE > NEW",
    )


def _likely_encoding(raw: bytes) -> str:
    """The old encoding in which most bytes are small Russian letters, as of most Russian text."""
    sample = raw[:_SAMPLE]
    return max(_ENCODINGS, key=lambda e: len(_SMALL.findall(sample.decode(e, "replace"))))


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file, not blank: bytes of UTF-8, repaired where they were encoded twice."""

    number: int
    raw: bytes
    offset: int
    """Of its first byte in the file."""

    @property
    def as_it_is(self) -> bool:
        """Whether no text in its JSON can hold a control character: none without an escape can."""
        return b"\\" not in self.raw and b"\x7f" not in self.raw


def read_lines(source: SourceFile, notice: Notice, *, mend: bool = True) -> Iterator[Line]:
    """The lines of a file that are not blank, in memory one at a time.

    Whether a line is UTF-8 is left to the JSON parser, which looks anyway; see `decoded`.

    :param mend: repair text that was encoded twice.
    :raises ImportRefused: the file cannot be read, or a line is larger than `MAX_BYTES`.
    """
    repair = _LineRepair(source, notice)
    try:
        with source.path.open("rb", buffering=READ_AHEAD) as file:
            number = offset = end = 0
            while raw := file.readline(MAX_BYTES + 1):
                number += 1
                offset, end = end, end + len(raw)
                if len(raw) > MAX_BYTES:
                    raise too_large(source, number, "the line")
                if number == 1:
                    raw = raw.removeprefix(codecs.BOM_UTF8)
                if raw.isspace():
                    continue
                if mend and (repair.first or may_be_broken(_without_escapes(raw))):
                    raw = repair(raw)
                yield Line(number, raw, offset)
    except OSError as error:
        raise unreadable(source, error) from None


class _LineRepair:
    """Mends lines of a file and says so once."""

    def __init__(self, source: SourceFile, notice: Notice) -> None:
        self.source = source
        self.notice = notice
        self.first: Repair | None = None

    def __call__(self, raw: bytes) -> bytes:
        """The line as it was; itself if it is healthy, or no text at all."""
        try:
            text = unescaped(raw.decode())
        except UnicodeDecodeError:
            return raw
        if self.first is not None and not text.isascii():
            alike = repaired_alike(text, self.first)
            if alike is not None:
                return alike.encode()
        repair = repaired(text)
        if repair is None:
            return raw
        if self.first is None:
            _tell(self.source, repair, self.notice)
            self.first = repair
        return repair.text.encode()
