"""Folders for the time of one task, which no process leaves behind for good; files put in place."""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def scratch_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """An empty folder whose name begins with ``prefix``, removed when the block ends.

    It is locked while it is in use, and a lock ends with its process. So what a killed process
    left under the same prefix holds no lock any more, and is removed first.

    :param parent: where it lies; by default the folder for temporary files (``TMPDIR``).
    :raises OSError: no folder can be made there.
    """
    parent = Path(tempfile.gettempdir()) if parent is None else parent
    _remove_orphans(parent, prefix)
    room, lock = _locked_folder(parent, prefix)
    try:
        yield room
    finally:
        shutil.rmtree(room, ignore_errors=True)
        os.close(lock)


def put_in_place(part: Path, path: Path) -> None:
    """Give a file its name. Raises FileExistsError: a rename would overwrite what came there."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        path.touch(exist_ok=False)
        part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _remove_orphans(parent: Path, prefix: str) -> None:
    for left in parent.glob(f"{glob.escape(prefix)}*"):
        with suppress(OSError):  # it is in use, gone, or somebody else's
            lock = _lock(left)
            try:
                if os.fstat(lock).st_uid == os.geteuid():
                    shutil.rmtree(left)
            finally:
                os.close(lock)


def _locked_folder(parent: Path, prefix: str) -> tuple[Path, int]:
    while True:  # another process may take it for an orphan before it is locked
        room = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        with suppress(BlockingIOError, FileNotFoundError):
            lock = _lock(room)
            if room.exists():
                return room, lock
            os.close(lock)


def _lock(folder: Path) -> int:
    """A handle that holds the folder's lock. Raises OSError where another process has it."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(handle)
        raise
    return handle
