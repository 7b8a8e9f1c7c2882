"""What discovery proposed enters the forest through one door, and no other way."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from anchors import marks
from anchors import review as door
from anchors.checking import check
from anchors.decisions import decisions
from anchors.discovery import discover
from anchors.proposals import Proposal, proposals
from anchors.registry import Registry, merge, part, split, undo
from anchors.registry import refuse as refuse_pair
from anchors.stats import forest_stats
from forest import Forest
from forest.errors import Conflict, InvalidInput, NotFound, StoreUnavailable
from forest.forest import stamped
from forest.nodes import Node
from tests.anchors.helpers import put
from tests.export_helpers import planted, tree


def ids(store):
    return [p.id for p in proposals(store)]


def test_an_accepted_mark_is_an_anchor_that_says_where_it_came_from(store):
    before = store.get("закон")
    reviewed = door.accept(store, door.chosen(store, ["m1"]))
    after = store.get("закон")
    assert (reviewed.marked, reviewed.left_out) == (1, {})
    authored, found = after.thoughts[1].anchors
    assert authored == before.thoughts[1].anchors[0]
    assert (found.phrase, found.anchor, found.origin, found.score) == (
        "пороге", "порог", "discovered", 0.9,
    )  # fmt: skip
    assert [(t.id, t.text) for t in after.thoughts] == [(t.id, t.text) for t in before.thoughts]
    assert after.revision != before.revision
    assert ids(store) == ["g1"]


def test_what_is_discovered_renames_no_anchor_of_an_author():
    store = planted(
        tree("А", "Причина и следствие. {причина}"),
        tree("Б", "Причина и повод. {причина}"),
        tree("В", "Две причины спора. {причины}"),
        *(tree(f"Г{n}", f"Нет {n} причины для гнева.") for n in range(3)),
    )
    discover(store)
    assert door.accept(store, proposals(store)).marked == 3
    (group,) = Registry.of(store).groups()
    assert (group.id, group.phrase, group.carriers(store).trees) == ("причина", "причина", 6)
    assert [a.phrase for a in group.anchors] == ["причина", "причины"]
    discover(store)
    assert proposals(store) == []


def test_the_phrase_of_an_anchor_is_found_with_a_dash_that_authors_may_leave_out():
    store = planted(
        tree("А", "Так учат. {Причина и следствие не всегда линейны, но всегда связаны}"),
        tree("Б", "“Причина и следствие — не всегда линейны, но всегда связаны.”"),
    )
    discover(store)
    assert door.accept(store, proposals(store)).marked == 1
    (group,) = Registry.of(store).groups()
    assert (group.phrase[:30], group.carriers(store).trees) == ("Причина и следствие не всегда ", 2)


def test_an_accepted_merge_is_a_decision(store):
    assert door.accept(store, door.chosen(store, ["g"])).merged == 1
    assert Registry.of(store).head("граница") == Registry.of(store).head("порог")
    (said,) = decisions(store)
    assert (said.action, said.rule, said.score) == ("merge", "meaning", 0.7)


def test_a_thought_that_says_the_phrase_no_longer_is_not_marked(store):
    thought = door.chosen(store, ["m1"])[0].thought
    Forest(store).edit_thought(thought, text="На пороговом камне он молчит.")
    before = store.get("закон").revision
    reviewed = door.accept(store, proposals(store))
    assert reviewed.merged == 1
    assert reviewed.left_out == {
        "m1": f"'пороге' no longer stands in thought '{thought}', which was edited"
    }
    assert (store.get("закон").revision, ids(store)) == (before, ["m1"])
    Forest(store).remove("закон")
    reviewed = door.accept(store, proposals(store))
    assert "no thought" in reviewed.gone["m1"]
    assert ids(store) == []


def test_a_mark_is_in_the_history_and_can_be_undone_and_marked_again(store):
    before = store.get("закон")
    door.accept(store, door.chosen(store, ["m1"]))
    (said,) = decisions(store)
    assert (said.action, said.anchor, said.phrase, said.score) == ("mark", "порог", "пороге", 0.9)
    marked = store.get("закон").thoughts
    (back,) = undo(store, said.no)
    assert store.get("закон").thoughts == before.thoughts
    undo(store, back.no)
    assert store.get("закон").thoughts == marked
    undo(store, said.no)
    Forest(store).edit_thought(said.into, text="Он молчит.")
    with pytest.raises(Conflict, match="no longer stands"):
        undo(store, 4)
    assert len(decisions(store)) == 4


def keys():
    """A forest with a word of two meanings; in its fourth tree discovery marks it."""
    store = planted(
        tree("Один", "Ключ у мастера. {ключ}"),
        tree("Два", "Ключ бьёт из земли. {ключ}"),
        tree("Четыре", "Вот ключ от всего."),
    )
    discover(store)
    return store


def carried(store, tree_id="четыре"):
    return [link.anchor for t in store.get(tree_id).thoughts for link in t.anchors]


def test_a_mark_is_taken_back_also_where_its_word_was_parted_since():
    store = keys()
    assert door.accept(store, proposals(store)).numbers == [1]
    made = part(store, "ключ", "ключ (родник)", ["четыре"])
    assert carried(store) == ["ключ (родник)"]
    (back,) = undo(store, 1)
    assert carried(store) == []
    undo(store, back.no)
    assert carried(store) == ["ключ (родник)"]
    undo(store, *(d.no for d in made))
    assert carried(store) == ["ключ"]
    undo(store, 1)
    assert carried(store) == []


def test_a_mark_is_put_as_what_its_word_means_there():
    store = keys()
    (mark,) = proposals(store)
    Forest(store).edit_thought(mark.thought, anchors=["ключ"])
    part(store, "ключ", "ключ (родник)", ["четыре"])
    Forest(store).edit_thought(mark.thought, anchors=[])
    door.accept(store, [mark])
    assert carried(store) == ["ключ (родник)"]
    assert door.accept(store, [mark]).before == 1


def test_a_mark_that_was_hidden_by_a_parting_comes_when_that_is_taken_back():
    store = planted(
        tree("А", "Кропят: aqua это вода. {aqua}\n  Вода освящена. {вода}"),
        tree("Б", "Течёт вода. {вода}"),
    )
    discover(store)
    (mark,) = proposals(store)
    merge(store, "aqua", "вода")
    made = part(store, "aqua", "вода (святая)", ["а"])
    door.accept(store, [mark])
    undo(store, *(d.no for d in made))
    assert [a.anchor for a in store.get("а").root.anchors] == ["aqua", "вода"]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_mark_goes_in_whatever_order_it_and_two_partings_are_taken_back(order):
    store = planted(
        tree("Т", "Замок на горе. {замок}\n  И тут замок."), tree("У", "Был замок. {замок}")
    )
    before = store.get("т").thoughts
    discover(store)
    door.accept(store, proposals(store))
    made = [[1]]
    for word, name in (("замок", "замок (дверной)"), ("замок (дверной)", "замок (амбарный)")):
        made.append([d.no for d in part(store, word, name, ["т"])])
    for at in order:
        undo(store, *made[at])
    assert store.get("т").thoughts == before


def test_who_marks_late_takes_back_what_was_taken_back_meanwhile(monkeypatch):
    store = planted(tree("А", "Вода. {вода}"), tree("Б", "Тут вода."))
    before = store.get("б").thoughts
    discover(store)
    put_marks = marks.put

    def late(*asked, **options):
        with monkeypatch.context() as patch:
            patch.setattr(marks, "put", put_marks)
            if len(decisions(store)) == 1:
                undo(store, 1)
        return put_marks(*asked, **options)

    with monkeypatch.context() as patch:
        patch.setattr(marks, "put", late)
        door.accept(store, proposals(store))
    assert store.get("б").thoughts == before


def test_discovery_joins_no_two_meanings_and_picks_none_of_them():
    store = keys()
    part(store, "ключ", "ключ (инструмент)", ["один"])
    discover(store)
    assert [(p.what, p.anchor) for p in proposals(store)] == [("mark", "ключ")]
    part(store, "ключ", "ключ (родник)", ["два"])
    Forest(store).add(tree("Пять", "Ключ."), tree("Шесть", "Ключ."))
    discover(store, rules=["exact", "lemma", "near", "stem", "phrase"])
    assert proposals(store) == []


@pytest.mark.parametrize("other", ["порог", "порога"])
def test_a_parted_word_is_marked_as_the_plain_one_in_all_forms_or_nowhere(other):
    said = tree("В", "Он у порога дома.\n  Порог высок.\n    За порогом темно.")
    store = planted(tree("А", "Тут он. {порог}"), tree("Б", f"Там он. {{{other}}}"), said)
    part(store, "порог", "порог (реки)", ["б"])
    found = {(p.anchor, p.phrase) for p in discover(store).proposals}
    assert found == {("порог", form) for form in ("порога", "Порог", "порогом")}
    part(store, "порог", "порог (дома)", ["а"])
    assert discover(store).proposals == []
    with pytest.raises(NotFound, match=r"several anchors: «порог \(дома\)», «порог \(реки\)»"):
        Registry.of(store).find("порогам")


def test_a_mark_of_an_anchor_that_is_gone_is_dropped_and_said():
    store = planted(
        tree("А", "Мать ждёт сына."),
        tree("Б", "Здесь мать молчит."),
        tree("В", "Так устроено. {мать}"),
        tree("Г", "Река уходит в море."),
        tree("Д", "Река уходит в море."),
    )
    discover(store)
    Forest(store).remove("в")
    reviewed = door.accept(store, proposals(store))
    assert set(reviewed.gone.values()) == {"no thought carries the anchor 'мать' any more"}
    assert (reviewed.marked, ids(store)) == (2, [])
    assert [a.id for a in store.anchors()] == ["река уходит в море"]


def test_undoing_a_mark_leaves_what_an_author_wrote(store):
    (mark,) = door.chosen(store, ["m1"])
    anchors = ["воля", "Порог"]
    Forest(store).edit_thought(mark.thought, anchors=anchors)
    door.accept(store, [mark])
    undo(store, 1)
    assert [a.phrase for a in store.get("закон").thoughts[1].anchors] == anchors


def test_what_is_accepted_together_is_marked_or_not_as_a_whole(store):
    thought = store.get("вера").thoughts[0].id
    mark = Proposal("mark", "near", 0.5, "вера", phrase="Вера", thought=thought)
    put(store, mark.node)

    def gone_wrong(tree, old):
        if tree.id == "закон":
            raise StoreUnavailable("no more room")
        return stamped(tree, old)

    before = store.get("вера"), store.get("закон"), ids(store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("anchors.marks.stamped", gone_wrong)
        with pytest.raises(StoreUnavailable):
            door.accept(store, proposals(store))
    assert (store.get("вера"), store.get("закон"), ids(store)) == before
    assert decisions(store) == []


def test_accepting_again_after_an_interruption_marks_once(store):
    (mark,) = door.chosen(store, ["m1"])
    door.accept(store, [mark])
    door.accept(store, [mark])
    assert [a.anchor for a in store.get("закон").thoughts[1].anchors] == ["воля", "порог"]
    assert len(decisions(store)) == 1


def killed(store, act, trees=0):
    """A decision that is killed after so many trees of its first write of trees."""
    write = store.write

    def kill(some, merge):
        write(list(some)[:trees], merge)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "write", kill)
        with pytest.raises(KeyboardInterrupt):
            act()


def discovered(store):
    links = [a for tree in store.trees() for t in tree.thoughts for a in t.anchors]
    return [a.phrase for a in links if a.origin == "discovered"]


NEXT = pytest.mark.parametrize(
    "then",
    [
        discover,
        lambda store: split(store, "причинности → следствия"),
        lambda store: door.accept(store, door.chosen(store, ["g1"])),
        lambda store: door.refuse(store, door.chosen(store, ["g1"])),
        lambda store: check(Forest(store), fix=True),
    ],
    ids=["discover", "split", "accept another", "refuse another", "check --fix"],
)


@NEXT
def test_what_a_killed_accept_decided_is_done_by_whatever_comes_next_and_can_be_undone(store, then):
    mark = door.chosen(store, ["m1"])
    killed(store, lambda: door.accept(store, mark))
    then(store)
    first = decisions(store)[0]
    said = first.action, first.rule, first.score, first.begun
    assert said == ("mark", "near", 0.9, False)
    assert discovered(store) == ["пороге"]
    undo(store, first.no)
    assert discovered(store) == []


def test_an_accept_killed_between_trees_marks_all_of_them(store):
    thought = store.get("вера").thoughts[0].id
    second = Proposal("mark", "near", 0.5, "вера", phrase="Вера", thought=thought, key="m2")
    put(store, second.node)
    both = door.chosen(store, ["m1", "m2"])
    killed(store, lambda: door.accept(store, both), trees=1)
    assert len(discovered(store)) == 1
    assert door.accept(store, both).before == 2
    assert sorted(discovered(store)) == ["Вера", "пороге"]
    assert ids(store) == ["g1"]


@NEXT
def test_what_a_killed_undo_began_is_in_the_history_and_in_the_thoughts(store, then):
    door.accept(store, door.chosen(store, ["m1"]))
    killed(store, lambda: undo(store, 1))
    then(store)
    assert (discovered(store), Registry.of(store).marks) == ([], {})
    last = next(d.no for d in decisions(store) if d.action == "undo")
    killed(store, lambda: undo(store, last))
    door.chosen(store, [])
    assert (discovered(store), len(Registry.of(store).marks)) == (["пороге"], 1)
    with pytest.raises(Conflict, match="taken back already"):
        undo(store, last)


@pytest.mark.parametrize("trees", [0, 1])
def test_a_killed_undo_of_meanings_and_marks_is_done_wholly(store, trees):
    part(store, "порог", "порог (дома)", ["вера"])
    door.accept(store, door.chosen(store, ["m1"]))
    part(store, "порог", "порог (суда)", ["закон"])
    there = [store.get(tree).thoughts[1].anchors for tree in ("вера", "закон")]
    assert [links[-1].anchor for links in there] == ["порог (дома)", "порог (суда)"]
    numbers = [d.no for d in decisions(store)]
    killed(store, lambda: undo(store, *numbers), trees)
    (finding,) = check(Forest(store))
    assert finding.fixable
    assert "thoughts may not say yet" in finding.problem
    assert check(Forest(store), fix=True)[0].fixed
    assert check(Forest(store)) == []
    there = [store.get(tree).thoughts[1].anchors for tree in ("вера", "закон")]
    assert [[a.anchor for a in links] for links in there] == [["порог"], ["воля"]]
    assert (Registry.of(store).meanings, Registry.of(store).marks) == ({}, {})


def test_a_mark_of_what_was_edited_while_it_was_killed_is_left(store):
    mark = door.chosen(store, ["m1"])
    killed(store, lambda: door.accept(store, mark))
    Forest(store).edit_thought(mark[0].thought, text="Он молчит.")
    discover(store)
    assert (discovered(store), [d.begun for d in decisions(store)]) == ([], [False])


def test_a_mark_that_an_edit_lost_is_put_again_by_the_decision_that_there_is(store):
    mark = door.chosen(store, ["m1"])
    door.accept(store, mark)
    Forest(store).edit_thought(mark[0].thought, text="Он молчит.")
    Forest(store).edit_thought(mark[0].thought, text="На пороге он молчит.")
    put(store, mark[0].node)
    assert discovered(store) == []
    again = door.accept(store, mark)
    assert (discovered(store), len(decisions(store)), ids(store)) == (["пороге"], 1, ["g1"])
    assert (again.marked, again.numbers, again.held) == (1, [], [1])


def test_two_reviews_at_once_decide_once(store):
    both = proposals(store)
    first = door.accept(store, both)
    second = door.accept(store, both)
    assert (first.marked, first.merged, first.before) == (1, 1, 0)
    assert (second.marked, second.merged, second.before, second.numbers) == (0, 0, 2, [])
    assert [d.action for d in decisions(store)] == ["mark", "merge"]


def test_what_another_review_refused_meanwhile_stays_unmarked(store):
    (mark,) = door.chosen(store, ["m1"])
    door.refuse(store, [mark])
    assert door.accept(store, [mark]).before == 1
    assert [a.anchor for a in store.get("закон").thoughts[1].anchors] == ["воля"]


def test_a_merge_that_an_author_refused_is_left_out(store):
    refuse_pair(store, "граница", "порог")
    reviewed = door.accept(store, door.chosen(store, ["g1"]))
    assert "refused as one anchor (decision 1)" in reviewed.left_out["g1"]
    assert Registry.of(store).head("граница") != Registry.of(store).head("порог")


def test_merges_accepted_together_respect_a_refusal(store):
    refuse_pair(store, "граница", "воля")
    put(
        store,
        Node(
            "Proposal",
            "h1",
            {"what": "merge", "rule": "near", "anchor": "порог", "into": "воля", "score": 0.5},
        ),
    )
    reviewed = door.accept(store, proposals(store))
    assert (reviewed.merged, list(reviewed.left_out)) == (1, ["h1"])
    assert Registry.of(store).blocked == []


def test_a_thought_that_is_no_anchor_yet_is_shown_as_it_is_written():
    said = "Закон — это Свобода: воли"
    store = planted(
        tree("А", said),
        tree("Б", said),
        tree("В", said.lower()),
        tree("Г", "Законы — это свободы: воли"),
    )
    discover(store)
    there = proposals(store)
    name = door.naming(Registry.of(store), there)
    assert {name(p.anchor) for p in there} == {said}
    assert [b.phrase for b in forest_stats(store).bridges] == [said]
    review = "".join(door.review_text(door.evidence(store, there), name))
    assert review.count(f"anchor: '{said}'") == 4
    one = review.replace("accept:\n", "accept: yes\n", 1)
    assert door.answer(store, one, "review.yaml").marked == 1
    rest = review.replace("accept:\n", "accept: yes\n")
    assert door.answer(store, rest, "review.yaml").marked == 3
    (group,) = Registry.of(store).groups()
    assert group.phrase == said


def test_what_is_refused_is_known_as_refused(store):
    mark, merge = door.chosen(store, ["m1", "g1"])
    assert door.refuse(store, [mark, merge], why="нет").refused == 2
    registry = Registry.of(store)
    assert registry.refused(*mark.against)
    assert registry.refused(*merge.against)
    assert ids(store) == []


def in_review(store):
    """The review file of a store, with the ids that discovery would give."""
    for old in proposals(store):
        new = replace(old, key="")
        store.change_nodes(
            [], lambda _, old=old, new=new: {old.node.at: None, new.node.at: new.node}
        )
    registry = Registry.of(store)
    return "".join(door.review_text(door.evidence(store, proposals(store)), registry.name))


def test_a_review_file_goes_out_and_comes_back(store):
    text = in_review(store)
    assert "text: На пороге он молчит." in text
    assert "text: Порог страшит." in text
    assert door.answer(store, text, "review.yaml") == door.Reviewed()
    answered = text.replace("  accept:\n", "  accept: Yes\n", 1).replace(
        "  accept:\n", "  accept: no\n"
    )
    reviewed = door.answer(store, answered, "review.yaml")
    assert (reviewed.refused, reviewed.marked, ids(store)) == (1, 1, [])
    assert door.answer(store, answered, "review.yaml").before == 2
    undo(store, range(1, 3))
    again = door.answer(store, answered, "review.yaml")
    assert (again.before, again.numbers, len(again.left_out)) == (0, [], 2)
    assert all("was taken back" in why for why in again.left_out.values())


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("phrase: пороге", "phrase: он", "phrase is 'он', but 'пороге' is proposed"),
        ("anchor: порог", "anchor: воля", "anchor is 'воля', but 'порог' is proposed"),
        ("tree: закон", "tree: вера", "here.tree is 'вера', but 'закон' is proposed"),
        ("На пороге он", "Он на пороге", "here.text is 'Он на пороге молчит.', but 'На пороге"),
        ("score: 0.9", "score: 1.0", "score is '1.0', but '0.9' is proposed"),
        ("rule: near", "rule: exact", "rule is 'exact', but 'near' is proposed"),
        ("  accept: yes", "  accept: yes\n  why: да", "why is 'да', which no proposal has"),
    ],
)
def test_a_proposal_that_was_edited_in_the_file_is_refused_with_its_line(store, old, new, problem):
    text = in_review(store).replace("  accept:\n", "  accept: yes\n")
    with pytest.raises(InvalidInput, match=rf"r:4: proposal .*{problem}"):
        door.answer(store, text.replace(old, new), "r")
    assert len(ids(store)) == 2
    assert decisions(store) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- id: m1\n  accept: maybe\n", "r:1: proposal 'm1': accept is 'maybe', expected yes"),
        ("- id: m1\n  accept: yes\n- x\n", "r:3: expected a proposal with its id"),
        ("- id: m1\n  accept: [yes]\n", r"r:1: proposal 'm1': accept is '\[yes\]', expected yes"),
        ("- id: m1\n  acept: yes\n", "r:1: proposal 'm1': accept is missing"),
        ("- id: m1\n  accept: yes\n- id: m1\n  accept: no\n", "r:3: .* stands there twice"),
        ("- id: m1\n  accept: yes\n  accept: no\n", r"r:3: accept stands there twice .* line 2\)"),
        ("- id: m1\n  accept: yes\n  here: {text: a,\n    text: b}\n", "r:4: here.text stands"),
        ("- id: m1\n  accept: yes\n  ? [a]\n  : b\n", r"r:3: \[a\] is no key"),
        ("- " * 3000, "r: it is nested too deep to be a review"),
        ("- id: m1\n  accept: yes\n- id: m9\n  accept: no\n", "r:3: there is no proposal 'm9'"),
        ("id: m1", "r:1: expected a list of proposals"),
        ("", "r:1: expected a list of proposals"),
        ("[]", "r:1: expected a list of proposals"),
        ("- id: [", "r:1: it is not YAML"),
    ],
)
def test_a_review_file_that_is_not_one_changes_nothing(store, text, problem):
    with pytest.raises(InvalidInput, match=problem):
        door.answer(store, text, "r")
    assert ids(store) == ["m1", "g1"]


def test_proposals_that_are_not_there(store):
    with pytest.raises(NotFound, match="no proposal 'x'"):
        door.chosen(store, ["x"])
    put(store, Node("Proposal", "bad", {"what": "mark", "rule": "near"}))
    with pytest.raises(InvalidInput, match="Proposal 'bad' is not as the library writes it"):
        proposals(store)
