"""What counts as the same phrase; ids and languages taken from what is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forest.language import guess_language
from forest.model import AnchorLink
from forest.phrases import phrase_key, tree_id_from


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Причинность → следствие", "причинность -> следствие"),
        ("Причинность → следствие", "ПРИЧИННОСТЬ=>следствие"),
        ("Причинность → следствие", "причинность   ⟶\u00a0следствие."),
        ("причинность --> следствие", "причинность ⇒ следствие"),
        ("ёж", "Еж"),
        ("елка", "е\u0308лка"),
        ("«вода»", "“Вода”"),
        ("„вода“", '"вода"'),
        ("it’s", "It's"),
        ("кто–то", "кто-то"),
        ("кто—то", "кто‑то"),
        ("x − y", "X - y"),
        ("вода  и\u00a0лёд", "вода и лед"),
        ("вода...", "вода"),
        ("é", "e\u0301"),
        ("STRASSE", "straße"),
    ],
)
def test_spellings_of_one_phrase(one, other):
    assert phrase_key(one) == phrase_key(other)
    assert AnchorLink(phrase=one).anchor == AnchorLink(phrase=other).anchor


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Причинность → следствие", "причинность"),
        ("Причинность → следствие", "следствие → причинность"),
        ("Причинность → следствие", "причинность следствие"),
        ("вода", "воды"),
        ("вода", "вода?"),
        ("вода", '"вода"'),
        ("a", "а"),  # Latin and Cyrillic
        ("й", "и"),
        ("x-y", "x y"),
    ],
)
def test_phrases_that_are_not_the_same(one, other):
    assert phrase_key(one) != phrase_key(other)


@given(st.text(max_size=20))
def test_a_key_is_trimmed_and_lower_case(phrase):
    key = phrase_key(phrase)
    assert key == key.strip()
    assert phrase_key(phrase.upper()) == phrase_key(phrase.upper().lower().upper())
    assert phrase_key(f"  {phrase}\n") == key


def test_tree_ids_are_short_and_plain():
    assert tree_id_from("It's 100%, да!") == "it-s-100-да"
    assert tree_id_from("a/b\\c") == "a-b-c"
    assert len(tree_id_from("слово " * 100)) <= 120
    assert not tree_id_from("слово " * 100).endswith("-")


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        (["Что такое справедливость?"], "ru"),
        (["What is justice?"], "en"),
        (["Слово justice в русском тексте"], "ru"),
        (["A mostly English text with слово"], "en"),
        (["🌊 → 🧊", "12 + 7"], "und"),
        ([], "und"),
        (["🌊", "…", "вода"], "ru"),
        (["Да. " * 200, "English " * 500], "ru"),  # the beginning decides
    ],
)
def test_languages(texts, language):
    assert guess_language(texts) == language
