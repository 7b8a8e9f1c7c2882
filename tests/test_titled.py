"""Trees of data that are called by their titles stay who they are, whatever becomes of the files.

Histories of some files in a folder: trees are edited, called otherwise, numbered anew, moved to
other files, copied, removed and put in; files are renamed; and the folder is imported in between.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from forest import Forest
from forest.errors import Conflict, ImportRefused
from forest.importing import ImportReport

OLD = {
    n: [f"{word} {n} {end}" for end in ("сам", "один", "вновь", "и там")]
    for n, word in enumerate(["река", "дом", "зима", "сон", "мост", "лёд"])
}
"""What some chapters say."""


@pytest.fixture
def forest(tmp_path: Path) -> Iterator[Forest]:
    with Forest.open(f"sqlite:///{tmp_path / 'forest.db'}") as opened:
        yield opened


def put(tmp_path: Path, **files: Mapping[int, list[str]]) -> Path:
    """A folder that has these files and no others, each with chapters by their numbers."""
    folder = tmp_path / "d"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, trees in files.items():
        write(folder / f"{name}.json", [(f"Глава {n}", texts) for n, texts in trees.items()])
    return folder


def write(path: Path, trees: Iterable[tuple[str, Iterable[str]]]) -> None:
    data = [
        {"tree": title, "nodes": [{"level": min(i, 1), "text": x} for i, x in enumerate(texts)]}
        for title, texts in trees
    ]
    path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")


@pytest.mark.parametrize("keep_going", [False, True])
@pytest.mark.parametrize("deleted", [False, True])
def test_chapters_numbered_anew_are_known_in_the_parts_of_their_book(
    forest: Forest, tmp_path: Path, keep_going: bool, deleted: bool
) -> None:
    forest.import_files(put(tmp_path, book={n: OLD[n] for n in (1, 2, 3, 4)}))
    forest.import_files(put(tmp_path, book={n + 1: OLD[n] for n in (0, 1, 2, 3, 4)}))
    before = said(forest)
    assert before.keys() == {"глава-1", "глава-2", "глава-3", "глава-4", "глава-1.2"}
    first, second = ({n + 1: OLD[n] for n in some} for some in ((0, 1), (2, 3, 4)))
    parts = {"part1" if deleted else "book": first, "part2": second}
    report = forest.import_files(put(tmp_path, **parts), keep_going=keep_going)
    assert (report.added, report.skipped, report.notices) == ([], [], [])
    assert said(forest) == before


def test_a_new_chapter_whose_title_a_tree_of_another_title_has_gets_a_number(
    forest: Forest, tmp_path: Path
) -> None:
    forest.import_files(put(tmp_path, book={1: OLD[1], 2: OLD[2]}))
    forest.import_files(put(tmp_path, book={1: OLD[1], 3: OLD[2]}))
    before = said(forest)
    folder = put(tmp_path, book={1: OLD[1], 3: OLD[2]}, a={2: OLD[4]})
    assert forest.import_files(folder).added == ["глава-2.2"]
    assert said(forest) == before | {"глава-2.2": tuple(OLD[4])}


def test_a_copy_that_says_more_of_a_chapter_does_not_take_it(
    forest: Forest, tmp_path: Path
) -> None:
    forest.import_files(put(tmp_path, book={1: OLD[1], 2: OLD[2]}))
    edited = [*OLD[1][:1], *OLD[4][:3]]
    copy = [*OLD[1][:3], OLD[5][0]]
    report = forest.import_files(put(tmp_path, book={1: edited, 2: OLD[2]}, a={7: copy}))
    assert (report.changed, report.added) == (["глава-1"], ["глава-7"])
    report = forest.import_files(
        put(tmp_path, book={1: edited, 2: OLD[2]}, a={7: copy, 2: OLD[2]}), keep_going=True
    )
    assert ["глава-2" in skipped for skipped in report.skipped] == [True]
    assert forest.get("глава-2").source == "d/book.json"


def test_a_chapter_that_left_its_file_is_not_written_over_by_one_that_resembles_it(
    forest: Forest, tmp_path: Path
) -> None:
    forest.import_files(put(tmp_path, a={1: OLD[1], 5: OLD[5]}))
    forest.import_files(put(tmp_path, a={5: OLD[5]}))
    other = [*OLD[1][:-1], "дом 1 и здесь"]
    report = forest.import_files(put(tmp_path, a={2: other, 5: OLD[5]}))
    assert (report.added, report.changed) == (["глава-2"], [])
    assert [t.text for t in forest.get("глава-1")] == OLD[1]


def test_a_chapter_that_was_numbered_anew_is_known_by_its_title_where_it_comes_back(
    forest: Forest, tmp_path: Path
) -> None:
    forest.import_files(put(tmp_path, a={1: OLD[1]}, b={5: OLD[5]}))
    forest.import_files(put(tmp_path, a={2: OLD[1]}, b={5: OLD[5]}))
    assert len(forest.import_files(put(tmp_path, b={5: OLD[5]})).notices) == 1
    edited = [*OLD[1][:-1], "дом 1 и здесь"]
    report = forest.import_files(put(tmp_path, b={2: edited, 5: OLD[5]}))
    assert (report.added, report.changed) == ([], ["глава-1"])


@pytest.mark.parametrize("patience", [1, 100_000])
def test_new_trees_of_which_the_forest_has_none_do_not_wait(
    forest: Forest, tmp_path: Path, patience: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forest.titled.PATIENCE", patience)
    forest.import_files(put(tmp_path, book={1: OLD[1], 2: OLD[2]}))
    new = {n + 10: [f"слово {n} {end}" for end in "абвг"] for n in range(9)}
    moved = [*OLD[2][:3], "и здесь"]
    told: dict[str, int] = {}
    report = forest.import_files(
        put(tmp_path, book={1: OLD[1]}, a=new | {7: moved}, b={8: OLD[3]}),
        progress=lambda done: told.update({Path(done.file).name: done.thoughts}),
    )
    assert (report.changed, len(report.added)) == (["глава-2"], 10)
    assert said(forest)["глава-2"] == tuple(moved)
    assert told["a.json"] == (4 if patience > 1 else 40)


@dataclass(frozen=True)
class Chapter:
    """A tree of a file; who it is does the forest not know."""

    who: int
    title: str
    texts: tuple[str, ...]


@dataclass
class Folder:
    """What the files of a folder hold, and how they are changed."""

    path: Path
    files: dict[str, list[Chapter]] = field(default_factory=dict)
    names: count[int] = field(default_factory=lambda: count(1))
    copied: set[int] = field(default_factory=set)
    """Chapters of which there is or was a copy: which of the two is which is told by no text."""

    def text(self) -> str:
        return " ".join(f"{word}{next(self.names)}" for word in "abcdef")

    def new(self) -> Chapter:
        who = next(self.names)
        return Chapter(who, f"Глава {who}", tuple(self.text() for _ in range(4)))

    def places(self) -> list[tuple[str, int]]:
        return [(file, n) for file, trees in self.files.items() for n in range(len(trees))]

    def chapters(self) -> list[Chapter]:
        return [self.files[file][n] for file, n in self.places()]

    def write(self) -> None:
        for old in self.path.glob("*.json"):
            old.unlink()
        for file, trees in self.files.items():
            write(self.path / f"{file}.json", [(t.title, t.texts) for t in trees])

    def change(self, what: str, a: int, b: int) -> None:
        """Do one thing to them, if there is anything to do it to."""
        places = self.places()
        if what == "add" or not places:
            self.files.setdefault("abc"[a % 3], []).append(self.new())
            return
        (file, n), (other, m) = places[a % len(places)], places[b % len(places)]
        tree = self.files[file][n]
        if what == "edit":
            i = b % len(tree.texts)
            texts = (*tree.texts[:i], self.text(), *tree.texts[i + 1 :])
            self.files[file][n] = replace(tree, texts=texts)
        elif what == "retitle":
            self.files[file][n] = replace(tree, title=f"Глава {next(self.names)}")
        elif what == "swap titles":
            second = self.files[other][m]
            self.files[file][n] = replace(tree, title=second.title)
            self.files[other][m] = replace(second, title=tree.title)
        elif what == "number anew":
            self.files[file].insert(0, self.new())
            for number, (at, k) in enumerate(self.places(), 1):
                self.files[at][k] = replace(self.files[at][k], title=f"Глава {number}")
        elif what == "move":
            self.files.setdefault("abc"[b % 3], []).append(self.files[file].pop(n))
        elif what == "rename":
            self.files["abcd"[b % 4]] = self.files.pop(file) + self.files.pop("abcd"[b % 4], [])
        elif what == "remove":
            del self.files[file][n]
        elif what == "copy":
            copy = replace(tree, who=next(self.names), title=f"Глава {next(self.names)}")
            self.copied |= {tree.who, copy.who}
            self.files.setdefault("abc"[b % 3], []).append(copy)
        self.files = {file: trees for file, trees in self.files.items() if trees}


CHANGES = ("edit", "retitle", "swap titles", "number anew", "move", "rename", "remove", "add")
STEP = st.tuples(
    st.sampled_from([*CHANGES, "copy", "import", "import", "import what is right"]),
    st.integers(0, 11),
    st.integers(0, 11),
)


def said(forest: Forest) -> dict[str, tuple[str, ...]]:
    return {tree.id: tuple(t.text for t in tree) for tree in forest}


def imported(forest: Forest, folder: Folder, *, keep_going: bool) -> ImportReport | None:
    """What an import did; None where it was refused, for a reason."""
    folder.write()
    before, revision = said(forest), forest.revision
    titles = {
        tree.title for tree in forest if said(forest)[tree.id] not in map(_texts, folder.chapters())
    }
    try:
        return forest.import_files(folder.path, keep_going=keep_going)
    except (Conflict, ImportRefused) as error:
        note(str(error))
        assert (said(forest), forest.revision) == (before, revision)
        new = [
            c for c in folder.chapters() if c.texts not in before.values() or c.who in folder.copied
        ]
        assert any(chapter.title in titles for chapter in new)
        return None


def _may_be_known(file: str, now: Chapter, file_then: str, then: Chapter) -> bool:
    """Whether a chapter has most of its texts still, or was rewritten in its place."""
    same = len({*now.texts} & {*then.texts})
    return same > 2 or (file, now.title) == (file_then, then.title)


def _texts(chapter: Chapter) -> tuple[str, ...]:
    return chapter.texts


@settings(max_examples=60)
@given(steps=st.lists(STEP, min_size=3, max_size=20))
def test_trees_called_by_titles_stay_who_they_are(steps: list[tuple[str, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Folder(Path(name) / "d")
        folder.path.mkdir()
        with Forest.open(f"sqlite:///{name}/forest.db") as forest:
            _live(forest, folder, [("add", 0, 0), ("add", 0, 0), ("import", 0, 0), *steps])


def _live(forest: Forest, folder: Folder, steps: list[tuple[str, int, int]]) -> None:
    most: Counter[tuple[str, ...]] = Counter()
    ids: dict[int, tuple[str, str, Chapter]] = {}
    known: dict[tuple[str, Chapter], str] = {}
    for what, a, b in [*steps, ("import", 0, 0)]:
        if not what.startswith("import"):
            folder.change(what, a, b)
            note(
                f"{what} {a} {b}: "
                f"{[(f, t.who, t.title) for f in folder.files for t in folder.files[f]]}"
            )
            continue
        before = said(forest)
        report = imported(forest, folder, keep_going=what != "import")
        note(f"{what}: {report}")
        if report is None:
            continue
        after = said(forest)
        now = [chapter.texts for chapter in folder.chapters()]
        for texts, times in Counter(now).items():
            most[texts] = max(times, most[texts])
        for texts in now:  # what stands in a file is in the forest, but for what was left out
            assert (
                texts in after.values()
                if texts in before.values()
                else (texts in after.values() or report.skipped)
            )
        for texts, times in Counter(after.values()).items():
            assert times <= max(most[texts], 1)
        where = {
            (tree.source, tree.title, after[tree.id]): tree.id for tree in forest if tree.source
        }
        found: dict[tuple[str, Chapter], str] = {}
        for file, trees in folder.files.items():
            for chapter in trees:
                id_ = where.get((f"d/{file}.json", chapter.title, chapter.texts))
                if id_ is None:
                    assert report.skipped
                    continue
                found[file, chapter] = id_
                assert known.get((file, chapter), id_) == id_  # unchanged in its place
                then = ids.get(chapter.who)
                if then is not None and _may_be_known(file, chapter, *then[1:]):
                    assert chapter.who in folder.copied or then[0] == id_
                ids[chapter.who] = (id_, file, chapter)
        known = found
        revision = forest.revision
        again = forest.import_files(folder.path, keep_going=what != "import")
        assert (again.added, again.changed, forest.revision) == ([], [], revision)
