"""What an export keeps on disk between reading the trees and writing the walks.

While trees stream by, one in memory, the thoughts that carry shared anchors are put here together
with the text around them. Then SQLite sorts them into rings, finds which jump follows which, and
gives back one ring or jump at a time. Records that have to be sorted wait here too. So memory does
not grow with the forest. The files live as long as the export and are worth nothing afterwards;
nothing in them is synced.

There are three: places, jumps, and records that wait. The first is written while trees stream by,
the second while rings are closed; from then on other processes may read them (`Reading`).

This is the only module of the package that knows SQLite.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, zip_longest
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple, Self

import orjson

from exporters.lines import Line
from exporters.records import Axes
from forest.errors import ExportError

SCHEMA = """
CREATE TABLE tree (
    no INTEGER PRIMARY KEY, id TEXT, revision TEXT, title TEXT, lang TEXT, axes BLOB, split TEXT);
CREATE TABLE place (
    no INTEGER PRIMARY KEY, tree INTEGER, key INTEGER, thought TEXT, said INTEGER, beside TEXT,
    before BLOB, after BLOB);
CREATE TABLE passing (place INTEGER, step INTEGER, next INTEGER);
CREATE TABLE occurrence (
    split TEXT, anchor TEXT, ring INTEGER, tree INTEGER, place INTEGER, phrase TEXT, key INTEGER,
    fate INTEGER, said INTEGER);
CREATE TABLE jumps.jump (
    no INTEGER PRIMARY KEY, split TEXT, anchor TEXT, source INTEGER, target INTEGER, phrase TEXT,
    key INTEGER);
CREATE TABLE jumps.walked (split TEXT, anchor TEXT, source TEXT, target TEXT);
CREATE TABLE waiting.kept (
    no INTEGER PRIMARY KEY, split TEXT, key INTEGER, size INTEGER, line BLOB, about BLOB,
    note BLOB);
CREATE TABLE waiting.silent (
    thought TEXT PRIMARY KEY, tree INTEGER, parent TEXT, words INTEGER, said INTEGER,
    stepped INTEGER, cut INTEGER) WITHOUT ROWID;
"""

FILES = {"main": "places.db", "jumps": "jumps.db", "waiting": "waiting.db"}
PRAGMAS = (
    *(f"{name}.page_size = 16384" for name in FILES),  # a place takes some KB: in 4 KB it is cut
    *(f"{name}.{pragma} = OFF" for name in FILES for pragma in ("journal_mode", "synchronous")),
    "main.cache_size = -8192",  # KiB; more made nothing faster
    "jumps.cache_size = -4096",
    "waiting.cache_size = -4096",
    "temp_store = FILE",
)

_IN_BUDGET = """
SELECT no FROM (
    SELECT no, key AS place, sum(size) OVER (ORDER BY key, no) AS so_far FROM kept WHERE split = ?
) WHERE ? = 0 OR so_far <= ? ORDER BY """
KEPT = {False: f"{_IN_BUDGET} no", True: f"{_IN_BUDGET} place, no"}

FOLLOW = """
CREATE INDEX jumps.jump_source ON jump (source);
CREATE TABLE jumps.road AS SELECT place, step, next FROM (
    SELECT place, step, next, row_number() OVER (PARTITION BY place ORDER BY step) AS nearest
    FROM passing WHERE EXISTS (SELECT 1 FROM jump WHERE source = next)) WHERE nearest = 1;
CREATE TABLE jumps.own_road AS SELECT no, step, next FROM (
    SELECT place.no, step, next, row_number() OVER (PARTITION BY next ORDER BY key, no) AS first
    FROM road JOIN place ON place.no = road.place) WHERE first = 1;
CREATE UNIQUE INDEX jumps.own_road_place ON own_road (no);
CREATE TABLE jumps.leaving AS
    SELECT no, source, row_number() OVER (PARTITION BY source ORDER BY no) AS n FROM jump;
CREATE UNIQUE INDEX jumps.leaving_source ON leaving (source, n);
CREATE TABLE jumps.follow (jump INTEGER PRIMARY KEY, next INTEGER, step INTEGER);
INSERT INTO follow SELECT arriving.no, leaving.no, own_road.step FROM (
        SELECT no, target, row_number() OVER (PARTITION BY target ORDER BY no) AS n FROM jump
    ) AS arriving
    JOIN own_road ON own_road.no = arriving.target
    JOIN leaving ON leaving.source = own_road.next AND leaving.n = arriving.n;
CREATE INDEX jumps.follow_next ON follow (next);
"""


_TIMES = """
SELECT coalesce(sum(n = 1), 0), coalesce(sum(n > 1), 0) FROM (
    SELECT count(*) AS n FROM walked WHERE split = :split GROUP BY anchor, """
WALKED = (
    f"{_TIMES} source)",
    f"{_TIMES} target)",
    """
SELECT count(*) FROM (
    SELECT anchor, source FROM walked WHERE split = :split
    UNION SELECT anchor, target FROM walked WHERE split = :split)""",
)
WAITING = 10_000
"""Thoughts that are known to be said, and wait in memory before that is noted."""
PLACE_BITS = 32
"""A place is the number of its tree, and the thought's in so many bits."""


class TreeNote(NamedTuple):
    """What is known of a tree when its text has gone by."""

    id: str
    title: str
    lang: str
    axes: Axes


class Occurrence(NamedTuple):
    """A thought that carries a shared anchor, as a place on the anchor's ring."""

    split: str
    anchor: str
    ring: int
    """Where the tree stands on the ring: its hash for this anchor."""
    tree: int
    place: int
    phrase: str
    """The anchor's phrase as written at the thought."""
    key: int
    """Hash of the seed and the thought's id."""
    fate: int
    """Hash of the thought's id alone."""
    said: int
    """Hash of all that is said of the thought and its tree."""


class Jump(NamedTuple):
    """A jump from one place to another at an anchor."""

    no: int
    split: str
    anchor: str
    source: int
    target: int
    phrase: str
    """The anchor's phrase as written at the target."""
    key: int
    """Hash of what the jump joins."""


class Leg(NamedTuple):
    """A jump with what a walk needs to take it."""

    no: int
    split: str
    anchor: str
    source: int
    key: int
    phrase: str
    target: str
    """Id of the thought it lands at."""
    tree: int
    """Number of the tree it lands in."""
    after: bytes
    """What is said after the landing, from the target on."""
    next: int | None
    """The jump that a walk can take next."""
    step: int | None
    """How many thoughts after the target its source is."""


class Link(NamedTuple):
    """A jump, with what it is made of and which one follows it."""

    split: str
    anchor: str
    key: int
    phrase: str
    source: int
    target: int
    left: int
    """Hash of all that is said of the place it leaves, and its tree."""
    landed: int
    """The same of the place where it lands."""
    next: int | None
    step: int | None


class Gathered(NamedTuple):
    """The thoughts of a tree that carry shared anchors; a place is a thought's in its tree."""

    places: list[tuple[int, int, str, int, str, bytes, bytes]]
    """(place, hash of the thought's id, the id, hash of all that is said of it and its tree, the
    other premises beside it or "", what is said before, and after)."""
    passing: list[tuple[int, int, int]]
    """(place, step, next): what is said after it comes to the place next after so many thoughts."""
    carried: list[tuple[int, str, int, str, int, int, int]]
    """(place, anchor, ring, phrase, key, fate, said) of each `Occurrence`."""


class Reading:
    """What trees and jumps left, to be read by any process once it is there.

    :param jumps: whether those are there already.
    """

    def __init__(self, folder: Path, *, jumps: bool) -> None:
        self._db = sqlite3.connect(_read_only(folder / "places.db"), uri=True, isolation_level=None)
        if jumps:
            self._db.execute("ATTACH ? AS jumps", (_read_only(folder / "jumps.db"),))

    def close(self) -> None:
        """Let go of the files."""
        self._db.close()

    def legs(self, jumps: Iterable[int]) -> dict[int, Leg]:
        """Jumps, by their numbers, with what a walk needs to take them."""
        rows = self._db.execute(
            "SELECT jump.no, split, anchor, source, jump.key, phrase, thought, place.tree, after,"
            " next, step FROM json_each(?) JOIN jump ON jump.no = value"
            " JOIN place ON place.no = jump.target LEFT JOIN follow ON follow.jump = jump.no",
            (orjson.dumps([*jumps]).decode(),),
        )
        return {row[0]: Leg._make(row) for row in rows}

    def place(self, no: int) -> tuple[bytes, bytes]:
        """What is said before a jump from a place, and after one to it."""
        found: tuple[bytes, bytes] = self._db.execute(
            "SELECT before, after FROM place WHERE no = ?", (no,)
        ).fetchone()
        return found

    def beside(self, no: int) -> str:
        """The other premises beside a place, or nothing."""
        found: tuple[str] = self._db.execute(
            "SELECT beside FROM place WHERE no = ?", (no,)
        ).fetchone()
        return found[0]

    def places(self, numbers: Iterable[int]) -> dict[int, tuple[bytes, bytes]]:
        """The same of some places, by their numbers."""
        rows = self._db.execute(
            "SELECT no, before, after FROM json_each(?) JOIN place ON no = value",
            (orjson.dumps([*numbers]).decode(),),
        )
        return {no: (before, after) for no, before, after in rows}

    def tree(self, no: int) -> TreeNote:
        """What was kept of a tree."""
        found = "SELECT id, title, lang, axes FROM tree WHERE no = ?"
        id_, title, lang, axes = self._db.execute(found, (no,)).fetchone()
        return TreeNote(id_, title, lang, orjson.loads(axes))


class Scratch(Reading):
    """The scratch files. A context manager: errors of SQLite leave its block as ExportError."""

    def __init__(self, folder: Path) -> None:
        self._paths = {name: folder / file for name, file in FILES.items()}
        self._db = sqlite3.connect(self._paths["main"], isolation_level=None)
        self._said: set[str] = set()
        self._stepped: set[tuple[str, str]] = set()

    def __enter__(self) -> Self:
        try:
            for name in list(FILES)[1:]:
                self._db.execute(f"ATTACH ? AS {name}", (str(self._paths[name]),))
            for pragma in PRAGMAS:
                self._db.execute(f"PRAGMA {pragma}")
            self._db.executescript(SCHEMA)
            self._db.execute("BEGIN")
        except sqlite3.Error as error:
            self._db.close()
            raise _no_room(error) from error
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._db.close()
        for path in self._paths.values():
            path.unlink(missing_ok=True)
        if isinstance(error, sqlite3.Error):
            raise _no_room(error) from error

    def settle(self) -> None:
        """Let other processes see what was written so far."""
        self._db.execute("COMMIT")
        self._db.execute("BEGIN")

    # --- while trees stream by -----------------------------------------------------------------

    def add_tree(self, no: int, tree: tuple[str, str, str, str, bytes, str]) -> None:
        """Keep (id, revision, title, language, axes, split) of a tree."""
        self._db.execute("INSERT INTO tree VALUES (?, ?, ?, ?, ?, ?, ?)", (no, *tree))

    def add_places(self, no: int, split: str, gathered: Gathered) -> None:
        """Keep the thoughts of a tree that carry shared anchors."""
        first = no << PLACE_BITS
        self._db.executemany(
            "INSERT INTO place VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            ((first + place, no, *said) for place, *said in gathered.places),
        )
        self._db.executemany(
            "INSERT INTO passing VALUES (?, ?, ?)",
            ((first + place, step, first + to) for place, step, to in gathered.passing),
        )
        self._db.executemany(
            "INSERT INTO occurrence VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (split, anchor, ring, no, first + place, *of)
                for place, anchor, ring, *of in gathered.carried
            ),
        )

    def revisions(self) -> Iterator[tuple[str, str]]:
        """(tree id, revision) of all trees, in the order in which they were read."""
        yield from self._db.execute("SELECT id, revision FROM tree ORDER BY no")

    def trees_of(self, split: str) -> Iterator[str]:
        """Ids of the trees of a split, in the order in which they were read."""
        for (id_,) in self._db.execute("SELECT id FROM tree WHERE split = ? ORDER BY no", (split,)):
            yield id_

    # --- rings ---------------------------------------------------------------------------------

    def order(self) -> None:
        """Let rings be read in their order; when all places are there."""
        self._db.execute(
            "CREATE INDEX ring_order ON occurrence"  # all of a row, so that it alone is read
            " (split, anchor, ring, tree, place, phrase, key, fate, said)"
        )

    def rings(self) -> Iterator[list[Occurrence]]:
        """The occurrences of each anchor of the training split, then of validation, as rings."""
        rows = self._db.execute(
            "SELECT * FROM occurrence ORDER BY split, anchor, ring, tree, place"
        )
        for _, ring in groupby(rows, key=itemgetter(0, 1)):
            yield [Occurrence(*row) for row in ring]

    def occurrences(self, split: str, most: int) -> Iterator[Occurrence]:
        """Of a split, so many occurrences: those whose thoughts have the least hashes."""
        found = "SELECT * FROM occurrence WHERE split = ? ORDER BY fate, anchor, place LIMIT ?"
        for row in self._db.execute(found, (split, most)):
            yield Occurrence(*row)

    def add_jumps(self, jumps: Iterable[Jump]) -> None:
        """Keep jumps."""
        self._db.executemany("INSERT INTO jump VALUES (?, ?, ?, ?, ?, ?, ?)", jumps)

    def link(self) -> None:
        """Find for each jump the one that a walk can take next.

        After a landing the road leads to the nearest place on it that is a source. Where the
        roads of several landings lead to one source, the landing with the least hash keeps it.
        Then the n-th jump that arrives at the landing is followed by the n-th that leaves the
        source. So no two jumps are followed by the same one.
        """
        for statement in FOLLOW.split(";"):
            self._db.execute(statement)

    # --- walks ---------------------------------------------------------------------------------

    def links(self) -> Iterator[Link]:
        """All jumps in their order, with what each is made of; after `link`."""
        rows = self._db.execute(
            "SELECT split, anchor, jump.key, phrase, source, target, left.said, landed.said, next,"
            " step FROM jump JOIN place AS left ON left.no = source"
            " JOIN place AS landed ON landed.no = target"
            " LEFT JOIN follow ON follow.jump = jump.no ORDER BY jump.no"
        )
        return map(Link._make, rows)

    # --- records that are sorted, or cut down to a budget ---------------------------------------

    def keep(self, line: Line) -> None:
        """Keep a record."""
        about = line.kind, line.size, line.jumps, line.thoughts, line.text, line.stitched
        self._db.execute(
            "INSERT INTO kept (split, key, size, line, about, note) VALUES (?, ?, ?, ?, ?, ?)",
            (line.split, line.order, line.length, line.line, orjson.dumps(about), line.note),
        )

    def kept(self, split: str, budget: int, shuffled: bool) -> Iterator[Line]:
        """A split's records kept, in the order in which they came or shuffled.

        With a budget (0: none) the first in the shuffled order, while all together are at most so
        long.
        """
        rows = self._db.execute(KEPT[shuffled], (split, budget, budget))
        for (no,) in rows:
            found = "SELECT key, size, line, about, note FROM kept WHERE no = ?"
            key, length, line, about, note = self._db.execute(found, (no,)).fetchone()
            kind, size, jumps, thoughts, text, stitched = orjson.loads(about)
            of = jumps, thoughts, key, text, stitched, note
            yield Line(kind, split, line, size, length, *of)

    def add_silent(
        self, tree: int, thoughts: Sequence[tuple[str, str | None]], keys: Sequence[int]
    ) -> None:
        """Note (thought, parent) of a tree that are in no record so far, and keys of their words.

        :param keys: or none, where nobody asks for them.
        """
        self._db.executemany(
            "INSERT INTO silent VALUES (?, ?, ?, ?, 0, 0, 0)",
            ((t, tree, p, key) for (t, p), key in zip_longest(thoughts, keys[: len(thoughts)])),
        )

    def words(self, thoughts: Sequence[str]) -> dict[str, tuple[str | None, int]]:
        """(parent, key of the words) of thoughts noted, by their ids."""
        rows = self._db.execute(
            "SELECT thought, silent.parent, words FROM json_each(?) JOIN silent ON thought = value",
            (orjson.dumps(thoughts).decode(),),
        )
        return {thought: (parent, key) for thought, parent, key in rows}

    def remove_silent(self, thoughts: Sequence[str]) -> None:
        """Note that a record says thoughts, and the steps of which it says both ends."""
        self._said.update(thoughts)
        told = orjson.dumps(thoughts).decode()
        self._stepped.update(
            self._db.execute(
                "SELECT thought, silent.parent FROM json_each(:told) JOIN silent ON thought = value"
                " WHERE silent.parent IN (SELECT value FROM json_each(:told))",
                {"told": told},
            )
        )
        if len(self._said) > WAITING:
            self._put_said()

    def _put_said(self) -> None:
        """Records of one tree say the same again and again, so that it is worth waiting a bit."""
        self._db.executemany("UPDATE silent SET said = 1 WHERE thought = ?", zip(self._said))
        self._db.executemany(
            "UPDATE silent SET stepped = 1 WHERE thought = ? AND parent = ?", self._stepped
        )
        self._said.clear()
        self._stepped.clear()

    def add_walked(self, split: str, jumps: Iterable[tuple[str, str, str]]) -> None:
        """Note the jumps (anchor, source, target) of a walk that was written."""
        self._db.executemany(
            "INSERT INTO walked VALUES (?, ?, ?, ?)", ((split, *jump) for jump in jumps)
        )

    def walked(self, split: str) -> tuple[tuple[int, int], tuple[int, int], int]:
        """Occurrences that the walks noted leave once and more often, reach so, and do either."""
        sources, targets, either = (
            self._db.execute(sql, {"split": split}).fetchone() for sql in WALKED
        )
        return sources, targets, either[0]

    def cut_silent(self, thoughts: Sequence[str]) -> None:
        """Note that a record of these thoughts was made, and may be left out again."""
        self._db.executemany("UPDATE silent SET cut = 1 WHERE thought = ?", zip(thoughts))

    def said(self, split: str) -> tuple[int, int]:
        """Of the thoughts noted in a split: how many are in a record, and how many steps."""
        self._put_said()
        found: tuple[int, int] = self._db.execute(
            "SELECT coalesce(sum(said), 0), coalesce(sum(stepped), 0) FROM silent"
            " JOIN tree ON tree.no = silent.tree WHERE split = ?",
            (split,),
        ).fetchone()
        return found

    def is_silent(self, thoughts: Iterable[str]) -> bool:
        """Whether any of some thoughts is in no record, as far as that was noted."""
        self._put_said()
        found: tuple[int] = self._db.execute(
            "SELECT EXISTS (SELECT 1 FROM json_each(?) JOIN silent ON thought = value"
            " WHERE NOT said)",
            (orjson.dumps([*thoughts]).decode(),),
        ).fetchone()
        return bool(found[0])

    def silent(self, split: str) -> Iterator[tuple[str, str, bool]]:
        """(tree, thought, whether a record of it was made) of thoughts in no record."""
        self._put_said()
        for id_, thought, cut in self._db.execute(
            "SELECT id, thought, cut FROM silent JOIN tree ON tree.no = silent.tree"
            " WHERE split = ? AND NOT said ORDER BY thought",
            (split,),
        ):
            yield id_, thought, bool(cut)


def _read_only(path: Path) -> str:
    return f"{path.as_uri()}?mode=ro"


def _no_room(error: sqlite3.Error) -> ExportError:
    return ExportError(
        f"the scratch file beside the corpus could not be written: {error}",
        hint="What was there before is unchanged. Is there room on the disk?",
    )
