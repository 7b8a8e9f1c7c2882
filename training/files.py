"""Files that are written whole or not at all, and the hashes that tell what they are."""

from __future__ import annotations

import errno
import fcntl
import glob
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson

from training.errors import NoRoom

_CHUNK = 1 << 20


def measure(path: Path) -> tuple[int, str]:
    """Size in bytes and SHA-256 (hex) of a file."""
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()


def json_hash(value: Any) -> str:
    """SHA-256 (hex) of a value as JSON with sorted keys."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def to_json(value: Any) -> bytes:
    """A value as JSON for people: indented, keys sorted, a line break last."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(value, option=options)


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in place in one step: a reader sees the old one or all of the new one.

    Raises NoRoom.
    """
    part = partial(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise NoRoom, which names what was to be written and where, where the disk is full."""
    try:
        yield
    except Exception as error:
        # What writes in Rust (safetensors, tokenizers) says the number of the error alone.
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        if not full and f"os error {errno.ENOSPC}" not in str(error):
            raise
        raise NoRoom(
            f"there is no room left for {path}",
            hint=f"Make room on the disk of {path.parent.resolve()}, and give the command again.",
        ) from error


def partial(path: Path) -> Path:
    """Where a file is while it is half written."""
    return path.with_name(f".{path.name}.partial")


@contextmanager
def folder_whole(out: Path) -> Iterator[Path]:
    """An empty folder to write into, which becomes ``out`` if the block ends without an error.

    ``out`` must be missing or empty, which the caller has checked. What a process that was killed
    left of the same ``out`` is removed: it holds no lock any more. Raises NoRoom.
    """
    with writing(out), _folder_whole(out.resolve()) as room:
        yield room


@contextmanager
def _folder_whole(out: Path) -> Iterator[Path]:
    out.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{out.name}.partial-"
    for left in out.parent.glob(f"{glob.escape(prefix)}*"):
        with suppress(OSError), _locked(left):
            shutil.rmtree(left)
    room = Path(tempfile.mkdtemp(prefix=prefix, dir=out.parent))
    try:
        with _locked(room):
            room.chmod(0o755)
            yield room
            for path in room.rglob("*"):
                # Some libraries write files that only their owner may read.
                path.chmod(0o755 if path.is_dir() else 0o644)
            room.rename(out)
    finally:
        shutil.rmtree(room, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, which ends with the process. Raises OSError where another has it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)
