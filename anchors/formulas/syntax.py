"""Reading and printing a formula. What may be written is in `formula.lark`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from anchors.arguments import check_texts
from anchors.formulas.codes import (
    GLYPHS,
    HIDDEN,
    LETTERS,
    LOOKALIKES,
    checked_code,
    free_code,
    is_code,
    look_alikes,
    meant_code,
    misspelled,
    named,
)
from anchors.formulas.errors import InvalidFormula
from anchors.formulas.model import Formula, Join, Term, nearest_role
from forest.fields import plain_words
from forest.formats.base import Notice, shortened, silent
from forest.model import anchor_id
from forest.phrases import ARROW, ARROWS

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

EXAMPLES = {
    "Λ": "Λ1 = (Δ12 → Δ41 → Δ57)",
    "Ω": "Ω3 = [Δ01, Δ02, Δ03]_гармония",
    "Δ": "Δ12 = (вода + весна + неясность) = сцена про влечение и расцвет",
}
"""A right formula for each letter, to be shown beside a wrong one."""

_JOINS: dict[str, Join] = {"PLUS": "+", "TIMES": "·", "ARROW": "→", "COMMA": ","}
_EXPECTED = {
    "CODE": "a code such as Δ12",
    "WORDS": "a phrase",
    "QUOTED": "a phrase in « »",
    "TEXT": "a scene",
    "PLUS": "`+`",
    "TIMES": "`·`",
    "ARROW": "`→`",
    "COMMA": "`,`",
    "_EQ": "`=`",
    "_LPAR": "`(`",
    "_RPAR": "`)`",
    "_LSQB": "`[`",
    "_RSQB": "`]`",
    "_UNDERSCORE": "a label such as `_гармония`",
    "_DASH": "a role behind ` — `",
    "_NEWLINE": "a line below with the code or a phrase",
    "_TERMS_KEY": "`сцепка:`",
    "_SCENE_KEY": "`сцена:`",
    "_PHRASE_KEY": "`фраза:`",
    "$END": "the end",
}
_QUOTES = '«»"“”„'
SIGNED_ARROW = rf"(?<![-=])(?:{ARROW})[\ufe0e\ufe0f]?"
"""An arrow as a whole, with the sign behind it that makes a picture of it."""
LIKE_EQUALS = "≡＝≈≃≅≔≝"
BRACKETS = (
    "{}（）［］\u2329\u232a\u2768-\u2775\u27e6-\u27ef\u2983-\u2998\u3008-\u3011\u3014-\u301b"
    "\uff5b\uff5d\uff5f\uff60\uff62\uff63"
)
"""Brackets that hold no terms, for the inside of [ ] in a regular expression: ⟨ ⟩, 【 】, …"""
_SIGNS = {"<ARROW>": SIGNED_ARROW, "<EQUALS>": LIKE_EQUALS, "<BRACKETS>": BRACKETS}
"""What stands for what in the grammar."""
_ESCAPED = re.compile(rf"\\([{_QUOTES}\\])")
_LETTER = re.compile(r"\s*([ΔΛΩ\u2206\u2126]\w*)")
_FOUND = re.compile(rf"[ΔΛΩ\u2206\u2126]?\w+|{ARROW}|.")
_CODE = rf"(?:[Δ{''.join(LOOKALIKES)}ΛΩ]\d\w*|[{''.join(GLYPHS)}])"
_STARTS_WITH_CODE = re.compile(rf"\s*(?:{_CODE}|[Δ{''.join(LOOKALIKES)}ΛΩ]\s*=)")
_ENDS_WITH_CODE = re.compile(rf"\n[^\S\n]*{_CODE}\s*(?:$|(?<=\n)[^\S\n]*{SIGNED_ARROW})")
"""With the code on a line of its own, below which phrases may stand."""
_CODES = re.compile(_CODE)
_CODE_AS_SCENE = re.compile(rf"([Δ{''.join(LOOKALIKES)}ΛΩ]\d\w*)\s*(?:(=)|\n|$)")
_GOES_ON = re.compile(
    rf"[+·⋅∙=«\"“„]|{ARROW}|\*\s*\w|[/÷×^]\s*\d|[)\]]*\s*(?:=|:=|[{LIKE_EQUALS}])|(?<=\w)[{BRACKETS}]"
)
"""What stands behind a formula that goes on, or is meant to."""
_LIST_GOES_ON = re.compile(rf",[^.;!?…()\[\]«»=]*(?:=|{ARROW})")
"""What stands behind a term that is the first one of a list without brackets."""
_BARE_LIST = re.compile(rf"[^=]*=\s*{_CODE}\s*,\s*{_CODE}")
_JOIN_WITHOUT_BRACKETS = re.compile(
    rf"[^=\n]*=[^=()\[\]«»\"“”„\n]*?(,|{SIGNED_ARROW}(?!\s*(?:[«\"“„]|(?i:фраза|phrase)\s*:)))"
)
_BEFORE_COLON = re.compile(r"([^:]*[^:\s])\s*:(?=\s|[^\W\d_])")
"""What may be meant as a role before its term."""
_EQUALS = re.compile(f"==+|:=|[{LIKE_EQUALS}]")
"""What authors write for `=`."""
_MERGE_OF_NONE = re.compile(rf"\s*({_CODE}(?:\s*[+·⋅∙*,]\s*{_CODE})+)\s*=\s*({_CODE})?")
"""A merge that does not say with an arrow which formula it makes."""
_HEADED = re.compile(r"\s*(\w[^=()\[\]«»\"“”„+·⋅∙*→,\n]*?)\s*=\s*[\w ]*[(\[][^()\[\]]*[+·⋅∙*→]")
"""What stands before a body as a code does: `А12 = (вода + лёд)`."""
_NEARLY_HEADED = re.compile(r"\s*([^\W\d_][0-9]+)\s*=")
"""The same before any body: `д12 = зов`."""


_DASHES = "—–-"
_IN_BRACKETS = re.compile(r"[(\[][^()\[\]]*\w\s+$")
_ROLE_BEFORE = re.compile(r"[(+·⋅∙*,=]\s*([^\W\d_][^()\[\]=+·⋅∙*,:]*:)\s*[^()\[\]=+·⋅∙*,]*$")
"""What stands before a term as its role."""


Place = tuple[int, int | Sequence[int]]
"""The number of a line, and the column where it begins, or those of all its characters; from 1."""


def parse(text: str, notice: Notice = silent, *, at: Sequence[Place] = ()) -> Formula:
    """The formula that a text says.

    ``at`` tells where the lines of the text stand in a file, for what errors and notices say.
    ``notice`` is told where a look-alike letter is read as a Greek one.

    :raises InvalidFormula: it is none, or a code or phrase in it is none.

    >>> formula = parse("Δ94 = порог(страх · пустота · наблюдение)")
    >>> formula.operator, formula.join, [term.phrase for term in formula.terms]
    ('порог', '·', ['страх', 'пустота', 'наблюдение'])
    """
    from lark.exceptions import UnexpectedInput

    check_texts(text=text)
    reader = _Reader(text, notice, at)
    body = text.lstrip()
    parser: Any = _grammar().parse_interactive(" " * (len(text) - len(body)) + body.rstrip())
    try:
        parser.exhaust_lexer()
        tree = parser.feed_eof()
    except UnexpectedInput as error:
        raise reader.unexpected(error, parser.accepts()) from None
    return reader.formula(tree)


def ending(text: str) -> int:
    """Where the formula ends that a text begins with: behind it stands prose.

    The text's length, where all of it is one, or what follows is meant as a part of it.

    >>> ending("Δ12 = (вода + лёд), и всё"), ending("Δ12 = (вода + лёд) · жар")
    (18, 24)
    """
    from lark.exceptions import UnexpectedInput

    parser: Any = _grammar().parse_interactive(text.rstrip())
    try:
        parser.exhaust_lexer()
    except UnexpectedInput as error:
        if _BARE_LIST.match(text):
            return len(text)
        stop: Any = error.pos_in_stream
        offset = len(text[:stop].rstrip())
        is_list = text[offset - 1].isalnum() and _LIST_GOES_ON.match(text, stop)
        if not is_list and not _GOES_ON.match(text, stop) and _is_whole(text[:offset]):
            return offset
    return len(text)


def _is_whole(text: str) -> bool:
    from lark.exceptions import UnexpectedInput

    try:
        _grammar().parse(text)
    except UnexpectedInput:
        return False
    return True


def read(text: str, notice: Notice = silent) -> tuple[Formula, bool]:
    """The formula of a text, and whether the text gives it a code; else it stands under any.

    :raises InvalidFormula: it is none.
    """
    check_texts(text=text)
    if not text.strip():
        raise InvalidFormula(
            "there is nothing, expected a formula", 1, 1, hint=_right_one(EXAMPLES["Δ"])
        )
    if _STARTS_WITH_CODE.match(text) or _ENDS_WITH_CODE.search(text):
        return parse(text, notice), True
    reader = _Reader(text, notice, ())
    headed = _HEADED.match(text) or _NEARLY_HEADED.match(text)
    if headed and not is_code(headed[1]):
        with reader.blaming(headed.start(1)):
            checked_code(headed[1])
    code = free_code(_CODES.findall(text.translate(LETTERS)))
    head = f"{code} = "
    before = text[: len(text) - len(text.lstrip())].split("\n")
    at = [(len(before), len(before[-1]) + 1 - len(head))]
    at += [(line, 1) for line in range(len(before) + 1, text.count("\n") + 2)]
    try:
        formula = parse(head + text.strip(), notice, at=at)
    except InvalidFormula as error:  # its author did not write that code
        said = error.problem.replace(code, "the formula")
        raise InvalidFormula(said, error.line, error.column, hint=error.hint) from None
    reader.check_operator()
    return replace(formula, source=text.strip()), False


def prose_before(text: str) -> str:
    """What stands before a formula that has no code in front of it, with the spaces behind it.

    That is what is no operator: this is one word right before the bracket, or a phrase in quotes.

    >>> prose_before("Тогда порог(страх · пустота)"), prose_before("Пример: (вода + лёд)")
    ('Тогда ', 'Пример: ')
    """
    match = _before_body().match(text)
    return match[1] if match else ""


def text_of(formula: Formula) -> str:
    """The formula on one line, in its one canonical form; parsing it gives an equal formula.

    >>> text_of(parse("Δ12 + Δ41 -> Δ91 = весна + жара = «Боль»"))
    'Δ12 + Δ41 → Δ91 = (весна + жара) = «Боль»'
    """
    parts = joined(formula.parts, formula.parts_join)
    head = f"{parts} → {formula.code}" if formula.terms and parts else formula.code
    equals = [head, body_of(formula), *([_quoted(formula.name)] if formula.name else [])]
    equals += [s if _is("TEXT", s) else f"сцена: {_quoted(s)}" for s in formula.scenes]
    return " → ".join([" = ".join(equals), *map(_quoted, formula.phrases)])


def body_of(formula: Formula) -> str:
    """What a formula is made of: its terms, or its parts, with operator and label.

    >>> body_of(parse("Δ94 = порог(страх · пустота)"))
    'порог(страх · пустота)'
    """
    terms = joined([_term(term) for term in formula.terms], formula.join)
    body, join = (
        (terms, formula.join)
        if terms
        else (joined(formula.parts, formula.parts_join), formula.parts_join)
    )
    body = f"[{body}]" if join == "," else f"({body})"
    if formula.operator:
        body = words_of(formula.operator) + body
    return f"{body}_{words_of(formula.label)}" if formula.label else body


def words_of(text: str) -> str:
    """The words of a phrase as they stand in a formula: in quotes where they need it."""
    with_role = _pattern("ROLE_KEY").match(text) or _BEFORE_COLON.match(text)
    plain = _is("WORDS", text) and not with_role
    return text if plain and not meant_code(text) else _quoted(text)


def joined(items: Sequence[str], join: Join) -> str:
    """The items with the sign between them."""
    return (", " if join == "," else f" {join} ").join(items)


def is_quoted(text: str) -> bool:
    """Whether a text stands in quotes as a whole."""
    return _pattern("QUOTED").fullmatch(text) is not None


def leading_quote(text: str) -> str:
    """What stands in quotes at the beginning of a text, with them; "" where nothing does."""
    match = _pattern("QUOTED").match(text)
    return match[0] if match else ""


def unquoted(text: str) -> str:
    """The text without its quotes, if it stands in quotes as a whole."""
    if not is_quoted(text):
        return text.strip()
    return _ESCAPED.sub(r"\1", text[1:-1])


def _quoted(text: str) -> str:
    """The text in quotes, with a backslash before what would end them."""
    if '"' not in text and set(text) & set("«»"):
        return '"' + text.replace("\\", "\\\\") + '"'
    return "«" + re.sub(r"[«»\\]", r"\\\g<0>", text) + "»"


def _term(term: Term) -> str:
    phrase = words_of(term.phrase)
    return f"{phrase} — {words_of(term.role)}" if term.role else phrase


def _is(terminal: str, text: str) -> bool:
    """Whether the text stands for itself where the grammar has the terminal."""
    key = _pattern("_SCENE_KEY").match(text) if terminal == "TEXT" else None
    return key is None and _pattern(terminal).fullmatch(text) is not None


@cache
def _grammar() -> Lark:
    from lark import Lark

    grammar = Path(__file__).with_name("formula.lark").read_text(encoding="utf-8")
    for sign, meant in _SIGNS.items():
        grammar = grammar.replace(sign, meant)
    return Lark(grammar, parser="lalr", maybe_placeholders=False)


@cache
def _pattern(terminal: str) -> re.Pattern[str]:
    return re.compile(_grammar().get_terminal(terminal).pattern.to_regexp())


@cache
def _before_body() -> re.Pattern[str]:
    operator = rf"(?<!\S)(?:{_pattern('QUOTED').pattern}|[^\s:()\[\]=]+)"
    return re.compile(rf"(\s*[^()\[\]=\n]*?)(?:{operator})?[(\[]")


class _Reader:
    """Turns the tree of one text into a formula, and what is wrong into an error at its place."""

    def __init__(self, text: str, notice: Notice, at: Sequence[Place]) -> None:
        self.text = text
        self.notice = notice
        self.at = at

    def formula(self, tree: Tree[Token]) -> Formula:
        """The formula of a tree whose root is `start`."""
        said: dict[str, Any] = {"source": self.text.strip(), "scenes": (), "phrases": ()}
        code = ""
        for node in tree.children:
            if isinstance(node, str):
                code = self._code(node) if node.type == "CODE" else code
            elif node.data == "head":
                *parts, code = self._codes(node)
                said |= {"parts": tuple(parts), "parts_join": _join(node)}
            elif node.data == "codes":
                if said.get("parts"):
                    raise self._error(self._start(node), "the parts stand before the code already")
                said |= {"parts": self._codes(node), "parts_join": _join(node)}
            elif node.data == "terms":
                said |= {"terms": self._terms(node), "join": _join(node)}
            elif node.data in ("scene", "phrase"):
                said[f"{node.data}s"] += (_said(node),)
            else:  # operator, label, name
                if node.data == "operator" and not code:
                    self.check_operator()
                said[node.data] = _said(node)
        self._tell_arrows(tree)
        with self.blaming(self._culprit(tree, code)):
            return Formula(code=code, **said)

    def _tell_arrows(self, tree: Tree[Token]) -> None:
        """Say which other signs are read as →, each where it stands first."""
        tokens = tree.scan_values(lambda token: isinstance(token, str) and token.type == "ARROW")
        arrows = {str(token): token for token in reversed(list(tokens))}
        for sign, token in reversed(arrows.items()):
            if sign not in ("→", "->"):
                line, column = self._place(token.start_pos or 0)
                said = f"{sign} (U+{ord(sign[0]):04X})" if sign[0] in ARROWS else sign
                self.notice(f"line {line}, column {column}: {said} is read as →")

    def _culprit(self, tree: Tree[Token], code: str) -> int:
        """Offset of the term or part that stands twice or is the formula itself; else its start."""
        for node in tree.children:
            if isinstance(node, str) or node.data not in ("terms", "codes", "head"):
                continue
            items = [x for x in node.children if not isinstance(x, str) or x.type == "CODE"]
            seen = set() if node.data == "terms" else {code}
            chain = _join(node) == "→"
            for item in items[:-1] if node.data == "head" else items:
                key = checked_code(item) if isinstance(item, str) else anchor_id(_phrase(item))
                if key in seen and (not chain or key == code):
                    return self._start(item)
                seen.add(key)
        return self._start(tree)

    def _codes(self, node: Tree[Token]) -> tuple[str, ...]:
        tokens = (t for t in node.children if isinstance(t, str) and t.type == "CODE")
        return tuple(map(self._code, tokens))

    def _code(self, token: Token) -> str:
        offset = token.start_pos or 0
        with self.blaming(offset):
            code = checked_code(token)
        if token[0] in LOOKALIKES:
            line, column = self._place(offset)
            read = f"{token[0]} (U+{ord(token[0]):04X}) is read as {code[0]}"
            self.notice(f"line {line}, column {column}: {read}")
        return code

    def _terms(self, node: Tree[Token]) -> tuple[Term, ...]:
        terms = []
        for term in node.children:
            if not isinstance(term, str):
                words = _words(term)
                with self.blaming(words.start_pos or 0):
                    if meant_code(words):
                        checked_code(words)
                    self._check_role(term, words)
                    terms.append(Term(phrase=unquoted(words), role=_role(term)))
        return tuple(terms)

    def check_operator(self) -> None:
        """Refuse words before the bracket that are prose, where no `=` says what belongs to it."""
        prose = prose_before(self.text)
        if said := prose.strip():
            raise self._error(
                len(prose) - len(prose.lstrip()),
                f"`{shortened(said, 40)}` is no operator: this is one word right before the "
                "bracket, or a phrase in quotes",
            )

    def _check_role(self, term: Tree[Token], words: Token) -> None:
        """Refuse a slip of a role before a colon; say what else may be none.

        Behind a dash any word is a role, before a colon any other one belongs to the phrase.
        """
        line, column = self._place(words.start_pos or 0)
        before = None if is_quoted(words) else _BEFORE_COLON.match(words)
        if before and (near := nearest_role(before[1])):
            rest = words[before.end() :].strip()
            raise ValueError(
                f"`{before[1]}:` is no role: write `{near}: {rest}`, or, where it belongs to the "
                f"phrase, {_quoted(words)}"
            )
        if before and words[before.end()].isspace():
            said = f"`{before[1]}:` is no role, so {_quoted(words)} is one term"
            self.notice(f"line {line}, column {column}: {said}; a role may stand behind a dash")
        role = _role(term)
        if near := nearest_role(role):
            self.notice(
                f"line {line}, column {column}: `{role}` is a role of its own: was `{near}` meant?"
            )

    # --- what is wrong, and where --------------------------------------------------------------

    def unexpected(self, error: Any, wanted: set[str]) -> InvalidFormula:
        """The error for a lark.UnexpectedInput, where one of some terminals was wanted."""
        token = getattr(error, "token", None)
        ended = token is not None and token.type == "$END"
        offset = len(self.text.rstrip()) if ended else error.pos_in_stream
        letter = _LETTER.match(self.text)
        if letter and not _pattern("CODE").match(letter[1]):
            with self.blaming(letter.start(1)):
                checked_code(letter[1])
        first = len(self.text) - len(self.text.lstrip())
        for start, end, meant in look_alikes(self.text):
            if start == first or start <= offset <= end:
                return self._error(start, misspelled(self.text[start:end], meant))
        for code in _CODES.finditer(self.text, 0, offset):
            with self.blaming(code.start()):
                checked_code(code[0])
        for equals in _EQUALS.finditer(self.text):
            if equals.start() <= offset < equals.end():
                return self._error(equals.start(), f"write a single `=` for `{equals[0]}`")
        for hidden in HIDDEN.finditer(self.text, max(offset - 1, 0), offset + 1):
            said = f"{named(hidden[0])} stands here, which is invisible: remove it"
            return self._error(hidden.start(), said)
        rest = self.text.rstrip()[offset:]
        if problem := self._misplaced(rest[:1], offset):
            return self._error(offset, problem)
        if "TEXT" in wanted and (scene := _CODE_AS_SCENE.match(rest)):
            return self._error(offset, _no_scene(scene[1], is_formula=bool(scene[2])))
        if rest and rest[0] in _QUOTES and not _pattern("QUOTED").match(rest):
            return self._error(offset, f"the quote {rest[0]} has no counterpart in this line")
        if misjoined := self._misjoined(offset):
            return self._error(*misjoined)
        unsaid = {"QUOTED"} if "WORDS" in wanted else set()
        names = [said for name, said in _EXPECTED.items() if name in wanted - unsaid]
        found = _FOUND.match(rest)
        met = (
            f"`{shortened(found[0], 40)}`"
            if found
            else "the end of the line"
            if rest
            else "the end"
        )
        return self._error(offset, f"found {met}, expected {_either(names)}")

    def _misplaced(self, sign: str, offset: int) -> str:
        """What is wrong with a sign at an offset that joins nothing there; "" for others."""
        if sign == ";":
            return "`;` joins nothing: write `+`, `·`, `→` or `,`, or the phrase in quotes"
        if sign and sign in "([" and _IN_BRACKETS.search(self.text, 0, offset):
            return "a phrase with brackets of its own stands in quotes: «замок (дверной)»"
        role = _ROLE_BEFORE.search(self.text, 0, offset) if sign and sign in _DASHES else None
        return f"the role of this term stands before it already: `{role[1]}`" if role else ""

    def _misjoined(self, offset: int) -> tuple[int, str] | None:
        """Where terms or parts are joined as they cannot be, and how they can."""
        merge = _MERGE_OF_NONE.match(self.text)
        if merge and offset < merge.end():
            parts, code = merge[1], merge[2] or "Δ91"
            said = f"the code that a merge makes stands behind →: write {parts} → {code} = …"
            bare = f", or {code} = ({parts}) where it has no terms" if merge[2] else ""
            return offset, said + bare
        if join := _JOIN_WITHOUT_BRACKETS.match(self.text):
            said = f"`{join[1]}` joins terms and parts only within brackets: put them into ( )"
            return join.start(1), said
        return None

    def _error(self, offset: int, problem: str) -> InvalidFormula:
        first = re.search("[ΔΛΩ]", self.text)
        example = EXAMPLES[first[0] if first else "Δ"]
        return InvalidFormula(problem, *self._place(offset), hint=_right_one(example))

    def _place(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset in the text, from 1."""
        before = self.text[:offset].split("\n")
        number, column = len(before) - 1, len(before[-1])
        line, start = self.at[number] if number < len(self.at) else (number + 1, 1)
        return line, start + column if isinstance(start, int) else start[column]

    def _start(self, node: Token | Tree[Token]) -> int:
        """Offset of a token, or of the first one below a node."""
        first = node
        while not isinstance(first, str):
            first = first.children[0]
        return first.start_pos or 0

    @contextmanager
    def blaming(self, offset: int) -> Iterator[None]:
        """Turn what the model refuses into an error at this place."""
        try:
            yield
        except ValidationError as error:
            raise self._error(offset, plain_words(error)) from None
        except ValueError as error:
            raise self._error(offset, str(error)) from None


def _no_scene(code: str, *, is_formula: bool) -> str:
    if is_formula:
        return f"another formula begins at {code}: write each on a line of its own"
    return f"{code} is a code and no scene: where it is meant as a text, write сцена: «{code}»"


def _right_one(example: str) -> str:
    return f"A right one: {example}"


def _join(node: Tree[Token]) -> Join:
    signs = [_JOINS[t.type] for t in node.children if isinstance(t, str) and t.type in _JOINS]
    return signs[0] if signs else "+"


def _said(node: Tree[Token]) -> str:
    """The text of a node's first token, out of its quotes."""
    return unquoted(str(node.children[0]))


def _words(term: Tree[Token]) -> Token:
    """The words of a term as written, without its role."""
    return next(t for t in term.children if isinstance(t, str) and t.type != "ROLE_KEY")


def _phrase(term: Tree[Token]) -> str:
    return unquoted(_words(term))


def _role(term: Tree[Token]) -> str:
    """The role of a term, which stands behind a dash or before a colon; "" without one."""
    first, last = term.children[0], term.children[-1]
    if isinstance(first, str) and first.type == "ROLE_KEY":
        return first.rstrip(": ")
    return "" if isinstance(last, str) else _said(last)


def _either(names: list[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
