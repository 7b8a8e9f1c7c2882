"""The inside of a Markdown paragraph, as Obsidian reads it: words, links, tags, notes.

Emphasis and the brackets of links are taken away, the words stay. ``[[note#part|alias]]`` says
*alias* and links to *note*; ``#tag`` is a tag where Obsidian takes it for one.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.front_matter import front_matter_plugin

from forest.formats.base import linked
from forest.model import AnchorKind, AnchorLink
from forest.phrases import phrase_key

_NO_LIMIT = 10**9
"""Past its own limit of nesting markdown-it drops text without a word; Python's own is enough."""
_WIKILINK = re.compile(r"!?\[\[([^\[\]\n]{1,1000})\]\]")
_TAG = re.compile(r"#([^\s\x00-,.:-@\[-^`{-~«»“”„‘’…—–№\u2000-\u206f\u3000-\u303f]+)")
_MEDIA = re.compile(
    r"\.(png|jpe?g|gif|svg|webp|bmp|avif|mp[34]|wav|ogg|flac|m4a|mov|webm|mkv|pdf)$"
)
_STRAY = re.compile(r"(?<![\s*])\*\*+(?=[\s.,;:!?»”\"')]|$)|(?:(?<=[\s«“\"'(])|^)\*\*+(?=[^\s*])")
_MARK = re.compile(r"(?<!=)==(?!=)")
_BLOCK_ID = re.compile(r"(?:^|\s)\^[A-Za-z0-9-]+$")
_SIGN = re.compile(r"""(?<=[\w»”"])\*(?=[\w«“„"])|(?<=[)\]])_(?=\w)|\\["\\]""")
"""What is a sign of a formula, where one stands before it, and no mark of Markdown."""
_FORMULA = re.compile("(?:[Δ\u2206ΛΩ\u2126]\\w+|[⟁🜂🫁🫧])\\s*=")
_FOOTNOTE = re.compile(r"\[\^([^\]\s]+)\]")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_SOURCE = re.compile(r"""(?:src|alt)\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)


@cache
def parser() -> MarkdownIt:
    """The parser for notes: CommonMark, and what Obsidian adds to it."""
    md = MarkdownIt("commonmark", {"maxNesting": _NO_LIMIT}).enable(["table", "strikethrough"])
    md.use(front_matter_plugin).use(footnote_plugin)
    md.use(dollarmath_plugin, allow_space=False, allow_digits=False, double_inline=True)
    md.core.ruler.disable(["footnote_tail"])  # it drops notes that nothing refers to
    md.block.ruler.before("fence", "comment", _block_comment, {"alt": ["paragraph", "blockquote"]})
    md.inline.ruler.before("escape", "sign", _sign)
    md.inline.ruler.before("link", "wikilink", _wikilink)
    md.inline.ruler.before("link", "tag", _tag)
    md.inline.ruler.before("link", "comment", _comment)
    return md


def _sign(state: StateInline, silent: bool) -> bool:
    """``*`` between terms, ``_`` before a label, a backslash in quotes: signs of a formula."""
    match = _SIGN.match(state.src, state.pos, state.posMax)
    if match is None or not _follows_a_formula(state.src, state.pos):
        return False
    if not silent:
        state.pending += match[0]
    state.pos = match.end()
    return True


def _follows_a_formula(text: str, at: int) -> bool:
    """Whether a formula begins before this place, in its line."""
    ends, line_ends = _first_formulas(text)
    i = bisect_right(ends, at) - 1
    return i >= 0 and at <= line_ends[i]


@lru_cache(maxsize=1)
def _first_formulas(text: str) -> tuple[list[int], list[int]]:
    """Where the first formula of each line that has one has said its ``=``, and the line's end."""
    ends, line_ends = list[int](), [-1]
    for match in _FORMULA.finditer(text):
        if match.start() > line_ends[-1]:
            ends.append(match.end())
            end = text.find("\n", match.start())
            line_ends.append(len(text) if end < 0 else end)
    return ends, line_ends[1:]


def _wikilink(state: StateInline, silent: bool) -> bool:
    match = _WIKILINK.match(state.src, state.pos, state.posMax)
    if match is None:
        return False
    if not silent:
        token = state.push("wikilink", "", 0)
        token.content = match[1]
        token.meta = {"embed": match[0][0] == "!"}
    state.pos = match.end()
    return True


def _tag(state: StateInline, silent: bool) -> bool:
    if state.pos and not state.src[state.pos - 1].isspace():
        return False
    match = _TAG.match(state.src, state.pos, state.posMax)
    if match is None or not re.search(r"[^\d/-]", match[1]):
        return False
    if not silent:
        state.push("tag", "", 0).content = match[1].strip("/")
    state.pos = match.end()
    return True


def _comment(state: StateInline, silent: bool) -> bool:
    start = state.pos
    if not state.src.startswith("%%", start):
        return False
    end = state.src.find("%%", start + 2, state.posMax)
    if end < 0:
        return False
    if not silent:
        state.push("comment", "", 0).content = state.src[start + 2 : end]
    state.pos = end + 2
    return True


def _block_comment(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A comment of several lines: from a line that begins with %% to one that holds the next."""
    first = state.bMarks[start] + state.tShift[start]
    if not state.src.startswith("%%", first):
        return False
    closed = state.src.find("%%", first + 2, state.eMarks[start]) >= 0
    if closed or start >= state.env.get("%%", end):
        return False
    for line in range(start + 1, end):
        if state.src.find("%%", state.bMarks[line], state.eMarks[line]) >= 0:
            break
    else:
        state.env["%%"] = start
        return False
    if not silent:
        token = state.push("comment", "", 0)
        token.content = state.getLines(start, line + 1, 0, False).strip().strip("%")
        token.map = [start, line + 1]
    state.line = line + 1
    return True


# --- what a paragraph says ---------------------------------------------------------------------


@dataclass
class Line:
    """A line of a paragraph as a reader sees it."""

    text: str = ""
    bold: bool = False
    """Whether all of it is bold."""


@dataclass
class Said:
    """What a paragraph, a heading or a cell says."""

    lines: list[Line] = field(default_factory=list)
    anchors: list[AnchorLink] = field(default_factory=list)
    notes: list[str | list[Token]] = field(default_factory=list)
    """Footnotes: the label of one defined elsewhere, or what an inline one says."""
    comments: list[str] = field(default_factory=list)
    only_links: bool = False
    """Nothing but names of notes that it links to, and tags: no words of its own."""
    only_images: bool = False

    @property
    def text(self) -> str:
        """All lines, without those that are empty at its ends."""
        return "\n".join(line.text for line in self.lines).strip()


def read_block(inline: Token, env: Any) -> Said:
    """What a block says: its inline token."""
    return read_inline(inline.children or [], env)


def read_line(text: str) -> str:
    """What one line says, as it would in a thought; what looks like a footnote mark is one."""
    env: dict[str, Any] = {
        "footnotes": {"refs": {f":{label}": -1 for label in _FOOTNOTE.findall(text)}}
    }
    (inline,) = parser().parseInline(text.strip().removesuffix("\\"), env)
    return read_block(inline, env).text


def read_inline(tokens: list[Token], env: Any) -> Said:
    """What the tokens inside of a block say."""
    return _Reader(env).read(tokens)


class _Reader:
    def __init__(self, env: Any) -> None:
        self.env = env
        self.said = Said()
        self.parts: list[list[tuple[str, str]]] = [[]]
        """By line: what is written, and what it is: text, bold, code, tag, link, alias or image."""
        self.bold = 0

    def read(self, tokens: list[Token]) -> Said:
        for token in tokens:
            self._token(token)
        _drop_marks(self.parts)
        self._drop_tags()
        kinds = {kind for line in self.parts for text, kind in line if text.strip()}
        self.said.only_links = bool(self.said.anchors) and kinds <= {"link", "tag"}
        self.said.only_images = kinds == {"image"}
        self.said.lines = [_line(parts) for parts in self.parts]
        return self.said

    def _put(self, text: str, kind: str = "") -> None:
        for i, piece in enumerate(text.split("\n")):
            if i:
                self.parts.append([])
            self.parts[-1].append((piece, kind or ("bold" if self.bold else "text")))

    def _token(self, token: Token) -> None:
        type_, content = token.type, token.content
        if type_ == "text":
            self._put(content)
        elif type_ in ("softbreak", "hardbreak"):
            self.parts.append([])
        elif type_ == "strong_open":
            self.bold += 1
        elif type_ == "strong_close":
            self.bold -= 1
        elif type_ == "code_inline":
            self._put(content.replace("\n", " "), "code")
        elif type_ == "wikilink":
            self._wikilink(content, token.meta["embed"])
        elif type_ == "tag":
            self._anchor(content, "tag")
            self._put(content, "tag")
        elif type_ in _OTHERS:
            _OTHERS[type_](self, token)

    def _anchor(self, phrase: str, kind: AnchorKind) -> None:
        known = {link.anchor for link in self.said.anchors}
        self.said.anchors += [a for a in linked([phrase], kind) if a.anchor not in known]

    def _wikilink(self, content: str, embed: bool) -> None:
        target, _, alias = content.replace("\\|", "|").partition("|")
        note, _, part = target.partition("#")
        name = note.strip().strip("/").removesuffix(".md")
        if {".", ".."} & {*name.split("/")[:-1]}:  # said from where it stands, as in a file link
            name = name.rpartition("/")[2]
        self._anchor(name, "link")
        parts = [name, *(p.strip() for p in part.split("#") if not p.startswith("^"))]
        shown, kind = " > ".join(p for p in parts if p), "link"
        media = embed and _MEDIA.search(name.lower())
        if alias and not (media and re.fullmatch(r"[\dx ]+", alias)):
            if not _names_it(alias, name, shown):
                kind = "alias"
            shown = alias.strip()
        self._put(shown, "image" if media else kind)

    def _link(self, token: Token) -> None:
        href = unquote(str(token.attrs.get("href", "")))
        path = href.partition("#")[0]
        if path.endswith(".md") and "://" not in path:
            self._anchor(PurePosixPath(path).name.removesuffix(".md"), "link")
        elif href:
            self.said.comments.append(f"link: {href}")

    def _image(self, token: Token) -> None:
        alt = read_inline(token.children or [], self.env).text
        if title := str(token.attrs.get("title", "")):
            alt = f"{alt}: {title}" if alt else title
        source = unquote(str(token.attrs.get("src", "")))
        self._put(f"{alt} ({source})" if alt and source else alt or source, "image")

    def _html(self, token: Token) -> None:
        if token.content.startswith("<!--"):
            self._hidden(token)
        elif _BREAK.fullmatch(token.content):
            self.parts.append([])
        elif found := _SOURCE.findall(token.content):
            self._put(" ".join(a or b for a, b in found), "image")

    def _note(self, token: Token) -> None:
        if self.parts[-1]:  # "sense [^1]." reads "sense."
            text, kind = self.parts[-1][-1]
            self.parts[-1][-1] = (text.rstrip(), kind)
        label = token.meta.get("label")
        if label is not None:
            self.said.notes.append(label)
        else:
            self.said.notes.append(self.env["footnotes"]["list"][token.meta["id"]]["tokens"])

    def _math(self, token: Token) -> None:
        sign = "$$" if token.type == "math_inline_double" else "$"
        self._put(f"{sign}{token.content}{sign}", "code")

    def _hidden(self, token: Token) -> None:
        self.said.comments.append(token.content)
        self.parts[-1].append(("", "gone"))

    def _drop_tags(self) -> None:
        """Take away tags at the beginning and the end: they are labels there, not words.

        Unless the sentence goes on behind one at the beginning: «#память хранит нас».
        """
        first, last = self.parts[0], self.parts[-1]
        labels = len(list(takewhile(_is_label, first)))
        if labels == len(first) or not first[labels][0].lstrip()[:1].islower():
            del first[:labels]
        while last and _is_label(last[-1]):
            last.pop()


def _is_label(part: tuple[str, str]) -> bool:
    """Whether a part of a line is a tag, or nothing but spaces."""
    return part[1] == "tag" or not part[0].strip()


def _names_it(alias: str, name: str, shown: str) -> bool:
    """Whether what a link shows is but the note's name, as an editor fills it in, and no words."""
    names = {name, name.rpartition("/")[2], shown}
    return phrase_key(alias) in {"", *map(phrase_key, names)}


_OTHERS = {
    "link_open": _Reader._link,
    "image": _Reader._image,
    "html_inline": _Reader._html,
    "footnote_ref": _Reader._note,
    "math_inline": _Reader._math,
    "math_inline_double": _Reader._math,
    "comment": _Reader._hidden,
}


def _line(parts: list[tuple[str, str]]) -> Line:
    text, gone = "", False
    for part, kind in parts:
        shown = _STRAY.sub("", part) if kind in ("text", "bold") else part
        if gone and text.endswith(" "):  # one blank is left where a comment was, not two
            shown = shown.lstrip(" ")
        text += shown
        gone = kind == "gone" or (gone and not shown)
    text = _BLOCK_ID.sub("", text.strip()).strip()
    bold = {kind for part, kind in parts if part.strip()} == {"bold"}
    return Line(text, bold)


def _drop_marks(lines: list[list[tuple[str, str]]]) -> None:
    """Take away the signs of ``==highlights==``, which come in pairs."""
    cuts: list[tuple[int, int, int]] = []
    pending: tuple[int, int, int] | None = None
    for n, line in enumerate(lines):
        for i, (text, kind) in enumerate(line):
            for mark in _MARK.finditer(text) if kind in ("text", "bold") else ():
                opens = not text[mark.end() :][:1].isspace()
                closes = not text[: mark.start()][-1:].isspace()
                if pending is None and opens:
                    pending = (n, i, mark.start())
                elif pending is not None and closes:
                    cuts += [pending, (n, i, mark.start())]
                    pending = None
    for n, i, at in sorted(cuts, reverse=True):
        text, kind = lines[n][i]
        lines[n][i] = (text[:at] + text[at + 2 :], kind)
