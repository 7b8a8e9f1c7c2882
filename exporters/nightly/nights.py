"""The nights themselves: one corpus after the other into a folder, whatever happens meanwhile.

The folder holds a corpus per day (``2026-11-22``), the link ``latest``, and ``status.json``. A
night that fails leaves the earlier corpora and the link as they are. Time comes in through two
functions, so that a test can be at any moment.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from exporters.folder import (
    MANIFEST,
    clean_up,
    forget_parts,
    is_corpus,
    is_locked,
    locked,
    remove_whole,
    share_equal_files,
    sync,
)
from exporters.manifest import Manifest
from exporters.nightly.schedule import Schedule
from exporters.nightly.status import Failure, Good, Status
from forest.errors import (
    ClusterUnavailable,
    ExportError,
    ForestError,
    StoreUnavailable,
    UsageError,
)

LATEST, LOCK = "latest", ".nightly.lock"
PAUSES = (15, 60, 240, 900)
"""Seconds until a night whose store or cluster is away tries again."""
_STEP = 60.0
"""Longest sleep in seconds: a machine that slept itself looks at the clock soon after."""
_TRIES = 3
"""How often the lock is tried: `Nights.held` has it for a moment when it looks."""
_LEFT = re.compile(r"\.(\d{4}-\d\d-\d\d)\.(partial-.*|lock)")

FAILURES = (ForestError, OSError, ValueError)
"""What a night may fail of; anything else is a fault of this library, and ends the service."""


class Nights:
    """A folder with a corpus for each of the last nights.

    :param export: writes a corpus into the folder it is given; called anew for each try.
    :param keep: of how many nights the corpora stay.
    :param now: the time, aware of its zone; ``sleep``: waits so many seconds.
    :param tell: gets a line about what happened.
    :raises UsageError: ``keep`` is less than 1.
    """

    def __init__(
        self,
        out: Path,
        export: Callable[[Path], Manifest],
        *,
        schedule: Schedule | None = None,
        keep: int = 7,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        if keep < 1:
            raise UsageError(f"keep is {keep}: expected 1 or more nights")
        self.out = out.resolve()
        self._export, self._schedule, self._keep = export, schedule or Schedule(), keep
        self._now, self._sleep, self._tell = now, sleep, tell
        self._status = Status()

    @staticmethod
    def held(out: Path) -> bool:
        """Whether a process works on the nights of a folder."""
        return is_locked(out / LOCK)

    def once(self) -> Status:
        """One night, now. Returns how it went.

        :raises ForestError, OSError, ValueError: why it failed; also in the status.
        :raises ExportError: the folder is no place for nights, or another process works on it.
        """
        with self._alone():
            self._status.service = False
            self._night(self._now() + timedelta(days=1))
        return self._status

    def serve(self, *, at_once: bool = False) -> None:
        """Night after night, until an interrupt (KeyboardInterrupt) ends the wait for the next.

        A night that failed ends nothing, unless the folder itself is gone. One that was missed, or
        was interrupted, is made up for at the start, once.

        :param at_once: begin with a night.
        :raises KeyboardInterrupt: the interrupt came in the middle of a night, which is undone.
        :raises ExportError: as `once`; or the folder was moved or removed before a night began.
        """
        with self._alone() as is_ours:
            due = self._now() if at_once else self._first()
            while True:
                self._status.service, self._status.next_run = True, self._schedule.local(due)
                self._write_status()
                self._tell(f"the next night begins {self._schedule.local(due):%Y-%m-%d %H:%M}")
                try:
                    self._wait(due)
                except KeyboardInterrupt:
                    return
                if not is_ours():
                    raise ExportError(
                        f"{self.out} was moved or removed since this service began",
                        hint="Start it again, for the place where the nights are to be.",
                    )
                due = self._schedule.after(self._now())
                try:
                    self._night(due)
                except FAILURES as error:
                    self._tell(f"the night failed: {error}")

    # --- the folder ----------------------------------------------------------------------------

    @contextmanager
    def _alone(self) -> Iterator[Callable[[], bool]]:
        try:
            self.out.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise ExportError(f"{self.out} is a file", hint="Name a folder.") from None
        refusal = ExportError(
            f"another `forest nightly` works on {self.out}",
            hint="One is enough; `forest nightly OUT --status` tells how it goes.",
        )
        with ExitStack() as holding:
            is_ours = self._lock(holding, refusal)
            self._refuse_other_things()
            self._status = Status.read(self.out) or Status()
            if self._status.state == "running":
                self._status.state = "interrupted"
                self._status.error = Failure(kind="Killed", message="its process was killed")
            yield is_ours

    def _lock(self, holding: ExitStack, refusal: ExportError) -> Callable[[], bool]:
        for _ in range(_TRIES - 1):
            with suppress(ExportError):
                return holding.enter_context(locked(self.out / LOCK, refusal))
            self._sleep(1)
        return holding.enter_context(locked(self.out / LOCK, refusal))

    def _refuse_other_things(self) -> None:
        if is_corpus(self.out):
            raise ExportError(
                f"{self.out} is a corpus itself",
                hint="Name a folder for the corpora of all nights.",
            )
        latest = self.out / LATEST
        if latest.exists() and not latest.is_symlink():
            raise ExportError(
                f"{latest} is no link, and nights make one of that name", hint="Move it away."
            )

    # --- when ----------------------------------------------------------------------------------

    def _first(self) -> datetime:
        now, last = self._now(), self._status
        missed = last.started and self._schedule.before(now) > last.started
        return now if missed or last.state == "interrupted" else self._schedule.after(now)

    def _wait(self, until: datetime) -> None:
        while (now := self._now()) < until:
            until = min(until, self._schedule.after(now))  # a clock that was set back
            self._sleep(min((until - now).total_seconds(), _STEP))

    # --- one night -----------------------------------------------------------------------------

    def _night(self, next_run: datetime) -> None:
        now = self._schedule.local(self._now())
        status = self._status
        status.state, status.started, status.ended = "running", now, None
        status.tries, status.error, status.notices = 0, None, []
        status.next_run = self._schedule.local(next_run)
        try:
            self._make(self.out / f"{now:%Y-%m-%d}")
            status.state = "done"
        except BaseException as error:
            status.state = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            status.error = Failure.of(error)
            raise
        finally:
            status.ended = self._schedule.local(self._now())
            self._write_status()

    def _make(self, folder: Path) -> None:
        status = self._status
        if not folder.exists() and folder.name not in status.corpora:
            status.corpora.append(folder.name)
        self._begin()
        self._clean_up()
        manifest = self._patiently(folder)
        status.error = None
        status.corpora = sorted({*status.corpora, folder.name})
        if earlier := [name for name in status.corpora if name < folder.name]:
            self._try(share_equal_files, folder, self.out / earlier[-1])
        self._point_to(folder.name)
        status.last_good = self._good(folder, manifest)
        for name in status.corpora:
            if name != folder.name:
                forget_parts(self.out / name)  # the next night begins with those of this one
        self._retire(folder.name)
        same = "" if status.last_good.changed else ", the same as the night before"
        self._tell(f"{folder.name}: {manifest.records} records{same}")

    def _begin(self) -> None:
        """Say that the night is running: one that cannot be watched does not begin."""
        try:
            self._status.write(self.out)
        except OSError as error:
            raise ExportError(
                f"the status cannot be written into {self.out}: {error.strerror}",
                hint="What was there before is unchanged. Is there room on the disk?",
            ) from error

    def _patiently(self, folder: Path) -> Manifest:
        for pause in (*PAUSES, None):
            self._status.tries += 1
            try:
                return self._export(folder)
            except (StoreUnavailable, ClusterUnavailable) as error:
                if pause is None:
                    raise
                self._status.error = Failure.of(error)
                self._write_status()
                self._tell(f"{folder.name}: {error.message}; trying again in {pause} s")
                self._sleep(pause)
        raise AssertionError("the last pause is None")

    def _good(self, folder: Path, manifest: Manifest) -> Good:
        sha256 = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
        before = self._status.last_good
        return Good(
            corpus=folder.name,
            ended=self._schedule.local(self._now()),
            records=manifest.records,
            forest_revision=manifest.forest_revision,
            manifest_sha256=sha256,
            changed=before is None or before.manifest_sha256 != sha256,
        )

    def _point_to(self, name: str) -> None:
        part = self.out / f".{LATEST}.part"
        part.unlink(missing_ok=True)
        part.symlink_to(name)
        part.replace(self.out / LATEST)
        sync(self.out)

    def _clean_up(self) -> None:
        left = (_LEFT.fullmatch(path.name) for path in self.out.iterdir())
        for day in sorted({found[1] for found in left if found}):
            self._try(clean_up, self.out / day)

    def _retire(self, newest: str) -> None:
        there = [name for name in self._status.corpora if (self.out / name).exists()]
        for name in [name for name in there if name <= newest][: -self._keep]:
            self._try(remove_whole, self.out / name)
        self._status.corpora = [name for name in there if (self.out / name).exists()]

    def _try(self, act: Callable[..., None], *folders: Path) -> None:
        """Do what a night can do without; where it cannot be done, the status says so."""
        try:
            act(*folders)
        except ExportError as error:
            self._status.notices.append(error.message)
            self._tell(error.message)

    def _write_status(self) -> None:
        """Write the status; a disk that is full must hide no better reason."""
        try:
            self._status.write(self.out)
        except OSError as error:
            self._tell(f"{self.out}: the status cannot be written: {error.strerror}")
