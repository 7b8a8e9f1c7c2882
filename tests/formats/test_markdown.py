"""Notes: what a reader of the note would call its structure, and that none of its words is lost."""

from __future__ import annotations

import re
import textwrap
import time
from collections import Counter
from pathlib import Path
from unittest.mock import Mock

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forest.errors import ImportRefused
from forest.formats import BadTree, SourceFile, markdown_inline, read_file
from forest.identity import finished
from forest.model import Thought, Tree

from .conftest import Read, Reader, read_path
from .outlines import outline, texts

NOTES = Path(__file__).parents[1] / "data" / "notes"


@pytest.mark.parametrize("path", sorted(NOTES.glob("*.md")), ids=lambda p: p.stem)
def test_a_note_reads_like_its_outline(path: Path) -> None:
    result = read_path(path)
    assert result.errors == []
    golden = path.with_suffix(".outline.txt").read_text(encoding="utf-8")
    assert "\n".join(outline(tree) for tree in result.trees) == golden


def body(read: Reader, text: str) -> list[str]:
    """The thoughts below the title."""
    return texts(read(text).tree)[1:]


def root(read: Reader, text: str, name: str = "note.md") -> Thought:
    return read(text, name).tree.root


def anchors(thought: Thought) -> list[tuple[str, str]]:
    return [(a.kind, a.phrase) for a in thought.anchors]


# --- title, root, front matter -----------------------------------------------------------------


def test_the_title_is_the_front_matters_else_the_heading_else_the_files_name(read: Reader) -> None:
    tree = read("---\ntitle: Front\n---\n# Head\n\ntext").tree
    assert (tree.title, tree.root.text, tree.id) == ("Front", "Head", "note")
    tree = read("intro\n\n# Head\n\ntext").tree
    assert (tree.title, texts(tree)) == ("Head", ["Head", "  intro", "  text"])
    tree = read("# One\n\n# Two", "Моя заметка.md").tree
    assert (tree.title, tree.id) == ("Моя заметка", "моя-заметка")
    assert texts(tree) == ["Моя заметка", "  One", "  Two"]


def test_front_matter_goes_where_it_belongs(read: Reader) -> None:
    tree = read(
        "---\nid: bridges\nlang: en\naxes: [a, b]\ntags: [one, '#two/x']\nalias: Br\n"
        "anchors: [x, y]\ndate: 2024-05-01\nno: 007\nup: '[[folder/Other|o]]'\n"
        "list: [1, [2, null]]\n---\ntext"
    ).tree
    assert (tree.id, tree.lang, tree.axes) == ("bridges", "en", {"a": 0.5, "b": 0.5})
    assert anchors(tree.root) == [
        ("link", "note"), ("link", "Br"), ("tag", "one"), ("tag", "two/x"), ("phrase", "x"),
        ("phrase", "y"), ("link", "Other"),
    ]  # fmt: skip
    assert tree.meta == {
        "date": "2024-05-01", "no": "007", "up": "[[folder/Other|o]]", "list": [1, [2, None]],
    }  # fmt: skip
    orjson.dumps(tree.meta)


@pytest.mark.parametrize(
    ("front", "message"),
    [
        ("a: 1\naxes: {x: 0.5}", "note.md:3: front matter: axes: the weights"),
        ("a: 1\na: 2", "note.md:3: front matter: the key 'a' stands already"),
        ("t: x\nb: &x 1", "note.md:3: front matter: the reference &x"),
        ("title: [x]", "note.md:2: front matter: title: expected text"),
        ("x: 1\nlang: по-русски", "note.md:3: front matter: lang: expected a language such as"),
        ("x: 1\ntags: {a: b}", "note.md:3: front matter: tags: expected a list of words"),
        ("x: 1\ntitle: Foo: bar", "note.md:3: front matter: no valid YAML"),
    ],
)
def test_bad_front_matter_is_refused_with_its_line(read: Reader, front: str, message: str) -> None:
    with pytest.raises(ImportRefused) as error:
        read(f"---\n{front}\n---\ntext")
    assert message in str(error.value)


def test_rules_around_a_text_are_no_front_matter(read: Reader) -> None:
    assert body(read, "---\nOnly words\n\n---\n> | a |\n> |---|\n> | b |") == [
        "  Only words", "  | a |\n|---|\n| b |",
    ]  # fmt: skip
    assert body(read, "---\n\nA text: with a colon inside.\n\n---\n\nend") == [
        "  A text: with a colon inside.", "  end",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "\n\n", "---\ntitle: x\n---\n", "%%only a comment%%"])
def test_an_empty_note_is_skipped_with_a_notice(read: Reader, text: str) -> None:
    result = read(text)
    assert (result.trees, result.errors) == ([], [])
    assert result.notices == ["note.md: the note holds no text, skipped"]


def test_a_note_and_those_that_link_to_it_share_an_anchor(read: Reader) -> None:
    target = root(read, "text", "Свод Законов.md")
    linking = read("See [[свод законов.md#Часть|this]].").tree.thoughts[1]
    assert linking.text == "See this."
    assert linking.anchors[0].anchor == target.anchors[0].anchor == "[[свод законов]]"


# --- structure ---------------------------------------------------------------------------------


def test_headings_are_levels_and_jumps_are_closed_up(read: Reader) -> None:
    text = "## A\n\na\n\n##### B\n\nb\n\n### C\n\n# D\n\n# E\n\nSetext\n======"
    assert body(read, text) == [
        "  A",
        "    a",
        "    B",
        "      b",
        "    C",
        "  D",
        "  E",
        "  Setext",
    ]


def test_a_paragraph_with_a_colon_is_the_parent_of_what_follows_it(read: Reader) -> None:
    text = "Lead:\n\n- a\n- b\n\nNext:\n\n> quote\n\nThird:\n```\ncode\n```\nEnd:\n\nplain\n\n- x"
    assert body(read, text) == [
        "  Lead:", "    a", "    b", "  Next:", "    quote", "  Third:", "    code", "  End:",
        "  plain", "  x",
    ]  # fmt: skip


def test_a_quote_that_ends_with_a_colon_leads_too(read: Reader) -> None:
    assert body(read, "> q:\n\n- a") == ["  q:", "    a"]


def test_lists_nest_as_they_are_indented_even_by_one_space(read: Reader) -> None:
    assert body(read, "- a\n  - b\n    1. c\n  - d\n- e") == [
        "  a",
        "    b",
        "      c",
        "    d",
        "  e",
    ]
    assert body(read, "1. a\n - b\n - c\n2. d") == ["  a", "    b", "    c", "  d"]
    assert body(read, "- a\n - b\n  - c\n- d") == ["  a", "    b", "      c", "  d"]
    assert body(read, "1. a:\n- b\n- c\n2. d\n- e") == ["  a:", "    b", "    c", "  d", "  e"]
    assert body(read, "\t- a\n\n9. x\n10. y")[1:] == ["  x", "  y"]


def test_blocks_in_items_stand_below_them(read: Reader) -> None:
    assert body(read, "- a\n\n  more\n\n  > q\n- ```\n  code\n  ```\n- # h\n  t\n- - n\n-") == [
        "  a", "    more", "    q", "  code", "  h", "    t", "  n",
    ]  # fmt: skip


def test_lines_with_bullets_and_dashes_are_lists(read: Reader) -> None:
    assert body(read, "Зачем:\n– раз,\n– два.\nИ ещё слово.") == [
        "  Зачем:", "    раз,", "    два.", "  И ещё слово.",
    ]  # fmt: skip
    assert body(read, "• a\n  goes on\n• b\n→ so") == ["  a\ngoes on", "  b\n→ so"]
    assert body(read, "He said\n— and left.") == ["  He said\n— and left."]


def test_a_bold_line_is_a_heading(read: Reader) -> None:
    text = "## A\n\n**B**\n\ntext\n\n**C: d**\nmore\n\n### E\n\n**Not this one.**\n\n**nor** this"
    assert body(read, text) == [
        "  A", "    B", "      text", "    C: d", "      more", "    E", "      Not this one.",
        "      nor this",
    ]  # fmt: skip


def test_lines_broken_by_an_editor_are_joined_and_those_by_the_author_stay(read: Reader) -> None:
    words = "This paragraph was broken by an editor that fills lines up to a width. " * 3
    assert body(read, textwrap.fill(words, 70)) == ["  " + words.strip()]
    poem = "Тучки небесные, вечные странники!\nСтепью лазурною, цепью жемчужною\nМчитесь вы"
    assert body(read, poem) == ["  " + poem]


def test_tables_code_math_and_images_are_whole_thoughts(read: Reader) -> None:
    text = (
        "> | a | b |\n> |---|---|\n> | [[C]] | **d** |\n\n```python\nx = 1\n\ny = 2\n```\n\n"
        "    raw *x*\n\n$$\na_b\n$$\n\n![alt](x%20y.png)\n\n"
        "![[pic.png|300]]\n\n<div>in <b>html</b></div>"
    )
    tree = read(text).tree
    assert [(t.kind, t.text) for t in tree.thoughts[1:]] == [
        ("table", "| a | b |\n|---|---|\n| [[C]] | **d** |"), ("code", "x = 1\n\ny = 2"),
        ("code", "raw *x*"), ("math", "a_b"), ("image", "alt (x y.png)"), ("image", "pic.png"),
        ("html", "in html"),
    ]  # fmt: skip
    assert anchors(tree.thoughts[1]) == [("link", "C")]
    assert anchors(tree.thoughts[6]) == [("link", "pic.png")]


def test_callouts_have_their_title_as_parent(read: Reader) -> None:
    tree = read("> [!Tip]- Title\n> one\n>\n> two\n\n> [!note]\n> only\n\n> [!info]\n> - a").tree
    assert [(t.level, t.kind, t.text) for t in tree.thoughts[1:]] == [
        (1, "tip", "Title"), (2, None, "one"), (2, None, "two"), (1, "note", "only"),
        (1, "item", "a"),
    ]  # fmt: skip


def test_a_rule_below_a_paragraph_makes_no_heading_of_it(read: Reader) -> None:
    assert [t.kind for t in read("line one\nline two\n---\nx").tree.thoughts] == [
        "title",
        None,
        None,
    ]


def test_kinds_of_thoughts(read: Reader) -> None:
    tree = read("# T\n\np\n\n## h\n\n- [ ] do\n- [X] did\n- i\n\n> q").tree
    assert [t.kind for t in tree.thoughts] == [
        "title", None, "heading", "task", "done", "item", "quote",
    ]  # fmt: skip


# --- within a paragraph ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("**bold**, *it*, _u_, ~~gone~~ and `co*d*e`", "bold, it, u, gone and co*d*e"),
        ("==high **light**== and ==more==", "high light and more"),
        ("a_b_c 2 * 3 * 4 2**10 a == b x = y", "a_b_c 2 * 3 * 4 2**10 a == b x = y"),
        ("[text](http://x.y) <http://a.b> http://c.d", "text http://a.b http://c.d"),
        ("see [[Note]] [[a/b/Note]] [[Note#Part]]", "see Note a/b/Note Note > Part"),
        ("see [[Note#Part|alias]] [[#Part]] [[Note#^id]]", "see alias Part Note"),
        ("**Ключ: **слово и **слово", "Ключ: слово и слово"),
        ("seen %%hidden%% <!-- gone --> end", "seen end"),
        ("one<br>two", "one\ntwo"),
        ("&amp; &lt; \\* \\# 1\\.", "& < * # 1."),
        ("sum $a_1 * b_2 * c$ for $5 or $6", "sum $a_1 * b_2 * c$ for $5 or $6"),
        ("claim [^1].", "claim [^1]."),
        ("end ^block-id", "end"),
        ("![inline](a.png) image", "inline (a.png) image"),
        ("Δ12 = (вода*весна*ночь) = _сцена_", "Δ12 = (вода*весна*ночь) = сцена"),
    ],
)  # fmt: skip
def test_words_stay_and_marks_go(read: Reader, written: str, read_as: str) -> None:
    assert body(read, written) == ["  " + read_as]


def test_wikilinks_and_embeds_are_link_anchors(read: Reader) -> None:
    text = (
        "[[A]] [[b/C.md#x|y]] ![[D]] [e](<E F.md>) [g](G%20H.md#x) [web](http://x/y.md) "
        "`[[No]]` [[#x]] [[../up/I]] [[./J]]."
    )
    thought = read(text).tree.thoughts[1]
    assert anchors(thought) == [("link", n) for n in ("A", "b/C", "D", "E F", "G H", "I", "J")]


def test_tags_follow_obsidians_rules(read: Reader) -> None:
    text = (
        "#lead One #in/side, C#x #12 #1a not`#code`, (#no) \\#esc #тег-2 #🧠\n\n# #h\n\n#only #two"
    )
    tree = read("text\n\n## H\n\n" + text).tree
    thought = tree.thoughts[3]
    assert thought.text == "One in/side, C#x #12 1a not#code, (#no) #esc"
    assert anchors(thought) == [
        ("tag", t) for t in ("lead", "in/side", "1a", "тег-2", "🧠")
    ]  # fmt: skip
    assert ("tag", "h") in [a for t in tree.thoughts for a in anchors(t)]
    assert ("tag", "only") in [a for t in tree.thoughts for a in anchors(t)]


def test_links_that_stand_alone_belong_to_what_they_stand_below(read: Reader) -> None:
    tree = read("[[A]]\n\n## H\n\n[[B]] #t\n\n- [[C]]").tree
    assert texts(tree) == ["note", "  H", "    C"]
    assert ("link", "A") in anchors(tree.root)
    assert anchors(tree.thoughts[1]) == [("link", "B"), ("tag", "t")]
    assert anchors(tree.thoughts[2]) == [("link", "C")]


def test_words_that_a_link_shows_are_a_thought_also_where_it_stands_alone(read: Reader) -> None:
    tree = read("text\n\n[[A|What is it?]]\n\n- item\n\n  [[B]] ![[sub/C|words]]").tree
    assert texts(tree) == ["note", "  text", "  What is it?", "  item", "    B words"]
    assert anchors(tree.thoughts[2]) == [("link", "A")]
    assert anchors(tree.thoughts[4]) == [("link", "B"), ("link", "sub/C")]
    alone = read("text\n\n[[sub/A|a]] [[B#x|B > x]] [[C| ]]").tree  # what editors fill in
    assert texts(alone) == ["note", "  text"]


def test_footnotes_stand_below_what_refers_to_them(read: Reader) -> None:
    text = (
        "a [^1], b^[in *line* [[L]]].\n\nc[^1] d[^2]\n\n"
        "[^1]: one\n\n    more\n\n[^2]: [[M]]\n[^3]: lone"
    )
    tree = read(text).tree
    assert texts(tree) == [
        "note", "  a, b.", "    one", "    more", "    in line L", "  c d", "  lone",
    ]  # fmt: skip
    assert [t.kind for t in tree.thoughts if t.level == 2] == ["footnote"] * 3
    assert anchors(tree.thoughts[5]) == [("link", "M")]


def test_a_tag_at_the_beginning_is_a_word_where_the_sentence_goes_on(read: Reader) -> None:
    text = "#память хранит нас.\n\n#идея Память хранит.\n\nконец #тег"
    assert body(read, text) == ["  память хранит нас.", "  Память хранит.", "  конец"]


def test_what_markdown_takes_for_addresses_is_kept_in_meta(read: Reader) -> None:
    tree = read("[a] and [b][a]\n\n[a]: http://x.y 'T'\n\n> [Вывод]: хорошо\n").tree
    assert texts(tree)[1:] == ["  a and b"]
    assert tree.meta["references"] == ["[a]: http://x.y 'T'", "[Вывод]: хорошо"]


def test_a_note_at_a_heading_is_kept(read: Reader) -> None:
    text = "# T[^1] %%c%%\n\n**B**^[two]\n\n[[L]] ^[three]\n\n[^1]: one"
    tree = read(text).tree
    assert texts(tree) == ["T", "  one", "  B", "    two", "    three"]
    assert tree.meta == {"comments": ["c"]}


def test_what_follows_a_title_below_other_headings_hangs_on_the_title(read: Reader) -> None:
    tree = read("## A\n\n### B\n\n# T[^1]\n\ntext\n\n[^1]: one").tree
    assert texts(tree) == ["T", "  A", "    B", "  one", "  text"]
    assert texts(read("## A\n\n# T^[one]\n\ntext").tree) == ["T", "  A", "  one", "  text"]


def test_comments_are_kept_in_meta(read: Reader) -> None:
    text = "a %%b%% c\n\n%%\nd\n\ne\n%%\n\n<!-- f -->\n\n%% not closed"
    tree = read(text).tree
    assert tree.meta["comments"] == ["b", "d\n\ne", "f"]
    assert texts(tree)[1:] == ["  a c", "  %% not closed"]


def test_an_anchor_stands_once_at_a_thought(read: Reader) -> None:
    assert anchors(read("[[A]] and [[a]] and [[A|b]]").tree.thoughts[1]) == [("link", "A")]


def test_names_that_can_be_no_anchor_are_only_text(read: Reader) -> None:
    text = f"see [[{'x' * 600}]] [[a\u2028b]] #t\x85u [[.]] [e](\u2028.md) end"
    tree = read(text, "a\nb.md").tree
    assert anchors(tree.root) == [("link", "a b")]
    assert anchors(tree.thoughts[1]) == [("link", "a b"), ("tag", "t")]


# --- blocks of JSON ----------------------------------------------------------------------------

JSON = '{"tree": "Вода",\n "nodes": [\n  {"level": 0, "text": "Вода течёт."}]}'


def fenced(text: str, info: str = "json") -> str:
    return f"```{info}\n{text}\n```\n"


def test_a_block_of_json_is_a_tree_of_its_own(read: Reader) -> None:
    result = read("Пример:\n\n" + fenced(JSON) + "\nend")
    assert [t.id for t in result.trees] == ["note", "вода"]
    assert texts(result.trees[0]) == ["note", "  Пример:", "    Вода", "  end"]
    assert result.trees[0].thoughts[2].kind == "tree"
    assert result.trees[1].source == "note.md"


def test_a_note_that_is_nothing_else_gives_only_that_tree(read: Reader) -> None:
    assert read(fenced(JSON)).tree.id == "вода"
    assert read("> - x\n>   " + fenced(JSON).replace("\n", "\n>   ")).trees[1].id == "вода"
    two = read(fenced(f"[{JSON}, {JSON.replace('Вода', 'Лёд')}]"))
    assert [t.id for t in two.trees] == ["вода", "лёд"]


def test_a_block_that_is_called_as_its_note_is_a_tree_beside_it(read: Reader) -> None:
    block = fenced(JSON)
    assert [t.id for t in read("О воде.\n\n" + block, "Вода.md").trees] == ["вода", "вода/вода"]
    assert read(block, "Вода.md").tree.id == "вода/вода"  # a word above it changes nothing
    assert read(fenced(JSON.replace("{", '{"id": "вода", ', 1)), "Вода.md").tree.id == "вода"


def test_other_json_is_code(read: Reader) -> None:
    for text in ('{"a": 1}', "[1, 2]", "{broken", '{"tree": "no nodes"}', "[]"):
        assert [t.kind for t in read("x\n\n" + fenced(text)).tree.thoughts] == [
            "title",
            None,
            "code",
        ]
    assert read("x\n\n" + fenced(JSON, "js")).tree.thoughts[2].kind == "code"


def test_json_that_is_a_tree_but_for_a_misspelt_key_is_told(read: Reader) -> None:
    for key, written in (("nodes", "node"), ("tree", "tre")):
        note = "x\n\n" + fenced(JSON.replace(f'"{key}"', f'\n"{written}"'))
        result = read(note)
        assert result.tree.thoughts[2].kind == "code"
        line = note[: note.index(f'"{written}"')].count("\n") + 1
        (notice,) = result.notices
        assert notice.startswith(f"note.md:{line}: the block of JSON is kept as code")
        assert f"'{written}' stands in it, '{key}' was meant?" in notice
    assert read("x\n\n" + fenced('{"title": "x", "node": 3}')).notices == []


def test_a_broken_tree_is_an_error_with_its_line_and_the_rest_is_read(read: Reader) -> None:
    result = read("a\n\nb\n\n" + fenced(JSON.replace("0,", "1,")) + fenced(JSON))
    assert [t.id for t in result.trees] == ["note", "вода"]
    assert result.error.startswith("note.md:8: tree 'Вода': node 1: level 1: the first node")
    result = read("a\n\n" + fenced(JSON[:-2]))
    assert result.error.startswith("note.md:6: no valid JSON: ")
    assert read("a\n\n" + fenced(JSON.replace('"nodes"', '"tree": "x", "nodes"'))).errors


# --- properties --------------------------------------------------------------------------------

_MARKUP = re.compile(
    r"```\w*|<!--|-->|\]\(.*?\)|\[!(?:\w+)\]|^---\n.*?\n---\n|\|\s*[-:]+\s*(?=\|)", re.DOTALL
)


_KEYS = {"level", "anchors", "axes", "nodes", "tree", "text"}
_NO_PROSE = _KEYS | {"UID", "x", "q", "Как", "он", "держит", "камень"}
"""Keys of JSON, and what marks things up: parts of links, names of footnotes and of blocks."""


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"[^\W_]+", text))


def said(result: Read) -> Counter[str]:
    """The words of all that came of a note."""
    parts = []
    for tree in result.trees:
        parts += [tree.title, orjson.dumps(tree.meta).decode(), *tree.axes]
        for thought in tree.thoughts:
            parts += [thought.text, *(a.phrase for a in thought.anchors)]
    return words("\n".join(parts))


@pytest.mark.parametrize("path", sorted(NOTES.glob("*.md")), ids=lambda p: p.stem)
def test_no_word_of_a_note_is_lost(path: Path) -> None:
    written = words(_MARKUP.sub(" ", path.read_text(encoding="utf-8")))
    missing = written - said(read_path(path))
    assert {word for word in missing if not word.isdigit()} <= _NO_PROSE


_PIECES = [
    "# H\n", "## Hb\n", "#### D4\n", "text here ", "слово ", "**bold**", "*it*", "_u_", "`code x`",
    "[[Link|al]]", "[[a#b]]", "![[e.png]]", "#tag ", "#t2/x", "\n", "\n\n", "> ", "> > ", "- ",
    "  - ", "1. ", "   ", "\t", "```\n", "```json\n", JSON, "|a|b|\n|-|-|\n|c|d|\n", "---\n", "***",
    "**", "==m==", "==", "%%c%%", "%%\n", "<!-- k -->", "<div>", "<br>", "[^1]", "[^1]: def\n",
    "^[in [[l]]]", "$x$", "$$\n", "> [!a_user] **User** - 1.1.2020\n> q\n", "> [!a_agent] A\n> b\n",
    "<!-- UID: abcdefgh1 -->\n", "> [!note] T\n", "• b\n", "– d\n", "— e\n", "Lead:\n", "\\*",
    "&amp;", "&#0;", "^blk", "![i](s.png)", "[l](n.md)", "<http://x.y>", "~~s~~", "===\n",
    "[x]: /u\n", "- [ ] t\n", "Δ1 = (a*b*c)\n", "[", "]", "!", "(", ")",
]  # fmt: skip


@settings(max_examples=400)
@given(st.lists(st.sampled_from(_PIECES), max_size=40).map("".join))
def test_any_markdown_gives_trees_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.md"
    path.write_text(text, encoding="utf-8")
    for item in read_file(SourceFile(path, "any.md")):
        if isinstance(item, BadTree):
            assert re.match(r"any\.md:\d+: (no valid JSON|tree 'Вода'|the key)", str(item.error))
        else:
            assert isinstance(item, Tree)
            finished(item)


@pytest.mark.parametrize("text", ["> " * 3000, "[" * 20_000, "![" * 5000])
def test_nesting_past_all_sense_is_refused(read: Reader, text: str) -> None:
    with pytest.raises(ImportRefused, match="nested too deep"):
        read(text + "a")


def test_two_hundred_levels_of_lists(read: Reader) -> None:
    text = "".join("  " * i + f"- level {i}\n" for i in range(200))
    tree = read(text).tree
    assert isinstance(tree, Tree)
    assert (tree.depth, len(tree)) == (200, 201)


@pytest.mark.parametrize(
    "text",
    [
        "*a " * 20_000,
        "*a_" * 20_000,
        "<!--" * 20_000,
        "==a " * 20_000,
        "%%\n" * 9999,
        "<a " * 9999,
        "- " * 5000,
    ],
)
def test_no_text_takes_long(read: Reader, text: str) -> None:
    started = time.perf_counter()
    read(text)
    assert time.perf_counter() - started < 10


@given(st.lists(st.sampled_from(["Δ12", " = ", "a*b", ")_c", "\n", " ", "Λ"]), max_size=12))
def test_what_follows_a_formula_in_its_line_is_known_wherever_it_is_asked(parts: list[str]) -> None:
    text = "".join(parts)
    for at in range(len(text) + 1):
        line = text.rfind("\n", 0, at) + 1
        expected = markdown_inline._FORMULA.search(text, line, at) is not None
        assert markdown_inline._follows_a_formula(text, at) == expected


def test_a_paragraph_is_searched_once_for_formulas_however_many_signs_are_in_it(
    read: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    formula = Mock(wraps=markdown_inline._FORMULA)
    monkeypatch.setattr(markdown_inline, "_FORMULA", formula)
    read("*a_" * 500)
    assert len(formula.method_calls) <= 1


def test_a_control_character_is_named_with_its_line(read: Reader) -> None:
    assert read("a\n\nb \x07 c\n").error.startswith("note.md:3: the character U+0007")
