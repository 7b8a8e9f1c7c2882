"""From the blocks of a Markdown text to an outline: what is said, and how deep it stands.

Headings and lists are levels. A paragraph that ends with ":" is the parent of the list, quote,
table or code right after it. Chat exports and quick notes are full of structure that Markdown does
not see but every reader does; it counts here too: a line all in bold is a heading below all
others, lines that begin with • or – are a list, and an item that is indented more than the one
before it hangs below that one, even by a single space.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from markdown_it.token import Token

from forest.formats.markdown_inline import Line, Said, read_block, read_inline
from forest.model import AnchorLink

_BOLD_HEADING = 7
"""Level of a line in bold that serves as a heading: below the six of Markdown."""
_LONGEST_BOLD_HEADING = 120
_DEEPEST_NOTE = 8
"""Footnotes that hang in footnotes, at most."""
_WIDEST, _NARROWEST = 140, 50
"""Widths between which a text may have been broken by an editor, not by its author."""

_DOT = re.compile(r"[•‣▪◦●]\s+")
_DASH = re.compile(r"[–—]\s+")
_TASK = re.compile(r"\[([ xX])\]\s+")
_QUOTE_MARK = re.compile(r" {0,3}> ?")
_CALLOUT = re.compile(r"\[!([\w-]+)(?:\|[^\]]*)?\]([+-]?)[ \t]*(.*)")
_HTML_TAG = re.compile(r"</?[A-Za-z][^<>]*>")


@dataclass
class Entry:
    """A thought of the outline."""

    depth: int
    text: str
    kind: str | None
    line: int
    anchors: list[AnchorLink] = field(default_factory=list)


@dataclass
class _Frame:
    """A container that is open: the note itself, an item of a list, a quote."""

    base: int
    """Depth at which something without a heading stands."""
    kind: str | None = None
    """Of its paragraphs."""
    is_item: bool = False
    headed: bool = False
    """Of an item: whether its own text was there."""
    headings: list[tuple[int, int]] = field(default_factory=list)
    """Open headings: level, depth."""
    lead: int | None = None
    """Depth of the paragraph just before, if it ends with a colon."""
    items: list[_Item] = field(default_factory=list)
    """Of the list just before: the last item of each indentation."""
    list_depth: int = 0

    def depth(self, *, below_lead: bool = False) -> int:
        if below_lead and self.lead is not None:
            return self.lead + 1
        return self.headings[-1][1] + 1 if self.headings else self.base


@dataclass
class _Item:
    indent: int
    ordered: bool
    depth: int
    place: int
    """Of its entry in the outline."""


class Outline:
    """Takes the tokens of a note and keeps what they say as entries, in reading order."""

    def __init__(self, lines: list[str], env: Any, notes: dict[str, list[Token]]) -> None:
        self.source = lines
        self.env = env
        self.notes = notes
        """Definitions of footnotes that were not put anywhere yet, by label; shared by a note."""
        self.entries: list[Entry] = []
        self.frames: list[_Frame] = [_Frame(0)]
        self.quotes = 0
        self.skip: Token | None = None
        """A heading that is already there, as the root."""
        self.on_comment: Callable[[str], None] = lambda _: None
        self.on_code: Callable[[Token], str | None] = lambda _: None
        """May take a block of code; returns what to write in its place."""
        self.top_kind: tuple[int, str] | None = None
        """A depth, and the kind that headings and paragraphs have there."""

    @property
    def top(self) -> _Frame:
        return self.frames[-1]

    def open_quote(self, base: int, top_kind: str) -> None:
        """Begin a quote whose blocks stand at a depth, the top ones with a kind of their own."""
        self.quotes += 1
        self.top.lead, self.top.items, self.top.headings = None, [], []
        self.frames.append(_Frame(base))
        self.top_kind = (base, top_kind)

    def close_quote(self) -> None:
        """End it."""
        self.quotes -= 1
        self.frames.pop()
        self.top_kind = None

    # --- tokens --------------------------------------------------------------------------------

    def feed(self, tokens: list[Token]) -> None:
        """Take whole blocks."""
        i = 0
        while i < len(tokens):
            token = tokens[i]
            if not token.type.startswith(("ordered_list", "bullet_list", "list_item")):
                self.top.items = []
            handler = _HANDLERS.get(token.type)
            i = handler(self, tokens, i) if handler else i + 1

    def _heading(self, tokens: list[Token], i: int) -> int:
        token, inline = tokens[i], tokens[i + 1]
        if token is self.skip:
            said = self._said(inline)
            self._notice(said)
            self.put_notes(said.notes, 0)
            self.top.lead, self.top.headings = None, []  # it stands above those before it
        elif is_heading(token, inline):
            said = self._said(inline)
            self._notice(said)
            level = int(token.tag[1])
            text = " ".join(said.text.split("\n")) or " ".join(a.phrase for a in said.anchors)
            if text:
                self._put_heading(level, text, _line_of(token), said)
        else:
            self._paragraph(tokens, i)
        return i + 3

    def _put_heading(self, level: int, text: str, line: int, said: Said) -> None:
        frame = self.top
        while frame.headings and frame.headings[-1][0] >= level:
            frame.headings.pop()
        depth = frame.depth()
        self._put(Entry(depth, text, "heading", line, said.anchors))
        frame.headings.append((level, depth))
        self.put_notes(said.notes, depth)
        frame.lead = None

    def _paragraph(self, tokens: list[Token], i: int) -> int:
        inline = tokens[i + 1]
        self._say(self._said(inline), _line_of(inline))
        return i + 3

    def _list(self, tokens: list[Token], i: int) -> int:
        frame = self.top
        if not frame.items:
            frame.list_depth = frame.depth(below_lead=True)
        frame.lead = None
        return i + 1

    def _item(self, tokens: list[Token], i: int) -> int:
        frame, token = self.top, tokens[i]
        line = self._raw(_line_of(token))
        indent = len(line.expandtabs(4)) - len(line.expandtabs(4).lstrip())
        ordered = token.markup in (".", ")")
        depth = self._depth_of_item(frame, indent, ordered)
        frame.items.append(_Item(indent, ordered, depth, len(self.entries)))
        self.frames.append(_Frame(depth, "item", is_item=True))
        return i + 1

    def _depth_of_item(self, frame: _Frame, indent: int, ordered: bool) -> int:
        items = frame.items
        while items and items[-1].indent > indent:
            items.pop()
        same = [n for n, item in enumerate(items) if item.indent == indent]
        for n in same:
            if items[n].ordered == ordered:
                del items[n:]
                break
        else:
            if same and not self._ends_with_colon(items[-1]):
                del items[same[0] :]
        return items[-1].depth + 1 if items else frame.list_depth

    def _ends_with_colon(self, item: _Item) -> bool:
        return item.place < len(self.entries) and _is_lead(self.entries[item.place].text)

    def _close_item(self, tokens: list[Token], i: int) -> int:
        self.frames.pop()
        items = self.top.items
        if items and items[-1].place == len(self.entries):  # an empty item
            items.pop()
        return i + 1

    def _quote(self, tokens: list[Token], i: int) -> int:
        self.quotes += 1
        if head := callout(tokens, i):
            return self._callout(tokens, i, head)
        frame = self.top
        kind = frame.kind if frame.kind == "footnote" else "quote"
        self.frames.append(_Frame(frame.depth(below_lead=True), kind))
        frame.lead = None
        return i + 1

    def _callout(self, tokens: list[Token], i: int, head: tuple[str, str, str]) -> int:
        """``> [!note] Title``: the title, or else the first text, is the parent of the rest."""
        kind, title, rest = head
        frame, inline = self.top, tokens[i + 2]
        depth = frame.depth(below_lead=True)
        frame.lead = None
        inner = _Frame(depth, kind.lower(), is_item=True)
        self.frames.append(inner)
        for text, line in ((title, _line_of(inline)), (rest, _line_of(inline) + 1)):
            if text.strip():
                self._say(self.parsed(text), line)
                inner.kind = None
        return i + 4

    def _close_quote(self, tokens: list[Token], i: int) -> int:
        self.quotes -= 1
        lead = self.frames.pop().lead
        self.top.lead = lead
        return i + 1

    def _code(self, tokens: list[Token], i: int) -> int:
        token = tokens[i]
        text = token.content.strip("\n").rstrip()
        place = self.on_code(token)
        if place is not None:
            self._put_below_lead(Entry(0, place, "tree", _line_of(token)))
        elif text:
            kind = "math" if token.type.startswith("math") else "code"
            self._put_below_lead(Entry(0, text, kind, _line_of(token)))
        return i + 1

    def _table(self, tokens: list[Token], i: int) -> int:
        end = next(n for n in range(i, len(tokens)) if tokens[n].type == "table_close")
        first, last = tokens[i].map or (0, 0)
        rows = [self._raw(n + 1).strip() for n in range(first, last)]
        entry = Entry(0, "\n".join(rows).strip(), "table", first + 1)
        for token in tokens[i:end]:
            if token.type == "inline":
                said = self._said(token)
                entry.anchors += [a for a in said.anchors if a not in entry.anchors]
        self._put_below_lead(entry)
        return end + 1

    def _html(self, tokens: list[Token], i: int) -> int:
        token = tokens[i]
        shown, comments = _without_comments(token.content)
        for comment in comments:
            self.on_comment(comment.strip())
        text = " ".join(html.unescape(_HTML_TAG.sub(" ", shown)).split()) or shown.strip()
        if text:
            self._put_below_lead(Entry(0, text, "html", _line_of(token)))
        return i + 1

    def _comment(self, tokens: list[Token], i: int) -> int:
        self.on_comment(tokens[i].content.strip())
        return i + 1

    def _rule(self, tokens: list[Token], i: int) -> int:
        self.top.lead = None
        return i + 1

    def _definition(self, tokens: list[Token], i: int) -> int:
        """A footnote: it stands below what refers to it; here only if nothing did so far."""
        before = len(self.entries)
        self._put_note(tokens[i].meta["label"], self.top.depth())
        if len(self.entries) > before:
            self.top.lead = None
        return end_of(tokens, i)

    # --- what is said --------------------------------------------------------------------------

    def _said(self, inline: Token) -> Said:
        return read_block(inline, self.env)

    def parsed(self, text: str) -> Said:
        """What a text inside of a block says."""
        from forest.formats.markdown_inline import parser

        tokens = parser().parseInline(text, self.env)
        return self._said(tokens[0])

    def _raw(self, line: int) -> str:
        """A line of the source without the marks of the quotes around it."""
        text = self.source[line - 1] if line <= len(self.source) else ""
        for _ in range(self.quotes):
            text = _QUOTE_MARK.sub("", text, count=1)
        return text

    def _notice(self, said: Said) -> None:
        for comment in said.comments:
            self.on_comment(re.sub(r"\A<!--|-->\Z", "", comment).strip())

    def _say(self, said: Said, line: int) -> None:
        """A paragraph, with the headings and lists that are hidden in it."""
        frame = self.top
        self._notice(said)
        lines = said.lines
        if said.only_links and (frame.headed or not frame.is_item):
            lines = []
        if not frame.is_item and frame.kind is None and lines and _is_bold_heading(lines[0]):
            self._put_heading(_BOLD_HEADING, lines[0].text, line, Said())
            lines = lines[1:]
        first, depth = len(self.entries), frame.depth()
        bullets = frame.depth(below_lead=True)
        frame.lead = None
        for text, below in _pieces(_unwrapped(lines)):
            if below:
                self._put(Entry(bullets, text, "item", line))
            else:
                self._put(self._entry(text, line, said))
                bullets = self.entries[-1].depth + 1
        self._settle(first, depth, said)

    def _entry(self, text: str, line: int, said: Said) -> Entry:
        frame = self.top
        kind = "image" if said.only_images else frame.kind
        if frame.is_item and frame.headed and kind == "item":
            kind = None
        elif kind == "item" and (task := _TASK.match(text)):
            kind, text = ("task" if task[1] == " " else "done"), text[task.end() :]
        return Entry(frame.depth(), text, kind, line)

    def _settle(self, first: int, depth: int, said: Said) -> None:
        """Give the first of the new entries the paragraph's links and notes."""
        frame = self.top
        if first == len(self.entries):  # nothing but links, or a bold heading alone
            self._attach(said.anchors)
            self.put_notes(said.notes, depth - 1)
            return
        self.entries[first].anchors += said.anchors
        self.put_notes(said.notes, depth)
        last = self.entries[-1]
        if _is_lead(last.text):
            frame.lead = last.depth

    def _put_below_lead(self, entry: Entry) -> None:
        entry.depth = self.top.depth(below_lead=True)
        self._put(entry)
        self.top.lead = None

    def _put(self, entry: Entry) -> None:
        frame = self.top
        if self.top_kind and entry.depth == self.top_kind[0] and entry.kind in _PLAIN_KINDS:
            entry.kind = self.top_kind[1]
        self.entries.append(entry)
        if frame.is_item and not frame.headed:
            frame.headed = True
            frame.base += 1

    def _attach(self, anchors: list[AnchorLink]) -> None:
        """Give links that stand alone to the thought they stand below."""
        depth = self.top.depth() - 1
        for entry in reversed(self.entries):
            if entry.depth == depth:
                entry.anchors += anchors
                return

    def put_notes(self, notes: Iterable[str | list[Token]], depth: int) -> None:
        """Write footnotes below a thought of this depth: by label, or what they say."""
        for note in notes:
            if isinstance(note, str):
                self._put_note(note, depth + 1)
            else:
                below = read_inline(note, self.env)
                self._notice(below)
                if below.text:
                    line = self.entries[-1].line
                    self.entries.append(
                        Entry(depth + 1, below.text, "footnote", line, below.anchors)
                    )

    def _put_note(self, label: str, depth: int) -> None:
        """Write a footnote that was defined elsewhere, once."""
        if len([f for f in self.frames if f.kind == "footnote"]) >= _DEEPEST_NOTE:
            return
        tokens = self.notes.pop(label, None)
        if tokens:
            quotes, self.quotes = self.quotes, 0
            self.frames.append(_Frame(depth, "footnote"))
            self.feed(tokens)
            self.frames.pop()
            self.quotes = quotes


_PLAIN_KINDS = (None, "heading", "item")
_HANDLERS: dict[str, Callable[[Outline, list[Token], int], int]] = {
    "heading_open": Outline._heading,
    "paragraph_open": Outline._paragraph,
    "bullet_list_open": Outline._list,
    "ordered_list_open": Outline._list,
    "list_item_open": Outline._item,
    "list_item_close": Outline._close_item,
    "blockquote_open": Outline._quote,
    "blockquote_close": Outline._close_quote,
    "fence": Outline._code,
    "code_block": Outline._code,
    "math_block": Outline._code,
    "table_open": Outline._table,
    "html_block": Outline._html,
    "comment": Outline._comment,
    "hr": Outline._rule,
    "footnote_reference_open": Outline._definition,
}


def _line_of(token: Token) -> int:
    return token.map[0] + 1 if token.map else 1


def end_of(tokens: list[Token], i: int) -> int:
    """Place after the block that begins at ``i``."""
    depth = 0
    for n in range(i, len(tokens)):
        depth += tokens[n].nesting
        if depth <= 0:
            return n + 1
    return len(tokens)


def is_heading(token: Token, inline: Token) -> bool:
    """Whether a heading is meant: a rule right below a paragraph makes one only by accident."""
    return token.markup.startswith("#") or (
        "\n" not in inline.content and len(inline.content) <= _LONGEST_BOLD_HEADING
    )


def callout(tokens: list[Token], i: int) -> tuple[str, str, str] | None:
    """Of a quote that is a callout: its type, its title, and what follows the title."""
    if i + 2 >= len(tokens) or tokens[i + 2].type != "inline":
        return None
    first, _, rest = tokens[i + 2].content.partition("\n")
    match = _CALLOUT.fullmatch(first)
    return (match[1], match[3], rest) if match else None


def _without_comments(text: str) -> tuple[str, list[str]]:
    """HTML without its comments, and the comments; one that does not end is text."""
    shown, comments = "", []
    while (start := text.find("<!--")) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        shown += text[:start]
        comments.append(text[start + 4 : end])
        text = text[end + 3 :]
    return shown + text, comments


def _is_lead(text: str) -> bool:
    return text.rstrip().endswith((":", "："))


def _is_bold_heading(line: Line) -> bool:
    if not line.bold or not 0 < len(line.text) <= _LONGEST_BOLD_HEADING:
        return False
    return not re.search(r"[.!?…,;»”\"]$", line.text)


def _unwrapped(lines: list[Line]) -> list[str]:
    """The lines of a paragraph; joined, if an editor broke them at a width.

    That is so if no line had room for the first word of the next.
    """
    texts = [line.text for line in lines if line.text]
    widest = max(map(len, texts), default=0)
    if not _NARROWEST <= widest <= _WIDEST or len(texts) < 2:
        return texts
    for text, after in pairwise(texts):
        word = after.split(maxsplit=1)[0]
        if len(text) + 1 + len(word) <= widest or _DOT.match(after) or _DASH.match(after):
            return texts
    return [" ".join(texts)]


def _pieces(lines: list[str]) -> Iterator[tuple[str, bool]]:
    """The thoughts of a paragraph: text, and whether it stands below the one before."""
    dashes = sum(bool(_DASH.match(line)) for line in lines)
    piece: list[str] = []
    below = False
    for n, line in enumerate(lines):
        bullet = _DOT.match(line) or (
            _DASH.match(line) if dashes > 1 or (n and _is_lead(lines[n - 1])) else None
        )
        goes_on = not bullet and piece and (not below or line[0] == "→" or line[0].islower())
        if piece and not goes_on:
            yield "\n".join(piece), below
            piece = []
        if not goes_on:
            below = bool(bullet)
        piece.append(line[bullet.end() :] if bullet else line)
    if piece:
        yield "\n".join(piece), below
