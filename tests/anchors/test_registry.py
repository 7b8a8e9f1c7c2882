"""Which anchors are one: rules, decisions, and what takes them back."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from itertools import combinations, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchors import homonyms
from anchors.decisions import Decision, decisions
from anchors.discovery import discover
from anchors.proposals import proposals
from anchors.registry import Registry, decide, merge, part, refuse, rename, split, undo
from forest.errors import Conflict, InvalidInput, NotFound
from forest.model import Anchor, Tree
from forest.nodes import Node
from forest.stores.base import Store
from forest.stores.memory import MemoryStore
from tests.anchors.helpers import anchor, groups, merged, one_group, refused, registry, undone
from tests.export_helpers import planted, tree

CAUSES = ["причинность → следствие", "причинности → следствия", "причинностью → следствием"]
IDS = ["а", "б", "в", "г", *CAUSES, "cause and effect", "causes and effects"]
PAIRS = st.tuples(st.sampled_from(IDS), st.sampled_from(IDS)).filter(lambda p: p[0] != p[1])


@st.composite
def histories(draw: st.DrawFn) -> list[Decision]:
    """Merges, refusals and undos in any order."""
    made: list[Decision] = []
    for no in range(1, draw(st.integers(0, 12)) + 1):
        action = draw(st.sampled_from(["merge", "refuse", "undo" if made else "merge"]))
        if action == "undo":
            made.append(undone(no, draw(st.integers(1, no - 1))))
        else:
            made.append(Decision(no, "", action, *draw(PAIRS)))
    return made


@given(histories(), st.randoms())
def test_a_refused_pair_is_never_one_and_the_order_of_anchors_is_nothing(history, random):
    anchors = [anchor(phrase, trees) for trees, phrase in enumerate(IDS)]
    found = Registry(anchors, history)
    for one, other in combinations(IDS, 2):
        if found.refused(one, other):
            assert found.head(one) != found.head(other)
    random.shuffle(anchors)
    again = Registry(anchors, history)
    assert again.groups() == found.groups()
    assert again.blocked == found.blocked
    assert sorted(i for group in groups(found) for i in group) == sorted(IDS)


@given(histories())
def test_undo_restores_and_undoing_the_undo_too(history):
    before, no = registry(IDS, *history), len(history) + 1
    for last in (merged(no, "а", "б"), refused(no, CAUSES[0], CAUSES[1])):
        taken_back = registry(IDS, *history, last, undone(no + 1, no))
        assert groups(taken_back) == groups(before)
        given_again = registry(IDS, *history, last, undone(no + 1, no), undone(no + 2, no + 1))
        assert groups(given_again) == groups(registry(IDS, *history, last))


def test_forms_of_a_word_are_one_by_rule_unless_refused():
    assert groups(registry(CAUSES)) == one_group(*CAUSES)
    head, form, other = CAUSES
    apart = registry(CAUSES, refused(1, head, form), refused(2, head, other))
    assert groups(apart) == {frozenset([head]), frozenset([form, other])}
    assert {(j.rule, j.decision) for j in apart.joins} == {("lemma", None)}
    tag = anchor(CAUSES[1], kind="tag")
    named = Anchor(id="закон", phrase=CAUSES[1])
    assert len(groups(Registry([anchor(head), tag, named]))) == 3


def test_of_equal_anchors_a_group_is_called_after_the_one_that_another_was_merged_into():
    for anchor_, into in ("cause", "причинность"), ("причинность", "cause"):
        found = registry(["cause", "причинность"], merged(1, anchor_, into))
        assert found.name(anchor_) == into
    often = Registry(
        [anchor("cause", 2), anchor("причинность", 1)], [merged(1, "cause", "причинность")]
    )
    assert often.name("причинность") == "cause"


def test_a_chain_of_merges_does_not_go_round_a_refusal():
    chain = [merged(1, "а", "б"), merged(2, "б", "в"), merged(3, "в", "г")]
    assert groups(registry("абвг", *chain)) == one_group(*"абвг")
    cut = registry("абвг", *chain, refused(4, "а", "г"))
    assert groups(cut) == {frozenset("абв"), frozenset("г")}
    assert [(j.anchor, j.into) for j in cut.blocked] == [("в", "г")]


def test_decisions_about_anchors_that_are_gone_wait_for_them():
    history = [merged(1, "а", "б"), refused(2, "а", "в")]
    assert groups(registry("бв", *history)) == {frozenset("б"), frozenset("в")}
    assert registry("бв", *history).head("а") == "а"
    assert groups(registry("абв", *history)) == {frozenset("аб"), frozenset("в")}


def test_twenty_thousand_anchors_of_one_meaning():
    ids = [f"слово {n}" for n in range(20_000)]
    found = registry(ids, *(merged(n, ids[n], ids[n - 1]) for n in range(1, len(ids))))
    assert len(found.groups()) == 1
    assert found.united == len(ids) - 1


# --- in a forest ----------------------------------------------------------------------------------


@pytest.fixture
def store() -> MemoryStore:
    return planted(
        tree("Первое", "Начало. {Выбор; причинность → следствие}\n  Дальше. {воля}"),
        tree("Второе", "Начало. {выбора; причинности → следствия}"),
        tree("Третье", "Начало. {Выбор; решение}"),
    )


def test_merging_is_refused_where_somebody_said_no(store):
    merge(store, "Выбор", "решение", why="одно и то же")
    with pytest.raises(Conflict, match="are one anchor already"):
        merge(store, "решение", "выбор")
    said = refuse(store, "воля", "решение")
    with pytest.raises(Conflict, match=rf"(?s)'воля' and 'решение' were refused.*undo {said.no}`"):
        merge(store, "воля", "выбор")
    with pytest.raises(Conflict, match="already"):
        refuse(store, "решение", "воля")
    undo(store, said.no)
    merge(store, "воля", "выбор")
    group = Registry.of(store).group("воля")
    assert (group.id, {a.id for a in group.anchors}) == (
        "выбор",
        {"воля", "выбор", "решение", "выбора"},
    )
    assert [j.rule for j in group.joins] == ["author", "author", "lemma"]


def test_a_refusal_ends_the_merge_of_that_pair(store):
    merge(store, "воля", "решение")
    refuse(store, "воля", "решение")
    assert Registry.of(store).head("воля") != Registry.of(store).head("решение")


def test_what_is_split_off_leaves_the_others_one(store):
    merge(store, "выбор", "решение")
    merge(store, "выбор", "воля")
    before = groups(Registry.of(store))
    made = split(store, "выбор")
    after = groups(Registry.of(store))
    assert frozenset(["выбор"]) in after
    assert frozenset(["решение", "воля", "выбора"]) in after
    undo(store, *(d.no for d in made))
    assert groups(Registry.of(store)) == before
    with pytest.raises(Conflict, match="stands alone"):
        split(planted(tree("Одно", "Мысль. {воля}")), "воля")


def test_a_word_of_two_meanings_is_two_anchors_where_its_author_says_so():
    store = planted(
        tree("Краса", "Коса до пояса. {коса}"),
        tree("Жатва", "Коса звенит. {коса}\n  Косой машут. {косой; коса}"),
        tree("Берег", "Коса песчаная. {коса}\n  Та, что жнёт. {коса}"),
    )
    before = [t.thoughts for t in store.trees()]
    merge(store, "косой", "коса")
    other = store.get("берег").thoughts[1].id
    made = part(store, "коса", "коса (инструмент)", ["жатва", other], why="омонимы")
    found = Registry.of(store)
    assert [(g.id, g.phrase, *g.carriers(store)) for g in found.groups()] == [
        ("коса", "коса", 2, 2),
        ("коса (инструмент)", "коса (инструмент)", 2, 3),
    ]
    assert found.group("Коса (инструмент)").id == "коса (инструмент)"
    assert [a.phrase for a in store.get("жатва").thoughts[1].anchors] == ["косой", "коса"]
    assert [(d.action, d.anchor, d.into) for d in made] == [
        ("part", "коса", "жатва"),
        ("part", "косой", "жатва"),
        ("part", "коса", other),
        ("refuse", "коса", "коса (инструмент)"),
        ("rename", "коса (инструмент)", ""),
    ]
    discover(store, rules=["exact", "lemma", "near", "stem"])
    assert proposals(store) == []
    with pytest.raises(Conflict, match="were refused"):
        merge(store, "коса", "коса (инструмент)")
    back = undo(store, range(made[0].no, made[-1].no + 1))
    assert [t.thoughts for t in store.trees()] == before
    undo(store, *(d.no for d in back))
    assert len(Registry.of(store).groups()) == 2


def test_a_word_whose_meanings_were_all_parted_names_them(store):
    part(store, "выбор", "выбор (урны)", ["первое"])
    part(store, "выбор", "выбор (воли)", ["второе", "третье"])
    with pytest.raises(NotFound, match=r"may be one of several anchors: «выбор \(воли\)», «выбор"):
        rename(store, "Выбор", "x")
    undo(store, *(d.no for d in decisions(store) if d.phrase == "выбор (воли)"))
    assert Registry.of(store).group("выбор").id == "выбор"


def test_what_cannot_be_parted_is_refused_and_changes_nothing(store):
    before = [t.revision for t in store.trees()]
    for word, name, places, error in [
        ("воля", "воля (2)", ["второе"], NotFound),
        ("воля", "воля (2)", ["первое", "нет"], NotFound),
        ("нет такого", "x", ["первое"], NotFound),
        ("выбор", "Выбор", ["первое"], Conflict),
        ("воля", "  ", ["первое"], InvalidInput),
    ]:
        with pytest.raises(error):
            part(store, word, name, places)
    assert [t.revision for t in store.trees()] == before
    assert decisions(store) == []


def test_a_parting_that_was_interrupted_goes_on(store, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(store, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            part(store, "воля", "воля (2)", ["первое"])
    told = len(decisions(store))
    part(store, "воля", "воля (2)", ["первое"])
    assert len(decisions(store)) == told == 3
    assert [g.phrase for g in Registry.of(store).groups() if "воля" in g.phrase] == ["воля (2)"]


def test_two_who_part_one_place_at_once_do_not_both_succeed(store, monkeypatch):
    look = homonyms.said

    def said(*asked):
        found = look(*asked)
        with monkeypatch.context() as patch:
            patch.setattr(homonyms, "said", look)
            part(store, "воля", "воля (народа)", ["первое"])
        return found

    with monkeypatch.context() as patch:
        patch.setattr(homonyms, "said", said)
        with pytest.raises(Conflict, match=r"means 'воля \(народа\)' already"):
            part(store, "воля", "воля (к власти)", ["первое"])
    assert "воля (к власти)" not in {g.phrase for g in Registry.of(store).groups()}


def test_a_group_is_renamed_and_found_by_its_name(store):
    rename(store, "причинности → следствия", "Причина ведёт")
    found = Registry.of(store)
    assert found.name("причинности → следствия") == "Причина ведёт"
    for spelling in ("причина ведет", "причинностей → следствий"):
        assert found.group(spelling) == found.group("причинность → следствие")
    with pytest.raises(Conflict, match="merge выбор воля"):
        rename(store, "выбор", "Воля")
    second = rename(store, "выбор", "Выбор и решение")
    undo(store, second.no)
    assert Registry.of(store).name("выбор") == "Выбор"


def test_a_name_that_is_taken_advises_what_can_be_done_after_what_was_decided(store):
    refused = refuse(store, "выбор", "воля")
    with pytest.raises(Conflict) as caught:
        rename(store, "выбор", "Воля")
    assert caught.value.hint == (
        f"They were refused as one anchor (decision {refused.no}): choose another name. To make "
        f"both one: `forest anchors undo {refused.no}`, then `forest anchors merge выбор воля`."
    )
    undo(store, refused.no)
    merge(store, "выбор", "воля")
    made = part(store, "воля", "воля (к власти)", ["второе"])
    with pytest.raises(Conflict, match=r"choose another name, for they are two meanings") as caught:
        rename(store, "воля (к власти)", "воля")
    assert f"decision {made[-2].no}" in str(caught.value)
    assert "undo" not in str(caught.value)


def test_of_forms_that_stand_in_as_many_places_the_dictionary_form_names_the_group():
    for word, form in (("любовь", "любви"), ("чужая боль", "чужой боли"), ("cat", "cats")):
        found = registry([form, word])
        assert found.group(form).id == word


def test_what_turns_the_writing_is_no_name_and_true_no_number(store):
    with pytest.raises(InvalidInput, match=r"U\+202E"):
        rename(store, "выбор", "Вы\u202eбор")
    with pytest.raises(InvalidInput, match=r"U\+202E"):
        part(store, "выбор", "Вы\u202eбор", ["первое"])
    merge(store, "воля", "выбор")
    with pytest.raises(TypeError, match="number of a decision"):
        undo(store, True)


def test_what_cannot_be_decided_is_refused_and_nothing_is_kept(store):
    for act, error in (
        (lambda: merge(store, "нет такого", "выбор"), NotFound),
        (lambda: refuse(store, "Выбор", "выбор"), Conflict),
        (lambda: rename(store, "выбор", " . "), InvalidInput),
        (lambda: undo(store, 1), NotFound),
    ):
        with pytest.raises(error):
            act()
    assert decisions(store) == []
    said = merge(store, "воля", "выбор")
    undo(store, said.no)
    with pytest.raises(Conflict, match="taken back already"):
        undo(store, said.no)


def test_decisions_come_in_the_order_of_their_numbers(store):
    late = Node("Decision", "1000000", {"at": "x", "action": "merge", "anchor": "а", "into": "б"})
    store.change_nodes([], lambda _: {late.at: late})
    merge(store, "воля", "выбор")
    decide(store, lambda _: [])
    assert [d.no for d in decisions(store)] == [1_000_000, 1_000_001]


@pytest.mark.parametrize(
    ("key", "said"),
    [("x", {"action": "merge"}), ("000001", {"action": "undo"}), ("1", {"at": "?"})],
)
def test_a_decision_typed_wrongly_is_named(store, key, said):
    node = Node("Decision", key, said)
    store.change_nodes([], lambda _: {node.at: node})
    with pytest.raises(InvalidInput, match=f"Decision '{key}' is not as the library writes it"):
        Registry.of(store)


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_partings_are_taken_back_one_by_one_in_any_order(order):
    store = planted(
        tree("Дом", "Висит. {замок}\n  Нет его. {замка}"),
        tree("Король", "Стоит. {замок}"),
        tree("Рыцарь", "Идёт. {замка}"),
    )
    before = store.get("дом").thoughts
    made = part(store, "замок", "замок (дверной)", ["дом"])
    assert len(made) == 4
    for at in order:
        undo(store, made[at].no)
    assert store.get("дом").thoughts == before


@pytest.mark.parametrize("order", list(permutations((0, 1))))
def test_a_place_that_was_parted_twice_is_as_it_was_when_all_is_taken_back(order):
    store = planted(tree("Дом", "Висит. {замок}"), tree("Король", "Стоит. {замок}"))
    before = store.get("дом").thoughts
    twice = [
        part(store, "замок", "замок (дверной)", ["дом"]),
        part(store, "замок (дверной)", "замок (ржавый)", ["дом"]),
    ]
    for at in order:
        undo(store, *(d.no for d in twice[at]))
    assert store.get("дом").thoughts == before


PARTED = ("замок", "замки", "замок (1)", "замок (2)")
NAMES = ("замок (1)", "замок (2)", "Имя")
PLACES = ("дом", "король", "дом/b", "дом/d")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_partings_and_marks_are_taken_back_in_any_order_and_so_is_that(data):
    store = planted(*(castle(name) for name in ("Дом", "Король", "Рыцарь")))
    before, in_force = carried(store), list[int]()

    def take_back() -> None:
        number = in_force.pop(data.draw(st.integers(0, len(in_force) - 1)))
        held = carried(store)
        (back,) = undo(store, number)
        if data.draw(st.booleans()):
            (again,) = undo(store, back.no)
            assert carried(store) == held
            undo(store, again.no)

    for _ in range(data.draw(st.integers(1, 5))):
        asked = [data.draw(st.sampled_from(some)) for some in (PARTED, NAMES, PLACES)]
        with suppress(NotFound, Conflict):
            anchor, name, place = asked
            if carried(store)["дом/d"] or data.draw(st.integers(0, 3)):
                made = part(store, anchor, name, [place])
            else:
                made = decide(store, partial(marking, anchor))
            in_force += [d.no for d in made]
        if in_force and data.draw(st.booleans()):
            take_back()
    while in_force:
        take_back()
    assert carried(store) == before


def marking(anchor: str, _: Registry) -> list[Decision]:
    return [mark(anchor, "дом/d", "замков")]


def castle(title: str) -> Tree:
    made = Tree(title)
    made.add("Стоит замок.", id="a", anchors=["замок"])
    made.add("Двери и замки.", id="b", anchors=["замки"])
    made.add("Замок и замки.", id="c", anchors=["замок", "замки"])
    made.add("Много замков.", id="d")
    return made


def carried(store: Store) -> dict[str, list[str]]:
    """By thought, the phrases of its anchors and what they mean."""
    return {
        t.id: sorted(f"{a.phrase}: {a.anchor}, {a.origin}" for a in t.anchors)
        for tree in store.trees()
        for t in tree.thoughts
    }


def test_a_name_that_a_rule_joins_with_another_anchor_is_refused(store):
    with pytest.raises(Conflict, match="the name of another anchor, 'выбор'"):
        rename(store, "воля", "Выбора")


def test_what_an_author_wrote_stays_when_a_parting_of_its_name_is_taken_back():
    store = planted(
        tree("Дом", "Висит. {замок (дверной)}\n  На двери замок. {замок}"),
        tree("Король", "Стоит. {замок}"),
    )
    before = store.get("дом").thoughts
    made = part(store, "замок", "замок (дверной)", ["дом"])
    assert {a.anchor for t in store.get("дом") for a in t.anchors} == {"замок (дверной)"}
    undo(store, *(d.no for d in made))
    assert store.get("дом").thoughts == before


@pytest.mark.parametrize("order", list(permutations((0, 1))))
def test_two_words_that_meant_one_name_are_themselves_again(order):
    store = planted(
        tree("Дом", "Висит. {замок}\n  Стоит. {порогу}"),
        tree("Король", "Стоит. {порогу; замок}"),
    )
    before = store.get("дом").thoughts
    both = [
        part(store, "замок", "другое", ["дом"]),
        part(store, "порогу", "другое", [before[1].id]),
    ]
    for at in order:
        undo(store, *(d.no for d in both[at]))
    assert store.get("дом").thoughts == before


def test_a_parting_does_not_come_back_where_the_word_means_something_else_since(store):
    made = part(store, "воля", "воля (народа)", ["первое"])
    back = undo(store, *(d.no for d in made))
    part(store, "воля", "воля (к власти)", ["первое"])
    with pytest.raises(Conflict, match=r"means 'воля \(к власти\)' already"):
        undo(store, *(d.no for d in back))


def test_marks_that_are_accepted_change_no_name_that_an_author_gave():
    store = planted(
        tree("Крепость", "Стоит. {замок}\n  За Замком лес."),
        tree("Мост", "Старые. {замки}\n  У замка ров."),
    )
    before = [(g.id, g.phrase) for g in Registry.of(store).groups()]
    assert before == [("замок", "замок")]
    thoughts = [t.thoughts[1].id for t in store.trees()]
    for thought, phrase in zip(thoughts, ("Замком", "замка"), strict=True):
        marked = mark("замки", thought, phrase)
        decide(store, partial(as_is, [marked]))
    assert [(g.id, g.phrase) for g in Registry.of(store).groups()] == before


def as_is(decisions: list[Decision], _: Registry) -> list[Decision]:
    return decisions


def mark(anchor: str, thought: str, phrase: str) -> Decision:
    return Decision(0, "", "mark", anchor, thought, phrase=phrase, score=1.0)


@pytest.mark.parametrize("name", ["#воля", "[[воля]]"])
def test_no_name_begins_as_that_of_a_tag_or_link(store, name):
    with pytest.raises(InvalidInput, match="tag or a link"):
        part(store, "воля", name, ["первое"])
    with pytest.raises(InvalidInput, match="tag or a link"):
        rename(store, "воля", name)
