"""`forest new`: a skeleton that an author fills in and imports."""

from __future__ import annotations

import shlex

import pytest

from anchors.registry import Registry
from anchors.skeletons import fitting, templates
from forest import Forest
from tests.anchors.helpers import anchor

NAMES = [template.name for template in templates()]


@pytest.fixture
def planted(run):
    run("init")
    assert run("add", "sea", "--new", "Море", "--anchor", "цена памяти", "Мысль.")[0] == 0
    return run


@pytest.mark.parametrize("title", ["Память: «цена»?", "The price of memory"])
@pytest.mark.parametrize("name", NAMES)
def test_every_skeleton_is_imported_once_it_is_filled_in(planted, tmp_path, name, title):
    assert planted("new", title, "--template", name, "--out", "new.yaml")[0] == 0
    file = tmp_path / "new.yaml"
    empty = file.read_text()
    code, _, err = planted("import", "new.yaml")
    assert code == 1
    assert "new.yaml" in err
    count = 0
    while 'text: ""' in empty:
        count += 1
        empty = empty.replace('text: ""', f"text: Мысль {count}.", 1)
    file.write_text(empty)
    assert planted("import", "new.yaml")[0] == 0
    with Forest.open() as forest:
        (info,) = [i for i in forest.infos() if i.id != "sea"]
        assert (info.title, info.size, info.lang) == (
            title,
            count,
            "ru" if "цена" in title else "en",
        )
        assert all(thought.kind for thought in forest.get(info.id).thoughts)


def test_anchors_with_rare_words_of_the_title_come_first():
    wide = [anchor(f"мысль и {n}", trees=9) for n in range(20)]
    offered = fitting(Registry([*wide, anchor("цена памяти")]), "Мысль и память", "ru")
    assert offered[0] == "цена памяти"
    assert len(offered) == 12


def test_anchors_of_other_languages_are_offered_behind_those_of_its_own(planted):
    planted("add", "field", "--new", "The field", "--anchor", "price of memory", "A thought.")
    out = planted("new", "Der Preis", "--lang", "de")[1]
    assert '#   "цена памяти"\n' in out
    out = planted("new", "Lunch", "--lang", "en")[1]
    assert '#   "price of memory"\n#   "цена памяти"\n' in out


def test_the_next_command_can_be_copied_from_what_is_said(planted):
    out = planted("new", "Другое", "--out", "новое дерево.yaml")[1]
    assert (
        out == "written to новое дерево.yaml; next: fill it in, forest import 'новое дерево.yaml'\n"
    )
    planted("anchors", "proposals", "--out", "обзор.yaml")
    out = planted("anchors", "proposals", "--out", "it's.yaml")[1]
    assert shlex.split(out.partition("edit it, ")[2])[-2:] == ["--from", "it's.yaml"]


def test_anchors_that_fit_are_offered_as_comments(planted):
    out = planted("new", "О памяти")[1]
    assert '#   "цена памяти"\n' in out
    assert "# Предпосылка: из чего вы исходите?" in out
    assert "# Premise:" in planted("new", "О памяти", "--lang", "en")[1]


def test_templates_are_listed_and_an_author_adds_own_ones(planted, tmp_path, monkeypatch):
    own = tmp_path / "own"
    own.mkdir()
    (own / "letter.yaml.j2").write_text(
        '{# A letter #}\n{% import "_parts.yaml.j2" as parts -%}\n'
        "{{ parts.head(title, lang, axes, anchors) }}\n{{- parts.node(0, 'greeting', 'To whom?') }}"
    )
    monkeypatch.setenv("FOREST_TEMPLATES", str(own))
    out = planted("new", "--list")[1]
    assert "letter\t\tA letter" in out
    assert "paradox\ten, ru\tParadox" in out
    assert "# To whom?" in planted("new", "Письмо", "--template", "letter")[1]
    (own / "letter.yaml.j2").write_text("x\n{{ title")
    code, _, err = planted("new", "Письмо", "--template", "letter")
    assert code == 1
    assert "letter.yaml.j2:2:" in err
    for wrong, problem in (
        ("title: [", "letter.yaml.j2: what it writes is not YAML at line 1"),
        ("Dear {{ title }}", "letter.yaml.j2: what it writes is no tree"),
    ):
        (own / "letter.yaml.j2").write_text(wrong)
        code, out, err = planted("new", "Письмо", "--template", "letter")
        assert (code, out) == (1, "")
        assert problem in err
    (own / "letter.yaml.j2").write_text("{# Письмо #}\n{% for x in %}")
    assert "letter\t\tbroken: letter.yaml.j2:2: Expected" in planted("new", "--list")[1]
    (own / "letter.yaml.j2").write_bytes("{# Письмо #}".encode("cp1251"))
    assert "letter\t\tletter.yaml.j2: it is not UTF-8 at byte 3" in planted("new", "--list")[1]
    code, _, err = planted("new", "Письмо", "--template", "letter")
    assert (code, err) == (1, "forest: letter.yaml.j2: it is not UTF-8 at byte 3\n")


def test_what_a_template_lacks_is_named(planted, tmp_path):
    (tmp_path / "letter.ru.yaml.j2").write_text("tree: {{ title }}\n")
    (tmp_path / "inc.yaml.j2").write_text('{% include "/etc/passwd" %}')
    own = ("--templates", str(tmp_path), "--template")
    _, _, err = planted("new", "Letter", *own, "letter")
    assert "the template 'letter' is written in ru, not in en\nSay --lang ru" in err
    assert "inc.yaml.j2: it includes '/etc/passwd', which is" in planted("new", "А", *own, "inc")[2]


def test_what_is_refused(planted, tmp_path):
    code, _, err = planted("new", "Море и суша", "--template", "sonnet")
    assert code == 1
    assert "no template 'sonnet'" in err
    assert "paradox" in err
    assert planted("add", "море", "--new", "Море", "Мысль.")[0] == 0
    code, _, err = planted("new", "Море")
    assert code == 1
    assert "already has a tree 'море'" in err
    (tmp_path / "kept.yaml").write_text("mine")
    assert planted("new", "Лес", "--out", "kept.yaml")[0] == 1
    assert (tmp_path / "kept.yaml").read_text() == "mine"
    assert planted("new", "Лес", "--templates", "nowhere")[0] == 2
    assert planted("new")[0] == 2


LOOP = "{% for i in range(99999) %}"
END = "{% endfor %}"


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        (f"{LOOP}{LOOP}{END}{END}", "more than 200,000 steps"),
        (LOOP + LOOP.replace(" %}", " if false %}") + END + END, "more than 200,000 steps"),
        ("{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}", "calls itself without an end"),
        ("{% include 'own.yaml.j2' %}", "calls itself without an end"),
        (f"{LOOP}tree: a long line\n{END}", "more than 1,000,000 characters"),
        ("{{ 'x' * 10**9 }}", "more than 1,000,000 characters"),
        (
            "{% set n = namespace(a='x') %}" + LOOP + "{% set n.a = n.a ~ n.a %}" + END,
            "more than 1,000,000 characters",
        ),
        ("{{ 'x' | center(999999999) }}", "own.yaml.j2:1: it has a number above 1,000,000"),
        ("{{ ''.__class__.__mro__ }}", "'__class__' of 'str' object is unsafe"),
        ("\n{{ 1 / 0 }}", "own.yaml.j2: division by zero"),
        ("{{ anchors.append(title) }}", "'append' of 'list' object is unsafe"),
    ],
)
def test_a_template_reaches_out_of_nothing_and_ends(planted, tmp_path, template, problem):
    (tmp_path / "own.yaml.j2").write_text(template)
    code, out, err = planted("new", "А", "--templates", str(tmp_path), "--template", "own")
    assert (code, out) == (1, "")
    assert err.startswith("forest: own.yaml.j2")
    assert problem in err


def test_a_template_in_another_language_than_asked_for_is_named(planted):
    code, out, err = planted("new", "Schwelle", "--lang", "de", "--template", "paradox")
    assert (code, "lang: de" in out) == (0, True)
    assert err == "note: the template 'paradox' is not written in de: it is the English one\n"
    assert planted("new", "Schwelle", "--lang", "en-GB")[2] == ""


def test_a_language_that_is_none_is_refused(planted):
    code, out, err = planted("new", "Порог", "--lang", "русский")
    assert (code, out) == (1, "")
    assert "expected a language such as ru, en or pt-BR (BCP 47), got 'русский'" in err
