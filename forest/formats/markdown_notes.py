"""Markdown notes and Obsidian vaults: a note is a tree, a dialogue is a tree for each question.

The title of a note is the one in its front matter, else its single top heading, else the name of
its file. Its root carries a link anchor of the note's own name and aliases, so that the note and
all notes that link to it share an anchor.

A dialogue is written in callouts, ``> [!nexus_user]`` and ``> [!nexus_agent]`` (any name before
``_user`` and ``_agent``). Its question is the root; the answer, and what stands between and after
them outside of callouts, is below it. Blocks of JSON in the owner's format are trees of their own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

import orjson
from markdown_it.token import Token

from forest.errors import ImportRefused, InvalidTree
from forest.fields import first_of
from forest.formats.base import (
    BadTree,
    Notice,
    Problem,
    SourceFile,
    linked,
    no_json,
    refused,
    shortened,
    shown,
)
from forest.formats.decoding import read_text
from forest.formats.files import note_of
from forest.formats.front_matter import FrontMatter, read_front_matter
from forest.formats.json_trees import Lines, check_doubles, check_numbers
from forest.formats.markdown_inline import parser, read_block
from forest.formats.markdown_outline import Entry, Outline, callout, end_of, is_heading
from forest.formats.owner import looks_like_tree, misspelt_in, tree_from
from forest.identity import derived_id
from forest.model import AnchorLink, Thought, Tree
from forest.phrases import tree_id_from

_ROLE = re.compile(r"\w+[_-](user|agent|assistant)", re.IGNORECASE)
_SAYS = re.compile(r" {0,3}> ?(\[!\w+[_-](?:user|agent|assistant)\])", re.IGNORECASE)
_UID = re.compile(r"UID:\s*(\S+)", re.IGNORECASE)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_MEANT_AS_TREE = (re.compile(r'"(?:tree|title)"\s*:'), re.compile(r'"nodes"\s*:'))
_LONGEST_TITLE = 200
_UUID_HEAD = 8


def read_markdown(source: SourceFile, notice: Notice) -> Iterator[Tree | BadTree]:
    """The trees of a note: of its own text, of its questions, of its JSON blocks.

    :raises ImportRefused: the note as a whole cannot be read.
    """
    text = read_text(source, notice)
    try:
        yield from _Note(text, source, notice).trees()
    except RecursionError:
        raise refused(
            source,
            1,
            "lists, quotes or brackets are nested too deep",
            hint="Write trees of hundreds of levels in YAML or JSON.",
        ) from None


@dataclass
class _Speech:
    """What somebody says in a dialogue: a callout."""

    role: str
    said_by: str
    blocks: list[Token]
    """The tokens within the callout, with its first line gone."""
    line: int
    text: str = ""
    """Of a question: all of it, as it was said; empty if nothing was."""
    links: list[AnchorLink] = field(default_factory=list)
    notes: list[str | list[Token]] = field(default_factory=list)
    """Of a question: its footnotes, by label, or what they say."""
    uid: str | None = None

    def meta(self) -> dict[str, Any]:
        by, _, at = self.said_by.partition(" - ")
        known = {"by": by.strip(), "at": at.strip(), "uid": self.uid}
        return {key: value for key, value in known.items() if value}


@dataclass
class _Dialogue:
    """A question with all that follows it until the next one."""

    question: _Speech
    parts: list[_Speech | list[Token]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)


class _Note:
    """One note while it is read."""

    def __init__(self, text: str, source: SourceFile, notice: Notice) -> None:
        self.source = source
        self.notice = notice
        self.env: dict[str, Any] = {}
        self.front = FrontMatter()
        self.tokens, self.lines = self._parse(text.replace("\r", "\n"))
        self.notes = _definitions(self.tokens)
        self.stem = unicodedata.normalize("NFC", source.path.stem).strip() or source.path.name
        self.id = self.front.id or note_of(source)
        self.above: dict[str, Any] = {}
        """What stands above the first question of a note that has no tree of its own."""
        self.found: list[Tree | BadTree] = []
        """Trees in blocks of JSON since the last tree that was yielded."""

    def _parse(self, text: str) -> tuple[list[Token], list[str]]:
        tokens = parser().parse(text, self.env)
        if tokens and tokens[0].type == "front_matter":
            front = read_front_matter(tokens[0].content, self.source)
            if front is None:  # two rules with a text between
                return self._parse(re.sub(r"\A-+", "***", text))
            self.front = front
        lines = text.split("\n")
        if references := _references(self.env, lines):
            self.front.meta["references"] = references
        return tokens, lines

    def trees(self) -> Iterator[Tree | BadTree]:
        own, dialogues = self._parts()
        if own or not dialogues:
            yield from self._own_tree(own, bool(dialogues))
        used: set[str] = set()
        for dialogue in dialogues:
            yield from self._dialogue_tree(dialogue, used)

    # --- the parts of a note -------------------------------------------------------------------

    def _parts(self) -> tuple[list[Token], list[_Dialogue]]:
        own: list[Token] = []
        dialogues: list[_Dialogue] = []
        i = 0
        while i < len(self.tokens):
            end = end_of(self.tokens, i)
            block = self.tokens[i:end]
            i = end
            speech = self._speech(block)
            if speech and speech.text:
                dialogues.append(_Dialogue(speech))
            elif dialogues:
                _add_part(dialogues[-1], speech, block)
            else:
                own += speech.blocks if speech and speech.role == "user" else block
        return own, dialogues

    def _speech(self, block: list[Token]) -> _Speech | None:
        head = callout(block, 0) if block[0].type == "blockquote_open" else None
        role = _ROLE.fullmatch(head[0]) if head else None
        if head is None or role is None:
            return None
        line = (block[0].map or [0])[0] + 1
        self._tell_inside(block)
        said_by = self._plain(head[1])
        inner = [*self._paragraph(head[2], line), *block[4:-1]]
        if role[1].lower() != "user":
            return _Speech("agent", said_by, inner, line)
        text, links, notes = _plain_text(inner, self.lines, self.env)
        text = text or ", ".join(link.phrase for link in links)
        if not text:
            self.notice(
                f"{self.source.name}:{line}: a question without a word, left out; "
                "what follows it belongs to what stands before it"
            )
        return _Speech("user", said_by, inner, line, text, links, notes)

    def _tell_inside(self, block: list[Token]) -> None:
        """Name what was meant to begin a callout, and is the text of the one before it."""
        begin, end = block[0].map or (0, 0)
        for number in range(begin + 1, end):
            if (said := _SAYS.match(self.lines[number])) is not None:
                self.notice(
                    f"{self.source.name}:{number + 1}: {said[1]} stands within the callout of line "
                    f"{begin + 1} and is its text: an empty line before it begins another one"
                )

    def _paragraph(self, text: str, line: int) -> list[Token]:
        """The tokens of the rest of a callout's first paragraph, in the lines after ``line``."""
        if not text.strip():
            return []
        inline = parser().parseInline(text, self.env)[0]
        inline.map = [line, line + text.count("\n") + 1]
        opened, closed = Token("paragraph_open", "p", 1), Token("paragraph_close", "p", -1)
        opened.map = inline.map
        return [opened, inline, closed]

    def _plain(self, text: str) -> str:
        tokens = parser().parseInline(text, self.env)
        return read_block(tokens[0], self.env).text

    # --- the tree of the note itself -----------------------------------------------------------

    def _own_tree(self, tokens: list[Token], has_dialogues: bool) -> Iterator[Tree | BadTree]:
        outline = self._outline()
        comments: list[str] = []
        outline.on_comment = comments.append
        title, root = self._root(tokens, outline)
        outline.entries.append(root)
        outline.top.base = 1
        outline.feed(tokens)
        meta = _with_comments(self.front.meta, comments)
        said = any(e.kind != "tree" for e in outline.entries[1:]) or root.anchors
        is_named = outline.skip is not None or self.front.anchors
        if said or (is_named and not has_dialogues):
            tree = self._tree(self.id, title, outline.entries, meta)
            if isinstance(tree, Tree) and not (self.front.title or outline.skip):
                tree.stands(named_by_file=True)
            yield tree
        elif has_dialogues:
            named = {"note": title} if outline.skip or self.front.title else {}
            self.above = _with_comments(named, comments)
        elif not self.found:
            self.notice(f"{self.source.name}: the note holds no text, skipped")
        yield from self._flush()

    def _root(self, tokens: list[Token], outline: Outline) -> tuple[str, Entry]:
        """The title and the root thought; the heading that is the root is marked to be skipped."""
        tops = [
            i
            for i, t in enumerate(tokens)
            if t.type == "heading_open"
            and t.tag == "h1"
            and t.level == 0
            and is_heading(t, tokens[i + 1])
        ]
        heading = None
        if len(tops) == 1:
            said = read_block(tokens[tops[0] + 1], self.env)
            if text := " ".join(said.text.split("\n")):
                outline.skip = tokens[tops[0]]
                line = (outline.skip.map or [0])[0] + 1
                heading = Entry(0, text, "title", line, said.anchors)
        title = self.front.title or (heading.text if heading else self.stem)
        root = heading or Entry(0, title, "title", 1)
        return shortened(title, _LONGEST_TITLE), root

    # --- dialogues -----------------------------------------------------------------------------

    def _dialogue_tree(self, dialogue: _Dialogue, used: set[str]) -> Iterator[Tree | BadTree]:
        outline = self._outline()
        question = dialogue.question
        speaker = question

        def on_comment(text: str) -> None:
            uid = _UID.fullmatch(text)
            if uid and speaker.uid is None:
                speaker.uid = uid[1]
            elif text:
                dialogue.comments.append(text)

        outline.on_comment = on_comment
        outline.entries.append(self._question(question, outline))
        outline.put_notes(question.notes, 0)
        outline.top.base = 1
        for part in dialogue.parts:
            if isinstance(part, _Speech):
                speaker = part
                self._answer(part, outline)
            else:
                outline.feed(part)
        title = shortened(_first_sentence(question.text))
        ids = partial(_ids_of_question, self.id, question.uid, question.said_by, question.text)
        id_ = next(id_ for id_ in ids() if id_ not in used)
        used.add(id_)
        tree = self._tree(id_, title, outline.entries, self._about(dialogue))
        if isinstance(tree, Tree) and id_ not in self.source.ids:
            tree.stands(namesakes=ids)
        yield tree
        yield from self._flush()

    def _question(self, question: _Speech, outline: Outline) -> Entry:
        """The question as one text, as it was said, with what it links to."""
        for token in question.blocks:
            if token.type == "html_block":
                outline.feed([token])
            elif token.type in ("fence", "code_block"):
                outline.on_code(token)
        del outline.entries[:]
        return Entry(0, question.text, "question", question.line, question.links)

    def _answer(self, speech: _Speech, outline: Outline) -> None:
        outline.open_quote(base=1, top_kind="answer")
        outline.feed(speech.blocks)
        outline.close_quote()

    def _about(self, dialogue: _Dialogue) -> dict[str, Any]:
        speeches = [part for part in dialogue.parts if isinstance(part, _Speech)]
        answers = [speech.meta() for speech in speeches if speech.role == "agent"]
        said = {"question": dialogue.question.meta(), "answers": answers}
        meta = self.front.meta | self.above | {key: value for key, value in said.items() if value}
        return _with_comments(meta, dialogue.comments)

    # --- trees ---------------------------------------------------------------------------------

    def _outline(self) -> Outline:
        outline = Outline(self.lines, self.env, self.notes)
        outline.on_code = self._json_block
        return outline

    def _json_block(self, token: Token) -> str | None:
        """Take a block of JSON in the owner's format; the title stands in its place."""
        if token.type != "fence" or token.info.split(maxsplit=1)[:1] not in (["json"], ["JSON"]):
            return None
        first = (token.map or [0])[0] + 1
        try:
            data = orjson.loads(token.content.rstrip())
        except orjson.JSONDecodeError as error:
            if all(sign.search(token.content) for sign in _MEANT_AS_TREE):
                line = first + error.lineno
                self.found.append(BadTree(refused(self.source, line, no_json(error))))
            return None
        items = data if isinstance(data, list) else [data]
        if not items or not all(looks_like_tree(item) for item in items):
            self._tell_misspelt(token.content, data, items, first)
            return None
        return self._json_trees(token.content, data, items, first)

    def _tell_misspelt(self, text: str, data: object, items: list[Any], first: int) -> None:
        for i, item in enumerate(items):
            if (found := misspelt_in(item)) is not None:
                key, meant = found
                path: tuple[str | int, ...] = (i, key) if isinstance(data, list) else (key,)
                self.notice(
                    f"{self.source.name}:{first + Lines(text).of(path)}: the block of JSON is kept "
                    f"as code, as it is no tree: {shown(key)} stands in it, {meant!r} was meant?"
                )
                return

    def _json_trees(self, text: str, data: object, items: list[Any], first: int) -> str:
        inside = _Shifted(self.source, first)
        for i, item in enumerate(items):
            try:
                tree = tree_from(item, self.source.name)
                check_doubles(text, data, self.source, first)
                check_numbers(text, data, self.source, first)
                if not tree.in_file.says_id:
                    tree.id = self._beside_note(tree.id)
                tree.stands(in_block=True)
                self.found.append(tree)
            except Problem as problem:
                path = (i, *problem.path) if isinstance(data, list) else problem.path
                self.found.append(BadTree(inside.error(problem, text, path)))
            except ImportRefused as error:
                self.found.append(BadTree(error))
        return ", ".join(str(item.get("tree") or item.get("title")) for item in items)

    def _beside_note(self, id_: str) -> str:
        """The id of a block that is called as the note, which is named after its theme.

        It is the same wherever the note lies, and whether it says anything else.
        """
        if id_ not in (tree_id_from(self.stem), self.id):
            return id_
        inside = f"{id_}/{id_}"
        return f"{inside}/{id_}" if inside == self.id else inside

    def _flush(self) -> Iterator[Tree | BadTree]:
        yield from self.found
        self.found = []

    def _tree(
        self, id_: str, title: str, entries: list[Entry], meta: dict[str, Any]
    ) -> Tree | BadTree:
        names = linked([*(self.source.names or [self.stem]), *self.front.aliases])
        entries[0].anchors = [*entries[0].anchors, *names, *self.front.anchors]
        try:
            thoughts = [_thought(entry) for entry in entries]
            tree = Tree(
                id=self.source.ids.get(id_, id_),
                title=title,
                lang=self.front.lang or "",
                axes=self.front.axes,
                meta=meta,
                source=self.source.name,
                thoughts=thoughts,
            )
            tree.stands(says_id=bool(self.front.id) and tree.id == id_)
            return tree
        except _BadEntry as bad:
            return BadTree(refused(self.source, bad.line, bad.message))
        except InvalidTree as error:
            first = first_of(error)
            said = f"{first['loc'][0]}: {first['msg'].removeprefix('Value error, ')}"
            return BadTree(refused(self.source, entries[0].line, said))


class _BadEntry(Exception):
    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


def _thought(entry: Entry) -> Thought:
    anchors = tuple({link.anchor: link for link in reversed(entry.anchors)}.values())[::-1]
    try:
        return Thought(text=entry.text, level=entry.depth, kind=entry.kind, anchors=anchors)
    except InvalidTree as error:
        first = first_of(error)
        message = first["msg"].removeprefix("Value error, ")
        raise _BadEntry(entry.line, message) from None


@dataclass(frozen=True)
class _Shifted:
    """A block within a file: its lines are counted from the line before it."""

    source: SourceFile
    first: int

    def error(self, problem: Problem, text: str, path: tuple[str | int, ...]) -> ImportRefused:
        return problem.at(self.source, self.first + Lines(text).of(path))


def _add_part(dialogue: _Dialogue, speech: _Speech | None, block: list[Token]) -> None:
    if speech:
        dialogue.parts.append(speech)
    elif dialogue.parts and isinstance(dialogue.parts[-1], list):
        dialogue.parts[-1] += block
    else:
        dialogue.parts.append(block)


def _ids_of_question(note: str, uid: str | None, said_by: str, text: str) -> Iterator[str]:
    """From what the question itself says, so that no other question has a say in it.

    The best id first; the others are for a question that stands there again.
    """
    if uid:
        if _UUID.fullmatch(uid):
            yield f"{note}/{uid[:_UUID_HEAD]}"
        yield f"{note}/{uid}"
    yield from (derived_id(note, f"{said_by}\n{text}", n) for n in count())


def _references(env: dict[str, Any], lines: list[str]) -> list[str]:
    """Lines such as ``[name]: address``: Markdown says nothing of them, but may be wrong."""
    maps = [r["map"] for r in (*env.get("references", {}).values(), *env.get("duplicate_refs", ()))]
    return [" ".join(lines[first:last]).lstrip("> ").strip() for first, last in sorted(maps)]


def _definitions(tokens: list[Token]) -> dict[str, list[Token]]:
    """What the footnotes say, by label."""
    found: dict[str, list[Token]] = {}
    for i, token in enumerate(tokens):
        if token.type == "footnote_reference_open":
            found.setdefault(token.meta["label"], tokens[i + 1 : end_of(tokens, i) - 1])
    return found


def _with_comments(meta: dict[str, Any], comments: list[str]) -> dict[str, Any]:
    kept = [*meta.get("comments", []), *(c for c in comments if c)]
    return meta | {"comments": kept} if kept else dict(meta)


def _first_sentence(text: str) -> str:
    line = text.split("\n", 1)[0]
    end = re.search(r"(?<=[.!?…])\s", line)
    return line[: end.start()] if end else line


def _plain_text(
    tokens: list[Token], lines: list[str], env: Any
) -> tuple[str, list[AnchorLink], list[str | list[Token]]]:
    """The text of a quote as it stands there, without marks of emphasis.

    With what it links to, and its footnotes.
    """
    anchors: list[AnchorLink] = []
    notes: list[str | list[Token]] = []
    first = min((t.map[0] for t in tokens if t.map), default=0)
    last = max((t.map[1] for t in tokens if t.map), default=0)
    out = [re.sub(r"^ {0,3}> ?", "", line) for line in lines[first:last]]
    within = 0
    for i, token in enumerate(tokens):
        if token.type == "footnote_reference_open" and token.map:
            within = max(within, end_of(tokens, i))
            notes.append(token.meta["label"])
            out[token.map[0] - first : token.map[1] - first] = [""] * (token.map[1] - token.map[0])
        if i < within:
            continue
        if token.type == "inline" and token.map:
            said = read_block(token, env)
            anchors += said.anchors
            notes += said.notes
            _replace(out, token, [line.text for line in said.lines], token.map[0] - first)
        elif token.type in ("html_block", "comment") and token.map:
            for n in range(token.map[0] - first, token.map[1] - first):
                out[n] = ""
    text = "\n".join(line.rstrip() for line in out)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n").strip(), anchors, notes


def _replace(out: list[str], token: Token, said: list[str], at: int) -> None:
    written = token.content.split("\n")
    if len(said) != len(written):
        written, said = written[:1], ["\n".join(said)]
        for n in range(at + 1, at + len(token.content.split("\n"))):
            out[n] = ""
    for n, (before, after) in enumerate(zip(written, said, strict=True)):
        if 0 <= at + n < len(out):
            mark, found, rest = out[at + n].partition(before.strip())
            mark = re.sub(r"#{1,6}\s+$", "", mark)
            out[at + n] = mark + after + rest if found else after


__all__ = ["read_markdown"]
