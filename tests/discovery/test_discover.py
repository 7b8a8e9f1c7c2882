"""Discovery: what is proposed, what is not, and that nothing else changes."""

from __future__ import annotations

from typing import Any

import pytest

from anchors import review
from anchors.discovery import discover, proposals
from anchors.embedding import HashedEmbedder
from anchors.formulas.registry import add as add_formula
from anchors.formulas.where import shown
from anchors.registry import Registry, merge, part, refuse, thoughts_at, undo
from forest import Forest, Tree
from forest.errors import UsageError
from forest.model import AnchorLink, anchor_id
from forest.stores.base import open_store


@pytest.fixture
def forest():
    with Forest.open("memory:") as opened:
        yield opened


def plant(forest: Forest, *texts: str | tuple[str, list[str]]) -> list[str]:
    """A tree for each text, or text with anchors; gives the ids of the thoughts."""
    ids = []
    for number, text in enumerate(texts):
        said, anchors = (text, []) if isinstance(text, str) else text
        tree = Tree(f"t{number}")
        tree.add(said, anchors=anchors)
        forest.replace(tree)
        ids.append(forest.get(f"t{number}").thoughts[0].id)
    return ids


def found(forest: Forest, **options) -> set[tuple]:
    report = discover(forest.store, **options)
    assert report.proposals == proposals(forest.store)
    return {
        (p.what, p.rule, p.anchor, p.phrase or p.into, p.thought, p.other) for p in report.proposals
    }


def test_a_whole_thought_that_recurs_is_proposed_at_each_place(forest):
    a, b, c = plant(forest, "Время лечит.", "«Время» лечит", "время  ЛЕЧИТ")
    assert {x[1:] for x in found(forest)} == {
        ("exact", "время лечит", "Время лечит.", a, c),
        ("lemma", "время лечит", "«Время» лечит", b, a),
        ("exact", "время лечит", "время  ЛЕЧИТ", c, a),
    }


@pytest.mark.parametrize(
    "pair",
    [
        "Итог опыта: да ✅|Итог опыта: да ❌",
        "If a < b the water flows|If a > b the water flows",
        "Сердце любит ❤️ жизнь|Сердце любит 💔 жизнь",
        "Ночью мороз был +5 градусов|Ночью мороз был −5 градусов",
        "Ночью мороз был -5 градусов|Ночью мороз был 5 градусов",
        "вода ≠ лёд|вода = лёд",
        "вода != лёд|вода = лёд",
        "вода + лёд|вода - лёд",
        "¬вода|вода",
        "Язык C|Язык C++",
        "Язык C|Язык C#",
        "5% людей знают правду|5 людей знают правду",
        "Налить 1/2 воды|Налить 1 2 воды",
        "Вода стоит 5 €|Вода стоит 5 $",
        "Вода ⟁ зов|Вода 🜂 зов",
        "эмодзи: 🫁🜂⟁|эмодзи: «🌊🫧»",
    ],
)
def test_texts_with_other_signs_say_two_things(forest, pair):
    one, other = pair.split("|")
    rules = ["exact", "lemma", "near", "meaning", "stem"]
    embedder = HashedEmbedder()
    plant(forest, one, other, (f"Начало: {one}", [one]), (f"Конец: {other}", [other]))
    marks = discover(forest.store, rules=rules, embedder=embedder).proposals
    at = {t.id: t.text for tree in forest for t in tree.thoughts}
    assert {(p.what, p.anchor, at[p.thought]) for p in marks} <= {
        ("mark", anchor_id(text), text) for text in (one, other)
    }


@pytest.mark.parametrize(
    "pair",
    [
        "Вода (в реке) — течёт!|вода, в реке: течёт…",
        "Мороз −5 градусов|Мороз –5 градусов",
        "*Вода* течёт 👍🏽|`Вода` течёт 👍",
        "Причина → следствие|причина ➡️ следствие",
        "Вода™ течёт в реке|Вода течёт в реке",
    ],
)
def test_punctuation_and_the_looks_of_signs_are_habits(forest, pair):
    a, b = plant(forest, *pair.split("|"))
    assert {p.thought for p in discover(forest.store).proposals} == {a, b}


def test_what_a_sign_changes_is_not_marked_as_the_word(forest):
    said = ["Делят на 5.", "Всего 5% людей", "Он взял $5", "Пишут на F# и C++", "¬вода", "вода+лёд"]
    anchors = [(f"Тут {word}.", [word]) for word in ("5", "F", "вода")]
    ids = plant(forest, *said, *anchors)
    assert {(p.thought, p.anchor) for p in discover(forest.store).proposals} == {
        (ids[0], "5"),
        (ids[5], "вода"),
    }


def test_recurrence_within_one_tree_is_no_news(forest):
    tree = Tree("t")
    root = tree.add("Время лечит")
    tree.add("Время лечит", under=root)
    forest.add(tree)
    assert found(forest) == set()


@pytest.mark.parametrize("text", ["Почему?", "Да, но если так?", "…"])
def test_a_thought_without_content_is_no_anchor(forest, text):
    plant(forest, text, text)
    assert found(forest) == set()


def test_the_phrase_of_an_anchor_is_found_unmarked_in_any_form(forest):
    a, b, c, _ = plant(
        forest,
        ("Он выбирает сам", ["Свобода воли"]),
        "Нет никакой свободы воли, говорит он",
        "Что такое свобода воли?",
        "Свобода слова и воля к ней",
    )
    assert found(forest) == {
        ("mark", "lemma", "свобода воли", "свободы воли", b, a),
        ("mark", "exact", "свобода воли", "свобода воли", c, a),
    }


def test_anchors_that_may_be_forms_of_one_word_are_proposed_and_not_joined(forest):
    plant(forest, ("Долг тяжёл", ["банк"]), ("Река шумит", ["банки"]))
    assert Registry.of(forest.store).united == 0
    assert {(x[:4]) for x in found(forest)} == {("merge", "lemma", "банки", "банк")}
    (proposal,) = proposals(forest.store)
    assert proposal.score == 0.5
    review.accept(forest.store, [proposal])
    assert Registry.of(forest.store).head("банки") == "банк"


@pytest.mark.parametrize(
    "pair",
    [
        *(("месть", "мести"), ("жара", "жары"), ("человек боится", "человека боятся")),
        *(("переход между мирами", "переход между миров"), ("дом бабушки", "дома бабушки")),
        *(("a lie", "lies"), ("causal axis", "causal axes"), ("base", "bases")),
        *(("leaf", "leaves"), ("leave", "leaves"), ("other life", "other lives")),
    ],
)
def test_forms_that_are_not_sure_are_proposed_as_one(forest, pair):
    plant(forest, ("Долг тяжёл", [pair[0]]), ("Река шумит", [pair[1]]))
    assert Registry.of(forest.store).united == 0
    assert {(x[0], x[1], *sorted(x[2:4])) for x in found(forest)} == {
        ("merge", "lemma", *sorted(anchor_id(phrase) for phrase in pair))
    }


@pytest.mark.parametrize(
    "pair",
    [
        *(("вина", "вино"), ("дух", "духи"), ("банка", "банк"), ("пара", "пар"), ("марка", "марк")),
        *(("the lie", "the lens"), ("morale", "moral"), ("human", "humane"), ("bath", "bathe")),
        *(("few words", "a few words"), ("чужой вины", "чужого вина")),
    ],
)
def test_words_of_their_own_are_not_proposed_as_one(forest, pair):
    plant(forest, ("Долг тяжёл", [pair[0]]), ("Река шумит", [pair[1]]))
    assert found(forest) == set()


EVERY = ["exact", "lemma", "near", "meaning", "stem", "phrase"]
APART = [
    ("Старая банка закрыта навсегда.", "Старый банк закрыт навсегда."),
    ("Вина остаётся в доме надолго.", "Вино остаётся в доме надолго."),
    ("Чужие духи живут в старом доме.", "Чужой дух живёт в старом доме."),
    ("Весы судьбы качаются медленно.", "Вес судьбы качается медленно."),
    ("The moral of the story is clear.", "The morale of the story is clear."),
]


@pytest.mark.parametrize("pair", [("банка", "банк"), ("духи", "дух"), *APART])
def test_no_rule_takes_two_words_of_the_dictionary_for_one(forest, pair):
    plant(forest, *((f"Долг тяжёл {n}", [text.strip(".")]) for n, text in enumerate(pair)))
    options = {"rules": EVERY, "embedder": HashedEmbedder(), "thresholds": {"meaning": 0.5}}
    assert found(forest, **options) == set()
    plant(forest, *pair)
    said = {(x[2], x[3]) for x in found(forest, **options)}
    assert said <= {(anchor_id(text.strip(".")), text) for text in pair}


def test_whole_thoughts_of_forms_that_are_guessed_are_as_sure_as_their_words(forest):
    a, b = plant(forest, "Суда идут по реке.", "Суд идёт по реке.")
    for rules in (["lemma"], ["meaning"]):
        embedder = HashedEmbedder() if "meaning" in rules else None
        discover(forest.store, rules=rules, embedder=embedder)
        assert {(p.thought, p.score) for p in proposals(forest.store)} == {(a, 0.5), (b, 0.5)}


def test_what_recurs_word_for_word_is_sure_beside_what_is_guessed(forest):
    plant(forest, *["Суд идёт по реке."] * 3, *["Суда идут по реке."] * 2)
    discover(forest.store)
    assert {(p.rule, p.anchor, p.score) for p in proposals(forest.store)} == {
        ("exact", "суд идет по реке", 1.0),
        ("exact", "суда идут по реке", 1.0),
    }


@pytest.mark.parametrize(
    ("anchor", "text", "score"),
    [
        ("вина", "Бокал вина стоит на столе", 0.37),
        ("пара", "Клубы пара над водой", 0.5),
        ("банка", "Ограбление банка потрясло город", None),
        ("банка", "Старая банка упала со стола", 1.0),
        ("вина", "Бокал старого вина", None),
        ("суд", "Суда вышли в море", 0.5),
        ("душа", "Глубины души не видны", 0.5),
        ("духи", "Духи молчат в лесу", 0.5),
        ("век", "Конец века близок", 1.0),
        ("суд", "Суда", 0.5),
    ],
)
def test_a_word_that_may_be_a_form_of_another_noun_in_its_place_is_a_guess(
    forest, anchor, text, score
):
    plant(forest, ("Одно", [anchor]), ("Другое", [anchor]), text)
    discover(forest.store)
    scores = [round(p.score, 2) for p in proposals(forest.store)]
    assert scores == ([] if score is None else [score])


@pytest.mark.parametrize("words", [("банк", "банки", "банка"), ("суд", "судов", "судно")])
def test_a_guess_never_makes_two_words_one(forest, words):
    plant(forest, *((f"Долг тяжёл {n}", [word]) for n, word in enumerate(words)))
    guesses = discover(forest.store).proposals
    assert len(guesses) == 2
    reviewed = review.accept(forest.store, guesses)
    assert (reviewed.merged, len(reviewed.left_out)) == (1, 1)
    assert "are two words" in next(iter(reviewed.left_out.values()))
    registry = Registry.of(forest.store)
    assert registry.head(words[0]) != registry.head(words[2])
    assert found(forest) == set()
    merge(forest.store, words[0], words[2])
    assert len(Registry.of(forest.store).groups()) == 1


def test_phrases_that_name_two_things_with_the_same_words_are_not_proposed_as_one(forest):
    plant(
        forest,
        ("Мать дочери молчит.", ["мать дочери"]),
        ("Они матери дочь не отдадут.", ["матери дочь"]),
        ("Тишина лечит душу.", ["тишина лечит душу"]),
        ("Тишину лечит душа.", ["тишину лечит душа"]),
        ("Матери дочерей молчат.", ["матери дочерей"]),
    )
    options = {"rules": ["lemma", "near", "meaning"], "embedder": HashedEmbedder()}
    merges = {x[2:4] for x in found(forest, **options) if x[0] == "merge"}
    assert merges == {("мать дочери", "матери дочерей")}


@pytest.mark.parametrize(
    ("pair", "score"),
    [
        (("water cycle", "the water cycle"), 1.0),
        (("sun", "the sun"), 0.5),
        (("переход между мирами", "переход между миров"), 0.5),
    ],
)
def test_a_merge_is_as_sure_whichever_rule_finds_it(forest, pair, score):
    plant(forest, ("Долг тяжёл", [pair[0]]), ("Река шумит", [pair[1]]))
    for rules in (["lemma"], ["near"], ["lemma", "near"]):
        discover(forest.store, rules=rules)
        assert {p.score for p in proposals(forest.store)} <= {score}
    assert proposals(forest.store)


def test_an_arrow_is_part_of_a_phrase_and_a_word_is_matched_whole(forest):
    a, b, _, _ = plant(
        forest,
        ("x", ["причина → следствие", "вода"]),
        "Снова причины -> следствия!",
        "Причина, следствие",
        "Подводный ход, водяной знак",
    )
    assert found(forest) == {("mark", "lemma", "причина → следствие", "причины -> следствия", b, a)}


@pytest.mark.parametrize(
    ("anchor", "text", "says"),
    [
        ("образ", "Таким образом, спор окончен", False),
        ("образ", "Каждый образ говорит о себе", True),
        ("связь", "В связи с этим он ушёл", False),
        ("связь", "Нет никакой связи вещей", True),
        ("вид", "Он имел в виду других", False),
        ("зрение", "Он болен с моральной точки зрения", False),
        ("случай", "Во всяком случае мы живы", False),
        ("степень", "Это в гораздо большей степени страх", False),
        ("мир", "Страданий много в мире", True),
        ("смысл", "Он добр в моральном смысле", False),
        ("моральный смысл", "Он добр в моральном смысле", True),
        ("case", "Bring a coat in case of rain", False),
        ("case", "The doctor saw a rare case", True),
        ("пора", "Пора уже выходить", False),
        ("пора", "Осенняя пора прошла", True),
        ("настоящее", "Там настоящее золото", False),
        ("настоящее", "Всё настоящее станет прошлым", True),
        ("правда", "Правда, он опоздал", False),
        ("правда", "Правда!", True),
        ("правда", "Нам нужна правда!", True),
        ("знать", "Хотите знать больше?", False),
        ("water is heavy", "A glass of water is heavy", False),
        ("water is heavy", "We know that water is heavy", True),
        ("вода течёт", "Чистая вода течёт с гор", False),
        ("вода течёт", "Говорят, вода течёт с гор", True),
    ],
)
def test_what_does_not_say_in_its_place_what_it_says_alone_is_not_marked(
    forest, anchor, text, says
):
    plant(forest, ("Одно", [anchor]), ("Другое", [anchor]), text)
    assert bool(found(forest)) == says


@pytest.mark.parametrize(
    ("text", "score"),
    [("Не чужая боль, а своя", 0.5), ("Это чужая боль, не своя", 1.0), ("Не его чужая боль", 1.0)],
)
def test_what_is_denied_is_a_guess(forest, text, score):
    plant(forest, ("Одно", ["чужая боль"]), ("Другое", ["чужая боль"]), text)
    discover(forest.store)
    assert [p.score for p in proposals(forest.store)] == [score]


def test_words_that_are_seldom_nouns_come_when_asked_for(forest):
    plant(forest, ("Одно", ["знать"]), ("Другое", ["знать"]), "Старая знать ушла")
    assert found(forest) == set()
    discover(forest.store, thresholds={"words": 0.01})
    assert [round(p.score, 2) for p in proposals(forest.store)] == [0.02]


def test_a_thought_may_begin_or_end_where_a_list_would_go_on(forest):
    a, b = plant(forest, ", вера и", ", вера и")
    assert {x[4] for x in found(forest)} == {a, b}


def test_the_longest_phrase_counts_and_covers_the_shorter(forest):
    a, b = plant(forest, ("x", ["свобода", "свобода воли"]), "Свобода воли мнима")
    assert found(forest) == {("mark", "exact", "свобода воли", "Свобода воли", b, a)}
    forest.edit_thought(b, anchors=["свобода воли"])
    assert found(forest) == set()


def test_nothing_new_is_made_of_the_words_of_an_anchor(forest):
    marked = ["страх, тёмная вода"]
    plant(forest, ("Опять страх, тёмная вода", marked), ("Где страх, тёмная вода?", marked))
    assert found(forest) == set()


@pytest.mark.parametrize("pair", [("cause of pain", "causing pain"), ("relate", "related")])
def test_what_has_only_its_stems_in_common_is_proposed_when_asked_for(forest, pair):
    plant(forest, ("Долг тяжёл", [pair[0]]), ("Река шумит", [pair[1]]), ("x", ["a pain"]))
    assert Registry.of(forest.store).united == 0
    assert {(x[:2], {*x[2:4]} == {*pair}) for x in found(forest, rules=["stem"])} == {
        (("merge", "stem"), True)
    }


def test_new_phrases_come_only_when_asked_for(forest):
    plant(forest, "Там тёмная вода", "Опять тёмная вода")
    assert found(forest) == set()
    assert {x[1:4] for x in found(forest, rules=["phrase"])} == {
        ("phrase", "темная вода", "тёмная вода")
    }


def test_a_new_phrase_is_the_longest_that_recurs_without_function_words_at_its_ends(forest):
    a, b, _ = plant(
        forest,
        "И вот порог чужого молчания для нас закрыт",
        "Она стоит у порога чужого молчания для других",
        "Порог не дом; чужое — не молчание",
    )
    assert found(forest, rules=["phrase"]) == {
        ("mark", "phrase", "порог чужого молчания", "порог чужого молчания", a, b),
        ("mark", "phrase", "порог чужого молчания", "порога чужого молчания", b, a),
    }


def test_a_new_phrase_is_not_cut_off_from_its_negation(forest):
    plant(
        forest,
        "Память не чужая боль",
        "Говорят, память души не чужая боль",
        "Архив чужая боль",
        "Этот музей чужая боль",
        *(f"{n}1 {n}2 {n}3 {n}4 {n}5" for n in range(10)),
    )
    assert {x[3:5] for x in found(forest, rules=["phrase"])} == {
        ("не чужая боль", forest.get("t0").root.id),
        ("не чужая боль", forest.get("t1").root.id),
        ("чужая боль", forest.get("t2").root.id),
        ("чужая боль", forest.get("t3").root.id),
    }


def test_a_new_phrase_names_something(forest):
    plant(
        forest,
        *("Там двое выходят из дома", "И двое выходят к ней"),
        *("Опять нечем отличить", "Ей нечем отличить"),
        *("A man becomes very stone", "He becomes very stone too"),
        *("It is stone of fate", "The stone of fate"),
    )
    assert {x[2] for x in found(forest, rules=["phrase"])} == {"stone of fate"}


def test_what_was_seen_twice_is_less_sure_than_what_recurs(forest):
    texts = [f"{n}1 {n}2 белый снег {n}3" for n in range(20)]
    plant(forest, *texts, "Там тёмная вода", "Опять тёмная вода")
    discover(forest.store, rules=["phrase"])
    scores = {p.phrase: p.score for p in proposals(forest.store)}
    assert scores["белый снег"] > 0.9
    assert scores["тёмная вода"] < 0.5


@pytest.mark.parametrize(("trees", "comes"), [(20, True), (21, False)])
def test_an_everyday_phrase_does_not_come(forest, trees, comes):
    plant(forest, *(f"{n}1 {n}2 {n}3 белый снег {n}4 {n}5" for n in range(trees)))
    assert bool(found(forest, rules=["phrase"])) == comes


def test_words_that_meet_by_chance_are_no_phrase(forest):
    words = ["снег", "дом", "лес", "путь"]
    plant(forest, *(f"{a} {b} {c}" for a in words for b in words for c in words))
    assert not any(x[3] == "снег дом" for x in found(forest, rules=["phrase"]))


def test_the_phrase_of_an_anchor_recurs_in_another_tree_or_is_no_news(forest):
    tree = Tree("t")
    root = tree.add("Граница знания проходит рядом.", anchors=["граница знания"])
    tree.add("За границей знания начинается вера.", under=root)
    forest.add(tree)
    assert found(forest) == set()
    (there,) = plant(forest, "Где граница знания?")
    root, here = (t.id for t in forest.get("t").thoughts)
    assert {x[3:] for x in found(forest)} == {
        ("границей знания", here, there),
        ("граница знания", there, root),
    }


def test_who_carries_a_refused_variant_is_not_marked_with_the_other(forest):
    plant(
        forest,
        ("Чужая боль близка", ["чужая боль"]),
        ("Он видит чужую боль", ["чужой боли"]),
        ("Опять чужая боль", ["чужая боль"]),
    )
    refuse(forest.store, "чужая боль", "чужой боли")
    assert found(forest) == set()


def test_what_is_marked_or_refused_does_not_come_back(forest):
    a, b = plant(forest, "Время лечит", "Время лечит")
    forest.edit_thought(a, anchors=[AnchorLink(phrase="Время лечит", origin="discovered")])
    assert {x[4] for x in found(forest)} == {b}
    review.refuse(forest.store, [p for p in proposals(forest.store) if p.thought == b])
    report = discover(forest.store)
    assert report.proposals == []
    assert report.known
    undo(forest.store, 1)
    assert {x[4] for x in found(forest)} == {b}


def test_near_thoughts_get_one_anchor(forest):
    a, b, _ = plant(
        forest,
        "Мы видим только то, что умеем назвать по имени",
        "Но видим мы только то, что умеем назвать по имени.",
        "Мы не видим того, что умеем назвать по имени",
    )
    near = found(forest, rules=["near"])
    assert {(x[1], x[4], x[5]) for x in near} == {("near", a, b), ("near", b, a)}
    assert len({x[2] for x in near}) == 1


@pytest.mark.parametrize(
    ("one", "other", "rule"),
    [
        ("Порог между сном и явью", "Это порог между сном и явью", "near"),
        ("сопричастность миру", "сопричастность мирам людей", "meaning"),
    ],
)
def test_anchors_that_are_nearly_one_are_proposed_to_be_merged(forest, one, other, rule):
    plant(forest, ("a", [one]), ("b", [other]), ("c", [other]))
    options: dict[str, Any] = {"rules": [rule]}
    if rule == "meaning":
        options |= {"embedder": HashedEmbedder(), "thresholds": {"meaning": 0.7}}
    ((what, by, anchor, into, _, _),) = found(forest, **options)
    assert (what, by, {anchor, into}) == ("merge", rule, {one.casefold(), other.casefold()})
    assert into == other.casefold()
    refuse(forest.store, anchor, into)
    assert found(forest, **options) == set()
    undo(forest.store, 1)
    merge(forest.store, anchor, into)
    assert found(forest, **options) == set()


def test_thoughts_of_one_meaning_are_found_with_an_embedder(forest):
    a, b, _ = plant(forest, "сопричастность миру", "сопричастность мирам людей", "тишина")
    marks = found(forest, rules=["meaning"], embedder=HashedEmbedder(), thresholds={"meaning": 0.7})
    assert {(x[4], x[5]) for x in marks} == {(a, b), (b, a)}


def test_a_search_replaces_what_its_rules_found_before_and_nothing_else(forest):
    _, b = plant(forest, "Время лечит", "Время лечит")
    before = [*forest]
    assert len(found(forest)) == 2
    assert len(found_ids(forest, rules=["near"])) == 2
    forest.edit_thought(b, text="Совсем другое")
    assert found(forest) == set()
    assert forest.get("t0") == before[0]


def found_ids(forest: Forest, **options) -> set[str]:
    discover(forest.store, **options)
    return {p.id for p in proposals(forest.store)}


def sample_list(url: str, **access) -> list:
    """What is proposed for the sample forest in a store."""
    with Forest(open_store(url, **access)) as opened:
        opened.plant_sample()
        found = [
            discover(
                opened.store,
                rules=["exact", "lemma", "near", "meaning", "stem", "phrase"],
                embedder=HashedEmbedder(),
                thresholds={"meaning": 0.7},
            ).proposals
            for _ in range(2)
        ]
        assert found == [proposals(opened.store)] * 2
        return found[0]


def test_every_store_gives_the_same_list(tmp_path):
    lists = [sample_list(url) for url in ("memory:", f"sqlite:///{tmp_path}/f.db")]
    assert lists[0] == lists[1]
    assert len(lists[0]) > 10


@pytest.mark.neo4j
def test_neo4j_gives_the_same_list(clean_neo4j):
    access = {"username": clean_neo4j.username, "password": clean_neo4j.password}
    assert sample_list(clean_neo4j.url, **access) == sample_list("memory:")


def test_a_text_that_cannot_be_a_phrase_is_counted(forest):
    plant(forest, "Время\nлечит", "Время\nлечит")
    report = discover(forest.store, rules=["exact"])
    assert (report.proposals, report.unnameable) == ([], 2)


def test_a_passage_longer_than_a_phrase_gives_no_phrases(forest):
    passage = "весна тёмной воды открывает старый порог чужого молчания"
    plant(forest, f"Тогда {passage} навсегда", f"Снова {passage} напрасно")
    assert found(forest, rules=["phrase"]) == set()


def test_a_list_holds_the_surest(forest):
    plant(forest, "Время лечит", "Время лечит", "Вот тёмная вода стоит", "Нужна тёмная вода ему")
    rules = ["exact", "phrase"]
    whole = discover(forest.store, rules=rules).proposals
    report = discover(forest.store, rules=rules, most=2)
    assert (report.proposals, report.beyond) == (whole[:2], len(whole) - 2)
    assert len(whole) == 4


def test_an_empty_forest_has_nothing(forest):
    assert found(forest, rules=["exact", "near", "meaning"], embedder=HashedEmbedder()) == set()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rules": ["fuzzy"]}, "no rule 'fuzzy'"),
        ({"rules": ["meaning"]}, "needs an embedder"),
        ({"thresholds": {"nearly": 0.5}}, "no threshold 'nearly'"),
        ({"embedder": HashedEmbedder()}, "for the rule meaning, which was not asked for"),
        ({"thresholds": {"phrases": 0.7}}, "for the rule phrase, which was not asked for"),
        ({"thresholds": {"near": 80}}, "near is 80: expected above 0, at most 1"),
    ],
)
def test_wrong_options_are_refused(forest, options, says):
    with pytest.raises(UsageError, match=says):
        discover(forest.store, **options)


@pytest.mark.parametrize("decide", [review.accept, review.refuse])
@pytest.mark.parametrize("when", ["before the forest is read", "after"])
def test_what_is_decided_while_a_search_goes_on_is_not_on_its_list(
    forest, monkeypatch, decide, when
):
    plant(forest, "Время лечит.", "Время лечит.", "Вода течёт.", "Вода течёт.")
    discover(forest.store)
    one, *left = proposals(forest.store)
    trees = forest.store.trees

    def meanwhile(*args, **options):
        monkeypatch.setattr(forest.store, "trees", trees)
        there = list(trees(*args, **options))
        decide(forest.store, [one])
        yield from (there if when == "after" else trees(*args, **options))

    monkeypatch.setattr(forest.store, "trees", meanwhile)
    report = discover(forest.store)
    assert {p.id for p in report.proposals} == {p.id for p in proposals(forest.store)}
    assert {p.id for p in proposals(forest.store)} == {p.id for p in left}
    assert (report.new, report.known) == (0, 1)


def test_where_a_word_was_parted_its_other_forms_mean_the_same(forest):
    """Who parted «замки» in a tree meant the word, and not how it was spelled there."""
    said: dict[str, list[tuple[str, list[str]]]] = {
        "дом": [("Дверь закрыта.", ["замок"]), ("На двери висит замок.", [])],
        "ключ": [("Ключ не подходит.", ["замки"]), ("Я вижу замок.", [])],
        "гора": [("Крепость стоит.", ["замок"]), ("На горе стоит замок.", [])],
        "башня": [("Высокий замок пуст.", [])],
    }
    for title, thoughts in said.items():
        tree = Tree(title, lang="ru")
        for text, anchors in thoughts:
            tree.add(text, anchors=anchors, under=tree.thoughts[0] if tree.thoughts else None)
        forest.replace(tree)
    part(forest.store, "замок", "замок (дверной)", ["дом", "ключ"])
    texts = {t.id: t.text for tree in forest.store.trees() for t in tree.thoughts}
    shown = {(texts[p.thought], p.anchor, texts[p.other]) for p in discover(forest.store).proposals}
    assert shown == {
        ("На двери висит замок.", "замок (дверной)", "Ключ не подходит."),
        ("Я вижу замок.", "замок (дверной)", "Дверь закрыта."),
        ("На горе стоит замок.", "замок", "Высокий замок пуст."),
        ("Высокий замок пуст.", "замок", "Крепость стоит."),
    }
    review.accept(forest.store, proposals(forest.store))
    at = thoughts_at(forest.store, "замок (дверной)")
    assert {found.tree for found in at} == {"дом", "ключ"}


def test_a_mark_proposed_before_a_word_was_parted_is_what_another_form_means_there(forest):
    plant(forest, ("Дверь закрыта.", ["замки"]), "Я вижу замок.", ("Крепость.", ["замок"]))
    mine = Tree("дом", lang="ru")
    mine.add("Ключ.", anchors=["замки"])
    mine.add("Вот замок.", under=mine.thoughts[0])
    forest.replace(mine)
    discover(forest.store)
    part(forest.store, "замки", "замок (дверной)", ["дом"])
    review.accept(forest.store, proposals(forest.store))
    assert [a.anchor for a in forest.get("дом").thoughts[1].anchors] == ["замок (дверной)"]


@pytest.mark.parametrize("text", ["🫁🜂⟁", "🔥", "да ✅", "C++", "a < b"])
def test_what_is_made_of_signs_is_found_like_words(forest, text):
    first, second = plant(forest, text, text)
    named = anchor_id(text)
    assert {p[1:3] for p in found(forest)} == {("exact", named)}
    assert {p.thought for p in proposals(forest.store)} == {first, second}
    within = plant(forest, ("x y", [text]), f"Тут {text} стоит.", "Это всё.")[1]
    ((_, rule, anchor, phrase, thought, _),) = found(forest)
    assert (rule, anchor, phrase, thought) == ("exact", named, text, within)


def test_signs_that_are_written_together_are_one(forest):
    plant(
        forest,
        ("Один.", ["🜂"]), "Тут 🫁🜂⟁ знак.",
        ("Два.", ["+"]), "I write C++ code.",
        ("Три.", ["❤️"]), "Мы ❤️🔥 оба.", "Горит ❤️ тут.",
    )  # fmt: skip
    assert [forest.get("t6").thoughts[0].id] == [p[4] for p in found(forest)]


def test_terms_of_formulas_are_looked_for_although_no_thought_carries_them(forest):
    river, garden = plant(forest, "Вода точит камень.", "Весной сад пьёт воду.")
    plant_more = Tree("гора")
    plant_more.add("Приходит весна и тепло.")
    forest.replace(plant_more)
    add_formula(forest.store, "Δ12 = (вода + весна + неясность)")
    spring = forest.get("гора").thoughts[0].id
    assert {(p[2], p[4]) for p in found(forest)} == {
        ("вода", river), ("вода", garden), ("весна", garden), ("весна", spring)
    }  # fmt: skip
    assert not any(p.carried for p in proposals(forest.store))
    review.accept(forest.store, proposals(forest.store))
    assert shown(forest.store, "Δ12").trees == {
        "вода": ["t0", "t1"], "весна": ["t1", "гора"], "неясность": []
    }  # fmt: skip
    assert found(forest) == set()
