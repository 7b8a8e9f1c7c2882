"""Text that was encoded twice is repaired; text that was not is never touched."""

from __future__ import annotations

import json
from pathlib import Path

import ftfy.bad_codecs.sloppy  # noqa: F401  registers the sloppy encodings
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forest.formats.mojibake import SHORT, may_be_broken, repaired

from .conftest import Reader

ENCODINGS = {
    "mac_roman": "Mac Roman",
    "sloppy-windows-1251": "Windows-1251",
    "sloppy-windows-1252": "Windows-1252",
    "latin-1": "Latin-1",
}
RUSSIAN = (
    "Справедливость — это соответствие между поступками и нормами. Но нормы бывают разные: "
    "культурные, «универсальные»… Ёжик и Щука; ЫЪЬ, съёмка. Россия, Испания, Азия, Шар."
)
CLEAN = [
    RUSSIAN,
    "It’s a “fine” day — naïve café, façade… € 5 © ™",
    "Δ12 = (вода + весна + неясность) ⟁🜂🫁🫧 👩‍🔬 🧠",
    "—Ça va ?\n—Étienne, à bientôt",
    "Übermäßig: „so“ und ‚Äpfel‘ — Ångström—Å",
    "Різдво, їжак і ґанок: п’ять",
    "Ђорђе Љубав њива џеп Јован",
    "√π, √Ω, 2√π ≈ ∞ ∑ ∏ ∫ ≤ ≥ ≠ µ Ω",
    "Ελληνικά: α → β, Σ",
    "日本語のテキスト、中文文本",
    "«СССР», «РФ» и «ТАСС»",
    "Р» и С…",
]


def broken(text: str, encoding: str) -> str:
    return text.encode().decode(encoding)


def mended(text: str) -> tuple[str, str | None]:
    repair = repaired(text)
    return (repair.text, repair.encoding) if repair else (text, None)


@pytest.mark.parametrize("text", CLEAN)
def test_a_healthy_text_stays_as_it_is(text: str) -> None:
    assert repaired(text) is None
    assert repaired(text * 100) is None


_words = st.sampled_from(
    [
        *RUSSIAN.split(),
        "the",
        "cat",
        "it’s",
        "naïve",
        "“ok”",
        "—",
        "→",
        "🧠",
        "🫁🜂⟁",
        "Δ12",
        "°",
        "№5",
    ]
)
sentences = st.lists(_words, min_size=1, max_size=40).map(" ".join)


@given(sentences)
def test_no_healthy_russian_or_english_is_touched(text: str) -> None:
    assert repaired(text) is None


@given(st.text(max_size=60))
def test_any_text_at_all_can_be_looked_at(text: str) -> None:
    repair = repaired(text)
    assert repair is None or repair.text != text


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(words=st.lists(_words, min_size=6, max_size=40))
def test_a_broken_text_is_restored_exactly(encoding: str, words: list[str]) -> None:
    text = "Это " + " ".join(words)
    assert mended(broken(text, encoding)) == (text, ENCODINGS[encoding])


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("text", ["Привет", "naïve café", "It’s — “fine”…", "don’t", "🧠", "🫁🜂⟁"])
def test_short_texts_are_restored_too(encoding: str, text: str) -> None:
    assert mended(broken(text, encoding))[0] == text


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_telltales_are_found_in_long_broken_texts_and_not_in_healthy_ones(encoding: str) -> None:
    for text in (RUSSIAN * 50, "It’s a “fine” day — really… " * 200, "🧠 idea → result " * 300):
        assert len(text.encode()) > SHORT
        assert not may_be_broken(text.encode())
        assert may_be_broken(broken(text, encoding).encode())


def test_text_broken_twice_is_restored() -> None:
    assert mended(broken(broken(RUSSIAN, "sloppy-windows-1251"), "mac_roman"))[0] == RUSSIAN


def test_what_was_added_after_the_break_is_kept() -> None:
    text = broken(RUSSIAN, "mac_roman") + "\nДописано потом — и всё нормально.\n"
    assert mended(text)[0] == RUSSIAN + "\nДописано потом — и всё нормально.\n"


def test_characters_that_are_lost_for_good_are_counted() -> None:
    text = RUSSIAN.encode().decode("cp1252", errors="replace")
    repair = repaired(text)
    assert repair is not None
    assert repair.lost > 5
    assert "праведливо" in repair.text


FILES = {
    "a.json": json.dumps(
        {"tree": "Вода", "nodes": [{"level": 0, "text": RUSSIAN}]}, ensure_ascii=False
    ),
    "a.jsonl": json.dumps(
        {"tree": "Вода", "nodes": [{"level": 0, "text": RUSSIAN}]}, ensure_ascii=False
    ),
    "a.yaml": f"tree: Вода\nnodes:\n- level: 0\n  text: '{RUSSIAN}'\n",
    "a.md": f"# Вода\n\n{RUSSIAN}\n",
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", FILES)
def test_files_of_every_kind_are_repaired_with_a_notice(
    read: Reader, name: str, encoding: str
) -> None:
    result = read(broken(FILES[name], encoding), name)
    assert result.tree.thoughts[-1].text == RUSSIAN
    assert result.tree.title == "Вода"
    assert result.notices == [
        f"{name}: text was encoded twice (UTF-8 read as {ENCODINGS[encoding]}); repaired"
    ]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_broken_text_is_found_behind_json_escapes(read: Reader, name: str) -> None:
    data = json.loads(broken(FILES[name], "sloppy-windows-1251"))
    result = read(json.dumps(data), name)
    assert result.tree.thoughts[0].text == RUSSIAN
    assert len(result.notices) == 1


def test_json_escapes_that_are_healthy_stay(read: Reader) -> None:
    text = 'Ж "q" \\u0416 \\ 🧠\n'
    result = read(json.dumps({"tree": "x", "nodes": [{"level": 0, "text": text}]}), "a.json")
    assert result.tree.thoughts[0].text == text
    assert result.notices == []


def test_a_broken_seed_is_restored(shared: Path) -> None:
    for path in sorted((shared / "seeds").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        for encoding, name in ENCODINGS.items():
            assert mended(broken(text, encoding)) == (text, name)
        assert repaired(text) is None


PASTED = "Вставленный из старого файла абзац, 12 слов."
PARTLY = {
    "a.md": ("# Вода\n\n", "\n\nДальше — хороший текст, «как был».\n"),
    "a.json": ('{"tree": "Вода", "nodes": [{"level": 0, "text": "', '"}]}'),
    "a.jsonl": ('{"tree": "Вода", "nodes": [{"level": 0, "text": "', '"}]}'),
    "a.yaml": ("tree: Вода\nnodes:\n- level: 0\n  text: '", "'\n"),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", PARTLY)
def test_a_broken_part_of_a_healthy_file_is_repaired_and_named(
    read: Reader, name: str, encoding: str
) -> None:
    before, after = PARTLY[name]
    result = read(before + f"{RUSSIAN} " + broken(PASTED, encoding) + after, name)
    assert any(t.text == f"{RUSSIAN} {PASTED}" for t in result.tree.thoughts)
    (notice,) = result.notices
    assert notice.startswith(
        f"{name}: a part was encoded twice (UTF-8 read as {ENCODINGS[encoding]}); "
        "repaired: 'Вставленный из старого"
    )


def test_what_a_note_quotes_as_broken_stays(read: Reader) -> None:
    quoted = f"Так выглядит слово в чужой кодировке: `{broken('Справедливость', 'mac_roman')}`."
    result = read(f"# Кодировки\n\n{quoted}\n", "a.md")
    assert broken("Справедливость", "mac_roman") in result.tree.thoughts[-1].text
    assert result.notices == []


@given(sentences)
def test_healthy_words_around_a_broken_part_stay(text: str) -> None:
    text = f"{text}\n{RUSSIAN}"
    assert (
        mended(f"{text}\n{broken(PASTED, 'mac_roman')}\n{text}")[0] == f"{text}\n{PASTED}\n{text}"
    )


def test_jsonl_says_it_once(read: Reader) -> None:
    line = broken(FILES["a.jsonl"], "mac_roman")
    result = read("\n".join(line.replace("–í–æ–¥–∞", f"T{i}") for i in range(5)), "a.jsonl")
    assert len(result.trees) == 5
    assert len(result.notices) == 1
