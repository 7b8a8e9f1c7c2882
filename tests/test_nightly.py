"""A corpus every night, and what is left of a night that goes wrong."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from exporters.export import export_corpus
from exporters.manifest import Manifest
from exporters.nightly import Nights, Schedule, Status
from exporters.nightly.nights import PAUSES
from forest import Forest, Tree
from forest.errors import ExportError, StoreError, StoreUnavailable, UsageError
from forest.stores.memory import MemoryStore
from tests.conftest import Run
from tests.export_helpers import SMALL, content, planted, tree
from tests.test_export_leaks import grown
from tests.test_export_leaks import recipe as everything
from training.corpus import Corpus

ROOT = Path(__file__).parents[1]
ONE = [tree("One", "First. {x}\n  Second."), tree("Two", "Third. {x}\n  Fourth.")]
NIGHTS = Schedule.read("03:00", "UTC")
DAY = timedelta(days=1)


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self, said: str, until: str = "9999-01-01") -> None:
        self.time, self.until = moment(said), moment(until)
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        """Sleep; a process that sleeps past ``until`` is told to end."""
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)
        if self.time > self.until:
            raise KeyboardInterrupt


def moment(said: str) -> datetime:
    return datetime.fromisoformat(said).replace(tzinfo=UTC)


def exporting(store: MemoryStore) -> Callable[[Path], Manifest]:
    return lambda folder: export_corpus(store, folder, SMALL)


def nights(
    out: Path, clock: Clock, export: Callable[[Path], Manifest] | None = None, **settings: Any
) -> Nights:
    return Nights(
        out,
        export or exporting(planted(*ONE)),
        schedule=NIGHTS,
        now=clock.now,
        sleep=clock.sleep,
        **settings,
    )


def status(out: Path) -> Status:
    found = Status.read(out)
    assert found
    return found


def latest(out: Path) -> str:
    return str((out / "latest").readlink())


def names(out: Path) -> list[str]:
    """All that lies there, but what the newest night keeps for the next one."""
    return sorted(path.name for path in out.iterdir() if path.suffix != ".parts")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder with one good night."""
    nights(tmp_path / "out", Clock("2026-11-22 03:00")).once()
    return tmp_path / "out"


# --- good nights ----------------------------------------------------------------------------------


def test_a_service_writes_a_corpus_every_night(tmp_path: Path) -> None:
    out, clock = tmp_path / "out", Clock("2026-11-21 12:00", until="2026-11-24 12:00")
    nights(out, clock).serve()
    days = ["2026-11-22", "2026-11-23", "2026-11-24"]
    assert names(out) == [*days, "latest", "status.json"]
    assert latest(out) == days[-1]
    assert Corpus.open(out / "latest").manifest["files"]
    assert [path.name for path in out.glob(".*.parts")] == [f".{days[-1]}.parts"]
    last = status(out)
    assert (last.state, last.started) == ("done", moment("2026-11-24 03:00"))
    assert last.next_run == moment("2026-11-25 03:00")
    assert last.last_good
    assert last.last_good.records == len(Corpus.open(out / "latest"))


def test_a_service_waits_for_its_first_night_and_with_now_it_does_not(tmp_path: Path) -> None:
    for at_once in (False, True):
        out = tmp_path / str(at_once)
        clock = Clock("2026-11-21 12:00", until="2026-11-21 13:00")
        nights(out, clock).serve(at_once=at_once)
        assert (out / "latest").exists() is at_once
        assert status(out).state == ("done" if at_once else "waiting")
        assert status(out).next_run == moment("2026-11-22 03:00")


def test_a_night_without_changes_says_so_and_takes_no_room(out: Path) -> None:
    after = nights(out, Clock("2026-11-23 03:00")).once()
    assert after.last_good
    assert not after.last_good.changed
    first, second = out / "2026-11-22", out / "2026-11-23"
    assert content(first) == content(second)
    assert all((second / name).samefile(first / name) for name in content(first))

    new = exporting(planted(*ONE, tree("New", "Fifth.\n  Sixth.")))
    changed = nights(out, Clock("2026-11-24 03:00"), new).once()
    assert changed.last_good
    assert changed.last_good.changed
    assert content(second) == content(first) != content(out / "latest")


def test_a_quiet_night_that_takes_over_from_the_one_before_has_nothing_to_notice(out: Path) -> None:
    export = partial(export_corpus, planted(*ONE), recipe=SMALL, earlier=out / "latest")
    after = nights(out, Clock("2026-11-23 03:00"), export).once()
    assert after.notices == []
    first, second = out / "2026-11-22", out / "2026-11-23"
    assert content(first) == content(second)
    assert all((second / name).samefile(first / name) for name in content(first))


def test_probes_and_lists_are_shared_and_retired_too(tmp_path: Path) -> None:
    pytest.importorskip("zstandard", reason="the extra zstd is not installed")
    made = everything(budget=9000).said_as("messages", "jsonl.zst")
    for day in (22, 23, 24):
        clock = Clock(f"2026-11-{day} 03:00")
        export = partial(export_corpus, planted(*grown()), recipe=made)
        nights(tmp_path / "out", clock, export, keep=2).once()
    one, other = (tmp_path / "out" / f"2026-11-{day}" for day in (23, 24))
    there = ["left-out.jsonl", "probes/stitches.jsonl", "data/train-00000.jsonl.zst"]
    for name in there:
        assert (one / name).stat().st_size
        assert (one / name).samefile(other / name)
    assert names(tmp_path / "out") == [one.name, other.name, "latest", "status.json"]
    assert len(list(Corpus.open(other).probes())) > 0


def test_where_files_cannot_be_shared_the_corpus_is_whole(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    assert nights(out, Clock("2026-11-23 03:00")).once().notices == []
    assert content(out / "2026-11-23") == content(out / "2026-11-22")
    assert names(out) == ["2026-11-22", "2026-11-23", "latest", "status.json"]


def test_a_second_night_on_one_day_replaces_its_corpus(out: Path) -> None:
    new = exporting(planted(tree("New", "Fifth.\n  Sixth.")))
    nights(out, Clock("2026-11-22 21:00"), new).once()
    assert names(out) == ["2026-11-22", "latest", "status.json"]
    assert b"Fifth." in content(out / "latest")["data/train-00000.jsonl"]


# --- what stays -----------------------------------------------------------------------------------


def test_corpora_of_the_last_nights_stay_and_what_no_night_made(out: Path) -> None:
    by_hand = ["2026-01-01", "notes"]
    for name in by_hand:
        export_corpus(planted(*ONE), out / name, SMALL)
    nights(out, Clock("2027-01-01 03:00")).once()  # by a clock that is ahead
    with_notes = out / "2026-11-23"
    nights(out, Clock("2026-11-23 03:00"), keep=2).once()
    (with_notes / "mine.txt").write_text("not to be lost")
    for day in (24, 25):
        nights(out, Clock(f"2026-11-{day} 03:00"), keep=2).once()
    last = nights(out, Clock("2026-11-26 03:00"), keep=2).once()
    assert (with_notes / "mine.txt").exists()
    assert "mine.txt" in last.notices[0]
    stay = ["2026-11-25", "2026-11-26", "2027-01-01"]
    assert names(out) == sorted([*by_hand, with_notes.name, *stay, "latest", "status.json"])
    assert latest(out) == "2026-11-26"


def test_a_night_that_keeps_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="keep is 0"):
        nights(tmp_path, Clock("2026-11-22"), keep=0)


# --- bad nights -----------------------------------------------------------------------------------


def test_a_failed_night_leaves_the_last_good_corpus_and_the_service_goes_on(out: Path) -> None:
    before, told = content(out / "latest"), list[str]()

    def export(folder: Path) -> Manifest:
        if folder.name == "2026-11-23":
            raise StoreError("the forest is damaged", hint="Put your last copy in its place.")
        return export_corpus(planted(*ONE), folder, SMALL)

    clock = Clock("2026-11-22 12:00", until="2026-11-23 12:00")
    nights(out, clock, export, tell=told.append).serve()
    assert content(out / "latest") == before
    assert "2026-11-23" not in names(out)
    bad = status(out)
    assert bad.error
    assert (bad.state, bad.error.kind) == ("failed", "StoreError")
    assert bad.error.hint == "Put your last copy in its place."
    assert bad.last_good
    assert bad.last_good.corpus == "2026-11-22"
    assert any("the forest is damaged" in line for line in told)

    clock = Clock("2026-11-23 13:00", until="2026-11-24 12:00")
    nights(out, clock, export).serve()
    assert (status(out).state, latest(out)) == ("done", "2026-11-24")
    assert status(out).error is None


def test_a_store_that_is_away_is_tried_again_with_growing_pauses(out: Path) -> None:
    clock, tried = Clock("2026-11-23 03:00"), list[datetime]()

    def export(folder: Path) -> Manifest:
        tried.append(clock.now())
        if why := status(out).error:
            assert (status(out).state, why.message) == ("running", "nothing answers")
        if len(tried) < 4:
            raise StoreUnavailable("nothing answers")
        return export_corpus(planted(*ONE), folder, SMALL)

    done = nights(out, clock, export).once()
    assert (done.state, done.tries, done.error) == ("done", 4, None)
    assert [b - a for a, b in pairwise(tried)] == [timedelta(seconds=pause) for pause in PAUSES[:3]]


def test_a_store_that_stays_away_fails_the_night(out: Path) -> None:
    clock = Clock("2026-11-23 03:00")

    def export(_: Path) -> Manifest:
        raise StoreUnavailable("nothing answers")

    with pytest.raises(StoreUnavailable):
        nights(out, clock, export).once()
    assert (status(out).state, status(out).tries) == ("failed", len(PAUSES) + 1)


def test_an_interrupt_in_the_middle_is_told_and_the_night_made_up_for(out: Path) -> None:
    def told_to_end(folder: Path) -> Manifest:
        def end(*_: object) -> None:
            raise KeyboardInterrupt

        return export_corpus(planted(*ONE), folder, SMALL, progress=end)

    with pytest.raises(KeyboardInterrupt):
        nights(out, Clock("2026-11-23 02:00"), told_to_end).serve()
    assert names(out) == ["2026-11-22", "latest", "status.json"]
    assert status(out).state == "interrupted"
    nights(out, Clock("2026-11-23 04:00", until="2026-11-23 05:00")).serve()
    assert (status(out).state, latest(out)) == ("done", "2026-11-23")


def test_missed_nights_are_made_up_for_once(out: Path) -> None:
    """The machine was off, then asleep: both for more than one night."""
    begun = list[datetime]()
    clock = Clock("2026-11-25 09:00", until="2026-11-30 12:00")

    def export(folder: Path) -> Manifest:
        begun.append(clock.now())
        return export_corpus(planted(*ONE), folder, SMALL)

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if clock.time == moment("2026-11-26 02:00"):
            clock.time = moment("2026-11-29 10:00")

    Nights(out, export, schedule=NIGHTS, now=clock.now, sleep=sleep).serve()
    late = ["2026-11-25 09:00", "2026-11-29 10:00", "2026-11-30 03:00"]
    assert begun == [moment(said) for said in late]


def test_a_second_process_on_the_folder_is_refused(out: Path) -> None:
    before = content(out)

    def meanwhile(folder: Path) -> Manifest:
        with pytest.raises(ExportError, match="another `forest nightly` works on"):
            nights(out, Clock("2026-11-23 03:00")).once()
        return export_corpus(planted(*ONE), folder, SMALL)

    nights(out, Clock("2026-11-22 03:00"), meanwhile).once()
    assert content(out).keys() == before.keys()


def test_a_service_whose_folder_is_gone_ends_and_says_so(out: Path) -> None:
    """Its lock is gone with it: another one may work in its place."""
    clock = Clock("2026-11-22 12:00")

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if out.exists():
            out.rename(out.with_name("moved"))

    service = Nights(out, exporting(planted(*ONE)), schedule=NIGHTS, now=clock.now, sleep=sleep)
    with pytest.raises(ExportError, match=f"{out} was moved or removed since this service began"):
        service.serve()
    assert not out.exists()
    assert names(out.with_name("moved")) == [".nightly.lock", "2026-11-22", "latest", "status.json"]
    nights(out.with_name("moved"), clock).once()
    assert names(out.with_name("moved")) == ["2026-11-22", "2026-11-23", "latest", "status.json"]


@pytest.mark.parametrize(
    ("name", "says"),
    [("latest", "is no link"), ("manifest.json", "is a corpus"), ("status.json", "is not what")],
)
def test_a_folder_with_other_things_is_refused(name: str, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text('{"format": "reasoning-forest corpus"}')
    before = content(tmp_path)
    with pytest.raises(ExportError, match=says):
        nights(tmp_path, Clock("2026-11-23 03:00")).once()
    assert content(tmp_path) == before


# --- when -----------------------------------------------------------------------------------------


@pytest.fixture(params=["named", "system"])
def berlin(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Schedule]:
    """02:30 in Berlin, by its name and as the time zone of the system."""
    if request.param == "named":
        yield Schedule.read("02:30", "Europe/Berlin")
        return
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield Schedule.read("02:30")
    time.tzset()


@pytest.mark.parametrize(
    ("day", "begins"),
    [
        ("2026-03-28", "2026-03-28 01:30"),
        ("2026-03-29", "2026-03-29 01:30"),  # 02:30 is skipped: 03:30
        ("2026-03-30", "2026-03-30 00:30"),
        ("2026-10-25", "2026-10-25 00:30"),  # 02:30 comes twice: the first one
        ("2026-10-26", "2026-10-26 01:30"),
    ],
)
def test_a_night_begins_once_on_days_when_clocks_change(
    day: str, begins: str, berlin: Schedule
) -> None:
    assert berlin.after(moment(day) - timedelta(hours=3)) == moment(begins)
    assert berlin.before(moment(day) + timedelta(hours=20)) == moment(begins)
    assert berlin.after(moment(begins)) - moment(begins) >= timedelta(hours=23)


@pytest.mark.parametrize(
    ("at", "zone"),
    [("3", None), ("24:00", None), ("03:00", "Mars/Base"), ("03:00", "../x"), ("03:00", "Europe")],
)
def test_a_wrong_time_is_wrong_usage(at: str, zone: str | None) -> None:
    with pytest.raises(UsageError, match=r"is no time of the day|there is no time zone"):
        Schedule.read(at, zone)


# --- monitoring -----------------------------------------------------------------------------------


NOON = moment("2026-11-22 12:00")


@pytest.mark.parametrize(
    ("changes", "now", "held", "says"),
    [
        ({}, NOON, False, None),
        ({}, NOON + DAY, False, "did not begin"),
        ({"state": "running"}, NOON, True, None),
        ({"state": "running"}, NOON, False, "was killed"),
        ({"state": "failed"}, NOON, False, "failed"),
        ({"state": "interrupted"}, NOON, False, "was interrupted"),
        ({"service": True}, NOON, True, None),
        ({"service": True}, NOON, False, "the service does not run"),
        ({"state": "waiting", "service": True}, NOON, True, None),
    ],
)
def test_monitoring_sees_trouble(
    changes: dict[str, Any], now: datetime, held: bool, says: str | None, out: Path
) -> None:
    trouble = status(out).model_copy(update=changes).trouble(now, held)
    assert (trouble is None) if says is None else (says in (trouble or ""))


def test_the_status_on_the_command_line(run: Run) -> None:
    code, _, err = run("nightly", "out", "--status")
    assert (code, "no night was written to out yet" in err) == (1, True)
    run("init", "--sample")
    assert run("nightly", "out", "--once")[0] == 0
    code, said, err = run("nightly", "out", "--status")
    assert (code, err) == (0, "")
    assert "last night  done" in said
    Path("forest.db").write_bytes(b"no forest")
    code, _, err = run("nightly", "out", "--once")
    assert (code, "is not a forest" in err) == (1, True)
    code, said, err = run("nightly", "out", "--status", "--json")
    told = json.loads(said)
    assert (code, told["state"], told["error"]["kind"]) == (1, "failed", "StoreError")
    assert "is not a forest" in told["trouble"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--at", "25:00"], "no time of the day"),
        (["--keep", "0"], "--keep"),
        (["--recipe", "none.toml"], "none.toml"),
        (["--json"], "--status"),
        (["--status", "--once"], "--status writes no night"),
        (["--status", "--now"], "--status writes no night"),
        (["--once", "--now"], "not with --now"),
    ],
)
def test_wrong_usage_is_told_at_the_start(arguments: list[str], says: str, run: Run) -> None:
    code, _, err = run("nightly", "out", *arguments)
    assert (code, says in err) == (2, True)


def test_units_and_the_cron_line_of_the_documentation_are_commands_that_run(run: Run) -> None:
    page = (ROOT / "docs" / "nightly.md").read_text(encoding="utf-8")
    units = re.findall(r"```ini\n(.*?)```", page, re.DOTALL)
    enabled = [unit for unit in units if "[Install]" in unit]
    assert (len(units), len(enabled)) == (3, 2)
    assert all("[Unit]\nDescription=" in unit for unit in units)
    line = r"^(?:ExecStart=|0 3 \* \* \*).*bin/forest (.*?)(?: >>.*)?$"
    commands = re.findall(line, page, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        code, _, err = run(*command.replace("--once ", "").split(), "--status")
        assert (code, "no night was written" in err) == (1, True), command


def test_a_missing_package_is_told_at_the_start(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    Path("r.toml").write_text('[corpus]\nfile = "parquet"\n')
    code, _, err = run("nightly", "out", "--recipe", "r.toml")
    assert (code, "package pyarrow" in err) == (1, True)
    assert not Path("out").exists()


# --- signals, full disks --------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a forest on disk, and a good night."""
    with Forest.open(f"sqlite:///{tmp_path / 'forest.db'}") as forest:
        forest.plant_sample()
    assert told(forest_nightly(tmp_path, "--once")) == (0, "")
    return tmp_path


def forest_nightly(place: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    return python(place, "from forest.cli import main; main()", *arguments, **options)


def python(place: Path, program: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), "nightly", "out", *arguments],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TZ": "UTC"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def told(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, err = process.communicate()
    return process.returncode, err


def add_a_tree(place: Path) -> None:
    with Forest.open(f"sqlite:///{place / 'forest.db'}") as forest:
        new = Tree("Новое дерево")
        new.add("Мысль, которой вчера не было.")
        forest.add(new)


def test_a_service_that_waits_ends_at_sigterm_with_0(place: Path) -> None:
    process = forest_nightly(place)
    assert process.stdout
    assert "the next night begins" in process.stdout.readline()
    other = forest_nightly(place, "--status")
    assert told(other) == (0, "")
    process.send_signal(signal.SIGTERM)
    assert told(process) == (0, "")
    assert told(forest_nightly(place, "--status")) == (1, "forest: the service does not run\n")


def test_sigterm_in_the_middle_of_a_night_undoes_it(place: Path) -> None:
    before = content(place / "out" / "latest")
    add_a_tree(place)
    stopped = """
        import os, signal
        from exporters.export import Making
        from forest.cli import main
        Making.joined = lambda *_: os.kill(os.getpid(), signal.SIGTERM)
        main()
        """
    code, err = told(python(place, stopped, "--now"))
    assert (code, err.strip()) == (143, "forest: terminated")
    assert content(place / "out" / "latest") == before
    assert len(names(place / "out")) == 3
    assert status(place / "out").state == "interrupted"


MOMENTS = {
    "in the middle of the export": "export.Making, 'joined'",
    "when the corpus is in its place": "nights, 'share_equal_files'",
    "when files are shared": "os, 'link', 3",
    "before the link is switched": "nights.Nights, '_point_to'",
    "before old corpora are removed": "nights, 'remove_whole'",
    "while an old corpus is removed": "folder.shutil, 'rmtree', 3",
    "before the status is written": "nights.Nights, '_write_status'",
}


@pytest.mark.parametrize("when", MOMENTS)
def test_a_killed_night_leaves_a_good_corpus_and_the_next_one_ends_right(
    when: str, out: Path
) -> None:
    """The night after is on another day: it also clears away what the killed one left."""
    killed = f"""
        import os
        from pathlib import Path
        from exporters import export, folder
        from exporters.nightly import nights
        from tests import test_nightly
        from tests.test_export_folder import _die_before
        _die_before({MOMENTS[when]})
        clock = test_nightly.Clock("2026-11-23 03:00")
        test_nightly.nights(Path("out"), clock, keep=1).once()
        """
    process = python(out.parent, killed)
    code, err = told(process)
    assert code == -signal.SIGKILL, err
    assert Corpus.open(out / "latest").manifest["files"]
    assert "was killed" in (status(out).trouble(NOON, Nights.held(out)) or "")
    done = nights(out, Clock("2026-11-24 03:00"), keep=1).once()
    assert (done.state, done.notices) == ("done", [])
    assert names(out) == ["2026-11-24", "latest", "status.json"]
    assert Corpus.open(out / "latest").manifest["files"]


def test_a_full_disk_fails_the_night_and_says_so(place: Path) -> None:
    before = content(place / "out" / "latest")
    add_a_tree(place)

    def small_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    code, err = told(forest_nightly(place, "--once", preexec_fn=small_disk))
    assert (code, "Traceback" in err) == (1, False)
    assert "What was there before is unchanged." in err
    bad = status(place / "out")
    assert bad.error
    assert (bad.state, bad.error.kind) == ("failed", "ExportError")
    assert content(place / "out" / "latest") == before
    assert told(forest_nightly(place, "--once"))[0] == 0
    assert content(place / "out" / "latest") != before


def test_a_disk_without_room_for_the_status_hides_no_reason(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    lines = list[str]()
    monkeypatch.setattr(Status, "write", full)
    with pytest.raises(ExportError, match=r"status cannot be written into .*: No space left"):
        nights(out, Clock("2026-11-23 03:00"), tell=lines.append).once()
    assert "the status cannot be written" in lines[0]
    assert latest(out) == "2026-11-22"


@pytest.mark.neo4j
@pytest.mark.slow
def test_a_neo4j_that_is_gone_for_a_minute_only_delays_the_night(tmp_path: Path) -> None:
    from forest.errors import MissingExtra, ServerError
    from forest.local_neo4j import temporary_server
    from forest.stores.base import open_store

    try:
        context = temporary_server()
        server = context.__enter__()
    except (ServerError, MissingExtra) as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no Neo4j can be started here: {error}")
    try:
        login: Any = {"username": "neo4j", "password": server.password()}

        def export(folder: Path) -> Manifest:
            with open_store(server.bolt_url, create=False, **login) as store:
                return export_corpus(store, folder, SMALL)

        with open_store(server.bolt_url, create=True, **login) as store:
            store.write(ONE, lambda _, new: new)
        server.stop()
        clock = Clock("2026-11-22 03:00")

        def sleep(seconds: float) -> None:
            clock.sleep(seconds)
            if len(clock.slept) == 2:
                server.start()

        done = Nights(tmp_path, export, schedule=NIGHTS, now=clock.now, sleep=sleep).once()
    finally:
        context.__exit__(None, None, None)
    assert (done.state, done.tries) == ("done", 3)
    nights(tmp_path / "same", Clock("2026-11-22 03:00")).once()
    assert content(tmp_path / "latest") == content(tmp_path / "same" / "latest")
