"""The corpus counts an anchor under the one that it is one with."""

from __future__ import annotations

import orjson

from anchors.registry import merge, split
from exporters.export import export_corpus
from tests.export_helpers import SMALL, content, planted, records, tree

TREES = [
    tree("Вера", "Вера ждёт. {Причинность → следствие}\n  Дальше вера молчит."),
    tree("Закон", "Закон ждёт. {причинности → следствия; воля}\n  Дальше закон молчит."),
    tree("Сон", "Сон ждёт. {граница}\n  Дальше сон молчит."),
]


def jumps(corpus):
    return {
        (j["from_tree"], j["to_tree"], j["anchor"])
        for r in records(corpus)
        for j in r["meta"]["jumps"]
    }


def test_forms_of_a_word_jump_and_the_phrase_stays_as_written(tmp_path):
    store, out = planted(*TREES), tmp_path / "corpus"
    manifest = export_corpus(store, out, SMALL)
    (anchor,) = {anchor for _, _, anchor in jumps(out)}
    assert jumps(out) == {("вера", "закон", anchor), ("закон", "вера", anchor)}
    texts = "\n".join(r["text"] for r in records(out))
    assert "причинности → следствия" in texts
    assert "Причинность → следствие" in texts
    assert (manifest.united_anchors, manifest.splits["train"].shared_anchors) == (1, 1)
    assert orjson.loads((out / "manifest.json").read_bytes())["united_anchors"] == 1
    assert "forms of a word: 1." in (out / "README.md").read_text()


def test_decisions_join_trees_and_part_them(tmp_path):
    store, out = planted(*TREES), tmp_path / "corpus"
    split(store, "Причинность → следствие")
    merge(store, "граница", "воля")
    export_corpus(store, out, SMALL)
    assert {pair[:2] for pair in jumps(out)} == {("закон", "сон"), ("сон", "закон")}


def test_a_forest_where_nothing_is_united_says_nothing_of_it(tmp_path):
    store = planted(TREES[0], TREES[2])
    export_corpus(store, tmp_path / "corpus", SMALL)
    assert not any(
        b"united" in data or b"as one" in data for data in content(tmp_path / "corpus").values()
    )
