"""Axes that are suggested from a tree's words."""

from __future__ import annotations

import json
import shlex

import pytest

from anchors.axes import Trust, suggest_axes, trust
from forest import Forest
from forest.errors import Conflict, InvalidInput, NotFound
from forest.model import Axis
from tests.export_helpers import planted, tree


@pytest.fixture
def store():
    store = planted(
        tree("Удар", "Причина удара ясна.\n  Из причины выходит следствие.", axes=["причинность"]),
        tree("Рана", "Боль чужая.\n  Забота утешает боль.", axes=["эмпатия"]),
        tree("Врач", "Врач видит чужую боль.\n  Он находит слова утешения.\n  Забота о больных."),
    )
    store.put_axes(
        [
            Axis(name="причинность", description="Что из чего следует: причина, следствие."),
            Axis(name="эмпатия", description="Чужое переживание: боль, забота, утешение."),
        ]
    )
    return store


def test_the_axis_that_the_words_speak_for_comes_first(store):
    best = suggest_axes(store, "врач")[0]
    assert suggest_axes(store, store.get("врач"))[0] == best
    assert best.axis == "эмпатия"
    assert best.description > 0
    assert best.trees > 0
    assert sum(s.weight for s in suggest_axes(store, "врач")) == pytest.approx(1)


def test_another_embedder_may_judge(store):
    class Lengths:
        def embed(self, texts, /):
            return [
                [1.0, 0.0] if "причин" in text.lower() or "Врач" in text else [0.0, 1.0]
                for text in texts
            ]

    assert [(s.axis, s.weight) for s in suggest_axes(store, "врач", Lengths())] == [
        ("причинность", 1.0)
    ]


def test_what_would_have_been_suggested_for_bound_trees_says_how_sure_it_is(store):
    assert trust(store) == Trust(right=2, constant=1, of=2)
    assert trust(store, Mute()).right == 0


class Mute:
    def embed(self, texts, /):
        return [[0.0] for _ in texts]


def test_what_cannot_be_suggested(store):
    with pytest.raises(NotFound):
        suggest_axes(store, "нет")
    with pytest.raises(Conflict, match="no axes"):
        suggest_axes(planted(tree("Врач", "Врач.")), "врач")


def test_what_is_like_no_axis_gets_none(store, run):
    store.write([tree("Спорт", "Мяч летит в ворота. Судья свистит.")], lambda _, new: new)
    assert suggest_axes(store, "спорт") == []
    run("init")
    run("add", "спорт", "--new", "Спорт", "Мяч летит в ворота.")
    code, out, _ = run("axes", "suggest", "спорт")
    assert (code, out.startswith("nothing speaks for an axis")) == (0, True)
    with pytest.raises(TypeError, match="a tree or its id"):
        suggest_axes(store, None)  # type: ignore[arg-type]


def test_the_command_binds_nothing_and_says_what_would(run):
    run("init")
    run("add", "врач", "--new", "Врач", "Чужая боль, понятая изнутри.", "Забота и утешение.")
    before = run("show", "врач", "--json")[1]
    code, out, err = run("axes", "suggest", "врач")
    assert (code, err) == (0, "how sure: unknown, for no tree is bound to an axis yet\n")
    assert "эмпатия" in run("axes", "suggest", "врач", "--embedder", "hashed")[1]
    assert "#MODEL" in run("axes", "suggest", "врач", "--embedder", "http://127.0.0.1")[2]
    assert run("show", "врач", "--json")[1] == before
    command = shlex.split(out.splitlines()[-1])
    assert command[:5] == ["forest", "axes", "bind", "врач", "эмпатия=100%"]
    assert run(*command[1:])[0] == 0
    run("add", "рана", "--new", "Рана", "Боль чужая.")
    assert "how sure: of 1 bound tree" in run("axes", "suggest", "рана")[2]


def test_an_axis_keeps_its_name_and_description_unless_told_otherwise(run):
    run("add", "врач", "--new", "Врач", "--axis", "причинность=100%", "Чужая боль.")
    run("axes", "add", "эмпатия", "--description", "своё")
    run("init")
    with Forest.open() as forest:
        first = {axis.name: axis.description for axis in forest.axes()}
        assert (len(first), first["эмпатия"]) == (5, "своё")
        assert all(first.values())
        run("axes", "add", "ПРИЧИННОСТЬ")
        run("axes", "add", "Эмпатия.")
        assert {axis.name: axis.description for axis in forest.axes()} == first
        run("axes", "add", "Эмпатия", "--description", "иное")
        assert {axis.name: axis.description for axis in forest.axes()} == {
            **first,
            "эмпатия": "иное",
        }


def test_a_slip_of_an_axis_binds_nothing_until_it_is_added_by_itself(run):
    run("init")
    new = ("add", "врач", "--new", "Врач", "--axis", "эмпатя=100%", "Чужая боль.")
    code, _, err = run(*new)
    assert code == 1
    assert "there is no axis 'эмпатя': was 'эмпатия' meant?" in err
    assert "`forest axes add эмпатя`" in err
    assert run("list")[1] == ""
    run("axes", "add", "эмпатя")
    assert run(*new)[0] == 0
    twice = run("axes", "bind", "врач", "мироздание=50%", "мирозданее=50%")[2]
    assert "was 'мирозданее' meant?" in twice or "was 'мироздание' meant?" in twice
    for name in ("причиность", "Причинностью", "парадоксальнотсь"):
        assert run("axes", "bind", "врач", name)[0] == 1
    said = run("axes", "bind", "врач", "тяга к миру")[2]
    assert said == "note: the axis 'тяга к миру' is new\n"
    thirds = run("axes", "bind", "врач", "эмпатия=33.3%", "причинность=33.3%", "время=33.4%")[1]
    assert thirds == "время 33.4%, причинность 33.3%, эмпатия 33.3%\n"
    assert run("axes", "bind", "врач", "долг=100%")[2] == "note: the axis 'долг' is new\n"
    assert run("axes", "bind", "врач", "Эмпатия=100%")[1:] == ("эмпатия 100%\n", "")
    code, _, err = run("axes", "bind", "врач", "долг=50%", "долг=50%")
    assert code == 2
    assert "named twice" in err


def test_python_refuses_the_same_and_an_import_says_it(tmp_path):
    with Forest.open("memory:") as forest:
        forest.plant_axes()
        forest.add(tree("Врач", "Чужая боль.", axes=["эмпатия", "долг"]))
        slip = tree("Рана", "Боль.", axes=["эмпатеи"])
        for refused in (
            lambda: forest.add(slip),
            lambda: forest.replace(slip),
            lambda: forest.bind("врач", ["парадоксальнотсь"]),
            lambda: forest.add_steps("рана", ["Боль."], title="Рана", axes=["эмпатии"]),
        ):
            with pytest.raises(InvalidInput, match=r"was '(эмпатия|парадоксальность)' meant"):
                refused()
        with (
            pytest.raises(InvalidInput, match="was 'причинность' meant"),
            forest.editing("врач") as edited,
        ):
            edited.axes = {"причинност": 1.0}
        assert forest.get("врач").axes == {"долг": 0.5, "эмпатия": 0.5}
        file = tmp_path / "a.json"
        nodes = [{"level": 0, "text": "А"}]
        file.write_text(json.dumps({"tree": "Рана", "axes": ["эмпатя", "вина"], "nodes": nodes}))
        report = forest.import_files(file)
        assert report.added == ["рана"]
        assert report.notices == [
            f"{file}: the axis 'эмпатя' of the tree 'рана' is new; was 'эмпатия' meant?"
        ]
        assert forest.import_files(file).notices == []
