"""Each measure of behaviour tells a voice that does what is asked from one that does not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.conftest import Run
from tests.training.conftest import written
from tests.training.test_evaluate import probe as named_probe
from tests.training.test_evaluate import thought_texts
from training.behaviour.formulas import Formulas, Nearest, Said, foreign, terms_of
from training.behaviour.intervals import difference, interval, side
from training.behaviour.jumps import ANY, GUIDED, RATE, Jumps, answers, jumps
from training.behaviour.measures import Measure, not_measured, section
from training.behaviour.page import page
from training.behaviour.pictures import picture
from training.behaviour.plain import Plain
from training.behaviour.repetition import FREE, Repetition
from training.behaviour.report import markdown, verdicts
from training.behaviour.scenes import Scenes, Unseen, Ways
from training.behaviour.speaker import Speaker
from training.behaviour.style import Registers, Style
from training.corpus import Corpus
from training.errors import CorpusError, TrainingError
from training.evaluate import Questions, evaluate, phrases
from training.probes import HELD_OUT, NEVER, SEEN, probes

WAYS = Ways(samples=2, length=20, seed=7, most=50)
Says = Callable[[str], Sequence[str]]


class Voice:
    """A speaker that needs no model: what it says to a text, and how it likes one after it."""

    def __init__(self, says: Says, likes: Callable[[str, str], float] = lambda *_: 0.0) -> None:
        self._says, self._likes = says, likes

    def scores_each(self, questions: Sequence[tuple[str, Sequence[str]]]) -> list[list[float]]:
        return [[self._likes(prompt, text) for text in texts] for prompt, texts in questions]

    def guided_each(
        self, questions: Sequence[tuple[str, str, Sequence[str]]], weight: float
    ) -> list[list[float]]:
        def guided(asked: str, bare: str, text: str) -> float:
            return (1 + weight) * self._likes(asked, text) - weight * self._likes(bare, text)

        return [[guided(asked, bare, text) for text in texts] for asked, bare, texts in questions]

    def continued(self, texts: Sequence[str], number: int, *_: Any, **__: Any) -> list[list[str]]:
        return [[*self._says(text)][:1] * number for text in texts]

    def samples_each(self, prompts: Sequence[str], number: int, *_: Any) -> list[list[str]]:
        return self.continued(prompts, number)

    def length(self, _: Sequence[str]) -> int:
        return 20


def told(
    measure: Measure, *voices: Any, controls: Sequence[str] = (), anchors: int = 1
) -> dict[str, Any]:
    """What a measure finds, as if it asked all its questions at so many times as many anchors."""
    names = ["base", "mask", "control"]
    found = {
        name: [
            one._replace(cluster=f"{one.cluster} {n}")
            for n in range(anchors)
            for one in measure.ask(voice)
        ]
        for name, voice in zip(names, voices, strict=False)
    }
    return section(measure, found, controls)


def means(group: dict[str, Any], what: str) -> list[float]:
    return [score["mean"] for score in group["scores"][what].values()]


# --- numbers --------------------------------------------------------------------------------------


def test_answers_of_one_anchor_are_not_many_answers():
    values = [1.0] * 20 + [0.0] * 20
    alone, together = interval(values), interval(values, ["a"] * 20 + ["b"] * 20)
    assert (alone["mean"], alone["clusters"], together["clusters"]) == (0.5, 40, 2)
    assert together["high"] - together["low"] > alone["high"] - alone["low"]
    one = interval([1.0, 0.0], ["a", "a"])
    assert (one["low"], one["high"], one["clusters"]) == (0.5, 0.5, 1)


def test_twelve_right_answers_are_no_certainty():
    told = interval([1.0] * 12)
    assert (told["mean"], told["high"]) == (1, 1)
    assert told["low"] == pytest.approx(0.025 ** (1 / 12), abs=1e-3)
    same = difference([0.0] * 12, [0.0] * 12)
    assert same["mean"] == 0
    assert same["low"] < -0.2 < 0.2 < same["high"]


def test_a_difference_is_paired():
    hard = [0.1 * n for n in range(10)]
    easy = [value + 0.05 + 0.001 * (n % 2) for n, value in enumerate(hard)]
    less = difference(easy, hard)
    assert 0.05 < less["low"] < less["high"] < 0.051
    assert interval(easy)["low"] < interval(hard)["high"]


def test_what_is_the_same_of_two_is_not_certain():
    for less in (difference([1.0, 0.5], [0.5, 0.0]), difference([0.0] * 2, [0.5] * 2)):
        assert abs(less["mean"]) == 0.5
        assert less["low"] < 0 < less["high"]
    half = interval([0.5, 0.5])
    assert (half["mean"], half["clusters"]) == (0.5, 2)
    assert half["low"] < 0.1
    assert half["high"] > 0.9


@pytest.mark.parametrize("told", [[1.0] * 5, [1.0] * 4 + [0.9999]])
def test_what_was_hardly_missed_is_no_surer_than_what_was_not_missed(told: list[float]):
    """Five right answers, and five of which one is a hair off, say the same of the sixth."""
    found = interval(told)
    assert (found["low"], found["high"]) == pytest.approx((0.025 ** (1 / 5), 1), abs=1e-3)


@pytest.mark.parametrize(("right", "of", "low", "high"), [(6, 40, 0.0571, 0.2984),
                                                          (20, 40, 0.3380, 0.6620)])  # fmt: skip
def test_the_interval_of_yes_and_no_is_the_exact_one(right: int, of: int, low: float, high: float):
    told = interval([1.0] * right + [0.0] * (of - right))  # beside Clopper and Pearson's
    assert (told["low"], told["high"]) == pytest.approx((low, high), abs=0.006)


def test_few_clusters_of_a_scale_without_ends_have_the_interval_of_student():
    bits = interval([2.0, 4.0, 6.0], share=False)
    assert bits["low"] == pytest.approx(4 - 4.303 * 2 / 3**0.5, abs=1e-3)
    same = interval([0.2] * 3 + [0.4] * 5 + [0.6], ["a"] * 3 + ["b"] * 5 + ["c"])
    assert same["clusters"] == 3
    assert same["low"] < same["mean"] == pytest.approx(3.2 / 9, abs=1e-4)


@pytest.mark.parametrize(("questions", "shown"), [(5, 0), (6, 1)])
def test_a_difference_of_too_few_is_not_shown(questions: int, shown: int):
    assert side(difference([1.0] * questions, [0.0] * (questions - 1) + [0.1])) == shown
    assert side(difference([0.0] * (questions - 1) + [0.1], [1.0] * questions)) == -shown


# --- formulas -------------------------------------------------------------------------------------


def test_terms_are_read_from_a_formula_as_it_is_written():
    assert terms_of("Δ12 = (вода — среда + весна)\n") == ("вода", "весна")
    assert terms_of("Δ91 = весна + жара + шаг\n") == ("весна", "жара", "шаг")
    assert terms_of("Λ1 = (Δ12 → Δ41)\nΔ12 = (вода + весна)\nΔ41 = (жар)\n") == (
        "вода", "весна", "жар",
    )  # fmt: skip


def test_a_text_is_nearest_to_the_formula_that_it_speaks_of(voiced: Corpus):
    formulas = Formulas(voiced)
    assert {one.code for one in formulas.all} == {"Δ12", "Δ21", "Δ33", "Δ47"}
    nearest = Nearest(formulas.all)
    assert nearest.of(["Весенние воды неясны.", "камни на дорогах", "", "xyz"]) == [
        "Δ12", "Δ33", None, None,
    ]  # fmt: skip
    right = nearest.right()
    assert len(right) == 7
    assert sum(score for _, score in right) > 5


def test_terms_are_heard_in_any_form_and_the_authors_own_words_are_not_foreign(voiced: Corpus):
    assert Said(["вода", "берег реки"])("О водах и о берегах реки") == ["вода", "берег реки"]
    by_code = {one.code: one for one in Formulas(voiced).all}
    strange = foreign(by_code["Δ12"], list(by_code.values()))
    assert {"страх", "камень", "огонь"} <= set(strange)
    assert not {"вода", "весна", "неясность"} & set(strange)


def test_composed_formulas_are_new_and_of_the_same_structure(voiced: Corpus):
    formulas = Formulas(voiced)
    composed = formulas.composed(7)
    known = {frozenset(one.terms) for one in formulas.all}
    assert [one.operator for one in composed] == [one.operator for one in formulas.all]
    assert not known & {frozenset(one.terms) for one in composed}
    assert not {one.code for one in formulas.all} & {one.code for one in composed}
    assert all(terms_of(one.body) == one.terms for one in composed)
    assert composed == formulas.composed(7) != formulas.composed(8)


# --- scenes and style -----------------------------------------------------------------------------


def author(corpus: Corpus) -> Says:
    """Says to a formula's prompt the author's own scene, or one in that register."""
    formulas = Formulas(corpus)
    scenes = {
        formulas.prompt(one, register): one.scenes.get(register, [" ".join(one.terms)])
        for one in formulas.all
        for register in formulas.registers
    }
    laws = {f"{one.code} =": [one.law.partition("= ")[2]] for one in formulas.all}
    return lambda text: (scenes | laws).get(text, [""])


def test_a_scene_holds_where_the_formula_is_found_again(voiced: Corpus):
    formulas = Formulas(voiced)
    strange = Voice(lambda _: ["О камень, память дорог, ты молчишь громче колоколов!"])
    found = told(Scenes(formulas, WAYS, ["память дороги"]), strange, Voice(author(voiced)))
    by_name = {group["name"]: group for group in found["groups"]}
    assert set(by_name) == {"логически", "поэтически", "the code alone"}
    assert means(by_name["поэтически"], "found") == [0.25, 1.0]
    assert means(by_name["поэтически"], "no foreign term") == [0.25, 1.0]
    assert means(by_name["поэтически"], "no banned term") == [0.0, 0.75]  # its author says it
    assert means(by_name["the code alone"], "unfolds") == [0.0, 1.0]
    assert by_name["поэтически"]["given"]["found, by chance"]["mean"] == 0.25
    worst = found["worst"]["base"][0]
    assert worst["said"] == ["О камень, память дорог, ты молчишь громче колоколов!"] * 2
    assert worst["asked"].startswith("Δ")


def test_silence_holds_nothing(voiced: Corpus):
    found = told(Scenes(Formulas(voiced), WAYS), Voice(lambda _: [""]))
    assert means(found["overall"], "found") == [0]
    assert means(found["overall"], "no foreign term") == [0]


def test_an_unseen_scene_holds_where_its_own_terms_are_said(voiced: Corpus):
    formulas = Formulas(voiced)
    prompts = {
        formulas.prompt(one, register): " и ".join(one.terms)
        for one in formulas.composed(WAYS.seed)
        for register in formulas.registers
    }
    found = told(
        Unseen(formulas, WAYS),
        Voice(lambda _: ["Берег молчит"]),
        Voice(lambda text: [prompts[text]]),
    )
    base, mask = means(found["overall"], "found")
    assert (base, mask) == (0, 1)
    assert {group["name"] for group in found["groups"]} == {"логически", "поэтически"}


def test_style_is_told_by_its_manner_whatever_the_topic(voiced: Corpus):
    poetic = Voice(lambda _: ["О окно, ты тише письма, и ожидание твоё светлее!"])
    asked = Voice(
        lambda text: [
            "О окно, ты тише письма, и ожидание твоё светлее!"
            if text.endswith("поэтически:")
            else "Если окно закрыто, следовательно письмо опаздывает; значит, ожидание есть расчёт."
        ]
    )
    found = told(Style(Formulas(voiced), WAYS), poetic, asked)
    one_manner, right = means(found["overall"], "style, other topics")
    assert one_manner < 0.6 < right == 1
    assert "chance is 50%" in found["method"]


def test_the_words_of_a_formulas_own_scenes_do_not_give_its_style_away(voiced: Corpus):
    formulas = Formulas(voiced)
    one, another = formulas.all[0], formulas.all[1]
    strange = "Щъщъ ыщщ ъыщъ щыъщ."
    (guessed,) = Registers(formulas).of([strange], without=one)
    (other,) = {"логически", "поэтически"} - {guessed}
    one.scenes.setdefault(other, []).append(strange)
    assert Registers(formulas).of([strange], without=one) == [guessed]
    assert Registers(formulas).of([strange], without=another) == [other]


def test_style_is_not_measured_where_the_corpus_does_not_teach_it(voiced: Corpus):
    formulas = Formulas(voiced)
    for one in formulas.all:  # the same manner in both registers
        one.scenes["логически"] = one.scenes["поэтически"] = [" ".join(one.terms)]
    with pytest.raises(CorpusError, match=r"cannot be told apart: it recognises .* chance is 50%"):
        Style(formulas, WAYS)
    for one in formulas.all:
        del one.scenes["поэтически"]
    with pytest.raises(CorpusError, match=r"of 3 formulas each; the corpus has, .*логически: 4"):
        Style(formulas, WAYS)


# --- repetition, plain text -----------------------------------------------------------------------


def test_loops_copies_and_silence_are_seen(voiced: Corpus):
    measure = Repetition(voiced, None, WAYS)
    loop = Voice(lambda _: ["раз два три четыре " * 6])
    found = told(measure, loop, Voice(lambda text: [text]), Voice(lambda _: [" …"]))
    (group,) = found["groups"]
    assert group["name"] == FREE
    looped, copied, silent = means(group, "repeated")
    assert looped > 0.7
    assert copied == silent == 0
    assert means(group, "copies") == [0, 1, 0]
    assert means(group, "empty") == [0, 0, 1]
    assert group["scores"]["distinct"]["base"]["mean"] < 0.2
    assert group["given"]["repeated, the corpus's own text"]["mean"] == 0


def test_plain_text_is_read_in_paragraphs_and_must_hold_some(tmp_path: Path):
    class Wordy:
        def bits(self, texts: Sequence[str]) -> list[float]:
            return [8.0 * len(text.encode()) for text in texts]

    found = told(Plain(None, 5, 7), Wordy())
    assert {group["name"]: group["questions"] for group in found["groups"]} == {
        "Russian": 5, "English": 5,
    }  # fmt: skip
    assert means(found["overall"], "bits a byte") == [8]
    path = tmp_path / "plain.txt"
    path.write_text(f"Один абзац.\n\n{'слово ' * 400}", encoding="utf-8")
    assert Plain(path, 50, 7).questions == 1 + 4
    path.write_text(" \n\n \n", encoding="utf-8")
    with pytest.raises(TrainingError, match=r"plain\.txt holds no text"):
        Plain(path, 50, 7)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(TrainingError, match="is not UTF-8 text"):
        Plain(path, 50, 7)
    (tmp_path / "none.txt").write_text("\n", encoding="utf-8")
    with pytest.raises(TrainingError, match="holds no phrase"):
        phrases(tmp_path / "none.txt")


# --- jumps ----------------------------------------------------------------------------------------


def test_anchors_that_no_walk_jumps_at_are_a_group_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Cards tell what follows them."""
    corpus = Corpus.open(written(tmp_path / "corpus", kinds=("path", "walk", "card")))
    records = list(corpus.records("train"))
    anchors = sorted({jump["anchor"] for one in records for jump in one["meta"]["jumps"]})
    silent = set(anchors[:3])
    kept = [
        one for one in records if not silent & {jump["anchor"] for jump in one["meta"]["jumps"]}
    ]
    monkeypatch.setattr(Corpus, "records", lambda *_: iter(kept))
    monkeypatch.setattr(Corpus, "probes", lambda _: iter(()))
    asked = probes(corpus, 200)
    assert {probe.group for probe in asked} == {SEEN, HELD_OUT, NEVER}
    for probe in asked:
        assert (probe.group == NEVER) == (probe.anchor in silent)
        assert probe.other not in probe.prompt
        assert probe.other not in probe.there


def test_a_probe_knows_the_trees_that_paths_tell(corpus: Corpus):
    text = thought_texts(corpus)
    asked = [probe for probe in probes(corpus, 100) if probe.there]
    assert len(asked) > 10
    for probe in asked:
        assert probe.other not in probe.there
        tree = probe.target.partition("/")[0]
        own = {words for thought, words in text.items() if thought.startswith(f"{tree}/")}
        assert set(probe.there.split("\n")) <= own


def test_a_premise_stands_behind_the_other_premises():
    """As in proofs: a fact has no child, and supports what it is a premise of."""
    from training.probes import Ways as Trees

    trees = Trees()
    for path in (("r", "a"), ("r", "b"), ("r", "c", "d")):
        spans = [
            {"start": n, "end": n + 1, "role": "thought", "thought": n} for n in range(len(path))
        ]
        trees.listen({"text": "".join(path), "meta": {"spans": spans, "thoughts": list(path)}})
    assert trees.before("b") == ["a", "b"]
    assert trees.before("d") == ["r", "c", "d"]
    assert trees.before("x") == []


def test_in_a_proof_all_premises_come_before_the_one_that_is_jumped_from():
    """A proof is one path, which says some of them behind it; a walk does not, nor a prompt."""
    from training.probes import Ways as Trees

    trees, path = Trees(), ["b", "fact", "q", "so", "end"]
    spans, at = [], 0
    for n, text in enumerate(path):
        spans.append({"start": at, "end": at + len(text), "role": "thought", "thought": n})
        at += len(text)
    trees.listen({"text": "".join(path), "meta": {"spans": spans, "thoughts": path}})
    assert trees.before("fact", "so") == ["b", "q", "fact"]
    assert trees.before("fact", "elsewhere") == trees.before("fact") == ["b", "fact"]
    assert trees.before("q", "so") == ["b", "fact", "q"]


def jumping(corpus: Corpus, always: bool) -> Voice:
    """Goes to another tree after the marker; or stays where it is."""
    asked = {f"{p.prompt}\n{p.request}": p for p in probes(corpus, WAYS.most)}
    own = {p.prompt: p for p in asked.values()}

    def likes(prompt: str, text: str) -> float:
        probe = asked.get(prompt) or own.get(prompt)
        if probe is None:  # Y's own context
            return float(any(p.there == prompt and p.other == text for p in asked.values()))
        if prompt in asked and always:
            return float(text in probe.others)
        return float(text == probe.own)

    def says(prompt: str) -> list[str]:
        return [asked[prompt].other if always else (asked[prompt].own or "")]

    return Voice(says, likes)


def test_who_jumps_is_told_from_who_stays(corpus: Corpus):
    measure = Jumps(corpus, WAYS.most, 2, WAYS.seed)
    found = told(measure, jumping(corpus, False), jumping(corpus, True), jumping(corpus, False))
    group = next(g for g in found["groups"] if g["name"] == HELD_OUT)
    for what in ("emission, any", "emission, rate", "leaving"):
        base, mask, _ = means(group, what)
        assert (base, mask) == (0, 1), what
    assert means(group, "coherence") == [1, 1, 1]
    assert means(group, "emission, own")[1] == 0
    assert means(group, "recall")[1] == 1
    sides, known = (group["scores"][x]["mask"] for x in ("known sides", "emission, any | known"))
    assert known["n"] == round(sides["mean"] * sides["n"]) > 0
    assert group["differences"]["emission, any"]["mask"]["base"]["mean"] == 1


def test_a_request_by_name_asks_for_one_tree_of_those_that_carry_the_anchor():
    """Who obeys the name alone is told from who only leaves, and from who is not asked by name."""
    shore, tree = "Порог помнит воду.", "Вода молчит у камня."
    asked = named_probe(other=shore, others=(shore, tree), name="› Берег")

    def likes(prompt: str, text: str) -> float:
        wanted = shore if prompt == "Берег и зерно.\n⤳ порог › Берег" else tree
        return 2.0 if text == wanted else float(text == asked.own)

    leaves, obeys = (
        Voice(lambda _: [tree], lambda _, text: 2.0 * (text == tree)),
        Voice(lambda prompt: [shore if "›" in prompt else tree], likes),
    )
    wanted = {"request, named", "destination", "emission, named"}
    for voice, is_obeyed in ((obeys, 1.0), (leaves, 0.0)):
        (found,) = answers(cast("Speaker", voice), [asked], 2)
        assert {name: found[name] for name in wanted} == dict.fromkeys(wanted, is_obeyed)
        assert (found["leaving"], found["request"]) == (1, 0)
    (found,) = answers(cast("Speaker", obeys), [asked._replace(name="")], 2)
    assert wanted.isdisjoint(found)


def test_a_voice_that_hears_the_marker_a_little_leaves_where_it_counts_more():
    """X's own is likelier with the marker too, but less than without it: guided, Y's wins."""
    asked = named_probe(other="Порог помнит воду.", others=("Порог помнит воду.",))

    def voice(hears: float) -> Voice:
        def likes(prompt: str, text: str) -> float:
            own = 3.0 - hears * ("⤳" in prompt)
            return {asked.other: 1.5, asked.own: own}.get(text, 0.0)

        return Voice(lambda _: [asked.other], likes)

    for hears, leaves in ((1.2, 1.0), (0.0, 0.0)):
        (found,) = answers(cast("Speaker", voice(hears)), [asked], 2)
        assert (found["leaving"], found["leaving, guided"]) == (0, leaves)
        assert found["emission, guided"] == 1


def test_more_draws_tell_the_same_with_less_left_to_chance():
    """A voice that is right each fourth time: one of two is right in 43 of 100 pairs of draws."""
    asked = named_probe(other="Порог помнит воду.", others=("Порог помнит воду.",), name="")

    class Fourth(Voice):
        def samples_each(self, prompts: Sequence[str], number: int, *_: Any) -> list[list[str]]:
            return [[asked.other if n % 4 == 3 else "Молчу." for n in range(number)]] * len(prompts)

    voice = cast("Speaker", Fourth(lambda _: []))
    few, many = (jumps(voice, [asked], 2, [7], draws)[0] for draws in (0, 40))
    assert (few.scores[ANY], few.scores[RATE]) == (0, 0)
    assert many.scores[ANY] == pytest.approx(1 - (30 * 29) / (40 * 39))
    assert many.scores[GUIDED] == many.scores[ANY]
    assert many.scores[RATE] == 0.25
    assert len(many.said) == 2


# --- the report -----------------------------------------------------------------------------------


def report_of(
    *sections: dict[str, Any], controls: Sequence[str] = (), torn: Sequence[str] = ()
) -> dict[str, Any]:
    mask = {
        "sha256": "0" * 64, "kinds": ["walk"], "steps": 3, "tokens": 9, "seed": 0,
        "trained_on_this_corpus": True,
    }  # fmt: skip
    return {
        "corpus": {"hash": "c" * 64, "path": "corpus"},
        "base": {"source": "<b>tiny</b>", "hash": "b" * 64, "torn": list(torn)},
        "masks": {"mask": mask, "control": mask},
        "controls": list(controls),
        "asked": {"seed": 7, "most": 50, "samples": 2, "length": 20},
        "sections": list(sections),
    }


def test_the_report_answers_first_whether_it_jumps_compared_with_the_control(corpus: Corpus):
    measure = Jumps(corpus, WAYS.most, 2, WAYS.seed)
    jumps, stays = jumping(corpus, True), jumping(corpus, False)
    for voices, word in (((stays, jumps, stays), "Yes"), ((stays, jumps, jumps), "Not shown"),
                         ((stays, stays, jumps), "No")):  # fmt: skip
        found = told(measure, *voices, controls=["control"], anchors=3)
        report = report_of(found, controls=["control"])
        (verdict,) = verdicts(report)
        assert verdict.mask == "mask"
        assert {True: "Yes", False: "No", None: "Not shown"}[verdict.holds] == word
        assert f"- **{word}.** mask" in markdown(report)
        shown = page(report)
        assert shown.index(f"<strong>{word}.</strong>") < shown.index("<section>")
        assert "mask − control" in shown


def test_means_and_intervals_can_be_worked_out_again_from_the_report(corpus: Corpus):
    measure = Jumps(corpus, WAYS.most, 2, WAYS.seed)
    found = told(measure, jumping(corpus, False), jumping(corpus, True), anchors=2)
    for group in found["groups"]:
        own = [one for one in found["questions"] if one["group"] == group["name"]]
        assert len(own) == group["questions"]
        for what, voices in group["scores"].items():
            for voice, score in voices.items():
                told_ = [(o["scores"][voice].get(what), o["cluster"]) for o in own]
                values = [(value, cluster) for value, cluster in told_ if value is not None]
                assert interval(*map(list, zip(*values, strict=True))) == score


def test_a_group_that_is_not_asked_is_told(corpus: Corpus):
    measure = Jumps(corpus, WAYS.most, 2, WAYS.seed)
    groups = {one.group for one in measure.ask(cast("Speaker", jumping(corpus, True)))}
    missing = {HELD_OUT, SEEN, NEVER} - groups
    assert missing
    assert all(f"the corpus has no such probe: {group}." in measure.method for group in missing)
    assert "temperature 1" in measure.method


def test_a_verdict_of_two_questions_is_not_yes(corpus: Corpus):
    jumps, stays = jumping(corpus, True), jumping(corpus, False)
    found = told(Jumps(corpus, 2, 2, WAYS.seed), stays, jumps, stays, controls=["control"])
    report = report_of(found, controls=["control"])
    (verdict,) = verdicts(report)
    assert verdict.holds is None
    assert "2 drawn independently show no difference; 6 can" in verdict.text
    assert "good" not in page(report).partition("<style>")[0]


def test_where_no_voice_says_a_continuation_the_likelier_one_decides(corpus: Corpus):
    jumps, stays = jumping(corpus, True), jumping(corpus, False)
    silent = [Voice(lambda _: ["Молчу."], voice._likes) for voice in (stays, jumps, stays)]
    measure = Jumps(corpus, WAYS.most, 2, WAYS.seed)
    found = told(measure, *silent, controls=["control"], anchors=3)
    (verdict,) = verdicts(report_of(found, controls=["control"]))
    assert verdict.holds
    assert verdict.text.startswith("says no continuation in full, nor does any other voice, but")
    found = told(Jumps(corpus, WAYS.most, 0, WAYS.seed), *silent, controls=["control"], anchors=3)
    (verdict,) = verdicts(report_of(found, controls=["control"]))
    assert verdict.text.startswith("(nothing was sampled: what it would say is not asked) prefers")


def test_the_page_is_one_file_with_pictures_and_everything_escaped(voiced: Corpus):
    evil = Voice(lambda _: ["<script>alert(1)</script> Весна & вода"])
    found = told(Scenes(Formulas(voiced), WAYS), evil, evil, evil)
    found["worst"]["mask"][0] |= {"asked": "<img src=x>", "expected": ["<img src=y>"]}
    missing = not_measured("style", "Style", "the corpus teaches <none>")
    shown = page(report_of(found, missing))
    assert "<script" not in shown
    assert "<img" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt; Весна &amp; вода" in shown
    assert "Not measured: the corpus teaches &lt;none&gt;" in shown
    assert "&lt;b&gt;tiny&lt;/b&gt;" in shown
    assert not re.search(r"<[^>]*(?:src|href)=|@import|url\(", shown)
    assert "prefers-color-scheme:dark" in shown
    drawn = ElementTree.fromstring(picture(found, ["base", "mask", "control"], ["control"]))
    assert drawn.tag.endswith("svg")


@pytest.mark.usefixtures("stack")
def test_rows_beside_each_other_say_what_each_says_alone(base: Any, corpus: Corpus, stack: Any):
    from training.behaviour.speaker import Speaker

    model, tokenizer = base.model(), base.tokenizer()
    asked = probes(corpus, 4)
    prompts = [probe.prompt for probe in asked]
    questions = [(probe.prompt, probe.distractors) for probe in asked]
    with stack.inference_mode():
        together = Speaker(model, tokenizer)
        scores, said = (
            together.scores_each(questions),
            together.samples_each(prompts, 2, 12, [*range(len(asked))]),
        )
        for n, (prompt, texts) in enumerate(questions):
            alone = Speaker(model, tokenizer)
            assert alone.scores(prompt, texts) == pytest.approx(scores[n], abs=1e-4)
            assert alone.samples(prompt, 2, 12, n) == said[n]
        assert not any("\n" in text for some in said for text in some)
        assert said[0] != Speaker(model, tokenizer).samples(prompts[0], 2, 12, 99)
        assert together.bits(["Вода и весна."])[0] > 8


@pytest.mark.usefixtures("stack")
def test_a_guided_voice_says_what_the_request_adds(base: Any, corpus: Corpus, stack: Any):
    """Scores and samples are those of the tokens that it finds likely, read by hand."""
    model, tokenizer = base.model(), base.tokenizer()
    asked, bare, weight = "Вода и порог.\n⤳ порог", "Вода и порог.", 2.0

    def likely(ids: list[int], before: str) -> Any:
        start = tokenizer(f"{before}\n").input_ids
        told = model(input_ids=stack.tensor([[*start, *ids]])).logits[0, len(start) - 1 :]
        return told.log_softmax(-1)

    def guided(ids: list[int]) -> Any:
        both = (1 + weight) * likely(ids, asked) - weight * likely(ids, bare)
        return both.log_softmax(-1)

    texts = probes(corpus, 1)[0].distractors[:3]
    with stack.inference_mode():
        speaker = Speaker(model, tokenizer)
        (scores,) = speaker.guided_each([(asked, bare, texts)], weight)
        for score, text in zip(scores, texts, strict=True):
            ids = tokenizer(text, add_special_tokens=False).input_ids
            assert score == pytest.approx(float(guided(ids)[range(len(ids)), ids].mean()), abs=1e-3)
        (as_it_is,) = speaker.guided_each([(asked, bare, texts)], 0.0)
        assert as_it_is == pytest.approx(speaker.scores(asked, texts), abs=1e-4)

        def drawn(likelihoods: Any, seed: int) -> int:
            heap = likelihoods.double().exp().cumsum(-1)
            lot = float(np.random.default_rng([seed, 0]).random(1)[0])
            return int((heap <= lot * heap[-1]).sum())

        ours, plain = guided([])[0], likely([], asked)[0]
        seed = next(n for n in range(1000) if drawn(ours, n) != drawn(plain, n))
        # One of the rows is padded; a token is drawn by the first number of its own.
        (_, (said,)) = Speaker(model, tokenizer).samples_each(
            [f"Ещё строка.\n{asked}", asked], 1, 1, [0, seed], ["Ещё строка.\nВода", bare], weight
        )
        assert said == tokenizer.decode([drawn(ours, seed)]).strip()


@pytest.mark.usefixtures("stack")
def test_what_cannot_be_asked_is_told_as_not_measured(
    base: Any, voiced: Corpus, run: Run, tmp_path: Path
):
    where = ("--base", str(base.path), "--corpus", str(voiced.path), "--samples", "1")
    some = ("--only", "jumps,plain,style", "--probes", "1", "--length", "4", "--out", "report")
    code, out, err = run("evaluate", *where, *some)
    assert (code, err) == (0, "")
    assert "Not measured: the corpus " in out
    report = json.loads((tmp_path / "report" / "report.json").read_text("utf-8"))
    kinds = {one["key"]: "groups" in one for one in report["sections"]}
    assert kinds == {"jumps": False, "style": True, "plain": True}
    shown = (tmp_path / "report" / "report.html").read_text("utf-8")
    assert "Jumps were not measured" in shown
    assert {path.name for path in (tmp_path / "report" / "pictures").iterdir()} == {
        "style.svg", "plain.svg",
    }  # fmt: skip
    code, _, err = run("evaluate", "nobody", *where, *some)
    assert (code, "report exists and is not empty" in err) == (1, True)
    code, _, err = run("evaluate", *where, "--only", "jumps")
    assert (code, "has no walks" in err) == (1, True)
    code, _, err = run("evaluate", *where, "--only", "scenes,style", "--samples", "0")
    assert (code, err.count("it asks for samples, and none were to be drawn")) == (1, 1)
    code, _, err = run("evaluate", *where, "--only", "magic")
    assert (code, "There are: jumps, scenes" in err) == (1, True)


def test_measures_have_to_be_known(voiced: Corpus):
    with pytest.raises(TrainingError, match="there is no measure 'magic'"):
        evaluate(voiced, None, (), Questions(only=("magic",)))  # type: ignore[arg-type]
