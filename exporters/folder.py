"""A corpus folder, or one file, that is replaced whole or not at all.

A new corpus is written into a hidden folder beside the old one (``.NAME.partial-…``), put on the
disk, and exchanged with the old one in one step of the file system. Whatever happens before that
step leaves the earlier corpus as it was; whatever happens after it leaves the new one. A lock
beside the folder (``.NAME.lock``) keeps a second export out; it dies with its process, so a
partial folder that the lock's new holder finds was left by a process that is gone.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import filecmp
import glob
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Self

import orjson

from exporters.manifest import FORMAT
from forest.errors import ExportError, ForestError

MANIFEST, TOKENS, LEFT_OUT = "manifest.json", "tokens.json", "left-out.jsonl"
PROBES = "probes/stitches.jsonl"
PARTS = "parts"
"""Where an export keeps its parts beside its scratch files, for the next one."""
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_NO_LINKS = {errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def replaced_whole(out: Path) -> Iterator[tuple[Path, Path]]:
    """Two empty folders: one to write the corpus into, one for scratch files.

    When the block ends without an error the first one takes the place of ``out``, and what stands
    in ``parts`` beside the scratch files that of `parts_of` it; in any case both are gone
    afterwards. The block writes the manifest last.

    :raises ExportError: ``out`` is something else than a corpus, is being exported to by another
        process, or cannot be written.
    """
    out = out.resolve()
    with _as_export_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        with _locked(out):
            _clean_up(out)
            _refuse_other_things(out)
            with _room_beside(out) as room:
                corpus, scratch = room / "corpus", room / "scratch"
                corpus.mkdir()
                scratch.mkdir()
                yield corpus, scratch
                _sync_folders(corpus)
                _put_in_place(corpus, out, room / "earlier")
                sync(out.parent)
                _put_beside(scratch / PARTS, parts_of(out))


def parts_of(out: Path) -> Path:
    """The hidden folder beside a corpus that says what the next export need not make again."""
    return out.with_name(f".{out.name}.parts")


def forget_parts(out: Path) -> None:
    """Remove what a corpus keeps for the next export."""
    shutil.rmtree(parts_of(out), ignore_errors=True)


@contextmanager
def replaced_file(out: Path, begins: bytes) -> Iterator[tuple[Path, Path]]:
    """A file to write, which is not there yet, and an empty folder for scratch files.

    When the block ends without an error the file takes the place of ``out``; in any case both are
    gone afterwards.

    :param begins: how every file of this kind begins; what begins otherwise is not replaced.
    :raises ExportError: ``out`` is something else than an earlier export of this kind, is being
        exported to by another process, or cannot be written.
    """
    out = out.resolve()
    with _as_export_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        with _locked(out):
            _clean_up(out)
            _refuse_other_files(out, begins)
            with _room_beside(out) as room:
                file, scratch = room / "file", room / "scratch"
                scratch.mkdir()
                yield file, scratch
                sync(file)
                file.replace(out)
                sync(out.parent)


def clean_up(out: Path) -> None:
    """Remove what exports to ``out`` that were killed left beside it.

    :raises ExportError: an export is writing ``out``, or something cannot be removed.
    """
    out = out.resolve()
    with _as_export_errors(out), _locked(out):
        _clean_up(out)


def remove_whole(out: Path) -> None:
    """Remove a corpus folder: it is gone whole or not at all.

    :raises ExportError: it is no corpus or holds other things too, an export is writing it, or it
        cannot be removed.
    """
    out = out.resolve()
    with _as_export_errors(out), _locked(out):
        _refuse_other_things(out)
        room = Path(tempfile.mkdtemp(prefix=_partial(out), dir=out.parent))
        try:
            out.rename(room / "removed")
            forget_parts(out)
        finally:
            shutil.rmtree(room)


def share_equal_files(one: Path, other: Path) -> None:
    """Let the files of the corpus ``one`` that ``other`` has too, byte for byte, be the same files.

    They then take no room of their own. Where the file system cannot do that they stay as they are.

    :raises ExportError: an export is writing ``one``, or its files cannot be replaced.
    """
    one = one.resolve()
    with _as_export_errors(one), _locked(one):
        room = Path(tempfile.mkdtemp(prefix=_partial(one), dir=one.parent))
        try:
            for file in (path for path in one.rglob("*") if path.is_file()):
                twin = other / file.relative_to(one)
                if not twin.is_file() or file.samefile(twin):  # which an export may have linked
                    continue
                if filecmp.cmp(file, twin, shallow=False):
                    os.link(twin, room / "file")
                    (room / "file").replace(file)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
        finally:
            shutil.rmtree(room)


def link(old: Path, new: Path) -> None:
    """Let a new file be the same as an old one; a copy where the file system cannot do that."""
    try:
        os.link(old, new)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copyfile(old, new)


def sync(path: Path) -> None:
    """Put a file or a folder's list of names on the disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_folders(corpus: Path, path: str) -> None:
    """Make the folders of a file below a corpus. Never the corpus itself, which may be gone."""
    for above in reversed(Path(path).parents[:-1]):
        (corpus / above).mkdir(exist_ok=True)


def write_synced(path: Path, content: bytes) -> None:
    """Write a small file and put it on the disk."""
    path.write_bytes(content)
    sync(path)


class Listing:
    """A file of JSON lines that is written one by one, and put on the disk."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._sha256 = hashlib.sha256()
        self.bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def add(self, entry: Mapping[str, Any]) -> None:
        """Write a line."""
        line = orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
        self._file.write(line)
        self._sha256.update(line)
        self.bytes += len(line)

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of what was written."""
        return self._sha256.hexdigest()


def _partial(out: Path) -> str:
    return f".{out.name}.partial-"


@contextmanager
def _room_beside(out: Path) -> Iterator[Path]:
    """A hidden folder beside ``out``, gone afterwards.

    :raises ExportError: it is gone before that. Whatever the block met then, be it that a file is
        not there or that the forest, of which a copy lies within, was removed, came of this.
    """
    room = Path(tempfile.mkdtemp(prefix=_partial(out), dir=out.parent))
    try:
        yield room
    except Exception as error:
        if room.exists():
            raise
        gone = room if out.parent.exists() else out.parent
        raise ExportError(
            f"{gone} was moved or removed while {out.name} was being written into it",
            hint="Export again. If it was moved: that removes what is left of this one there.",
        ) from error
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _sync_folders(corpus: Path) -> None:
    for folder, _, _ in os.walk(corpus):
        sync(Path(folder))


# --- one export at a time -------------------------------------------------------------------------


@contextmanager
def locked(path: Path, refusal: ForestError) -> Iterator[Callable[[], bool]]:
    """Hold the lock file ``path`` while the block runs; it dies with its process.

    :returns: a function that says whether it is still at its place. In a folder that was moved or
        removed it keeps nobody out.
    :raises ForestError: ``refusal``, where another process holds it.
    """
    fd = _take(path)
    if fd is None:
        raise refusal
    try:
        yield partial(_same_file, fd, path)
    finally:
        with suppress(OSError):
            if _same_file(fd, path):
                path.unlink()
        os.close(fd)


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock file ``path``."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    refusal = ExportError(
        f"another export is writing {out}",
        hint="Wait until it is done, or export to another folder.",
    )
    with locked(out.parent / f".{out.name}.lock", refusal):
        yield


def _take(path: Path) -> int | None:
    """The lock file, open and locked; None where another process holds it."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _same_file(fd, path):
                return fd
        except BlockingIOError:
            os.close(fd)
            return None
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # its last holder removed it between our two steps: try again


def _same_file(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False


def _clean_up(out: Path) -> None:
    """Remove what exports that were killed left behind; put back a corpus they had moved aside."""
    for room in sorted(out.parent.glob(f"{glob.escape(_partial(out))}*")):
        earlier = room / "earlier"
        if earlier.exists() and not out.exists():
            earlier.rename(out)
        shutil.rmtree(room)


def _refuse_other_things(out: Path) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        raise ExportError(f"{out} is a file", hint="Name a folder for the corpus.")
    if any(out.iterdir()) and not is_corpus(out):
        raise ExportError(
            f"{out} exists and is not a corpus",
            hint="Nothing was written. Name a new folder, or one that an export has made.",
        )
    if strange := _strange(out):
        raise ExportError(
            f"{out} is a corpus, but {', '.join(strange[:5])} in it is not: it would be lost",
            hint="Nothing was written. Move it elsewhere, or name another folder.",
        )


def _strange(out: Path) -> list[str]:
    """What lies in a corpus and is not of it: nothing that its manifest names."""
    told = orjson.loads((out / MANIFEST).read_bytes()) if (out / MANIFEST).is_file() else {}
    parts = [told.get("tokens"), told.get("probes"), told.get("left_out"), *told.get("files", ())]
    ours = {"README.md", MANIFEST, *(part["path"] for part in parts if part)}
    found = (path.relative_to(out) for path in out.rglob("*") if not path.is_dir())
    return sorted(path.as_posix() for path in found if path.as_posix() not in ours)


def _refuse_other_files(out: Path, begins: bytes) -> None:
    if not out.exists():
        return
    if not out.is_file():
        raise ExportError(f"{out} is no file", hint="Name a file: one graph is one file.")
    with out.open("rb") as file:
        head = file.read(len(begins))
    if head and head != begins:
        raise ExportError(
            f"{out} exists and is no earlier export of this kind",
            hint="Nothing was written. Name another file, or remove this one.",
        )


def is_corpus(folder: Path) -> bool:
    """Whether a folder holds a corpus: the manifest says so."""
    try:
        manifest = orjson.loads((folder / MANIFEST).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return False
    return isinstance(manifest, dict) and manifest.get("format") == FORMAT


# --- the one step ---------------------------------------------------------------------------------


def _put_in_place(corpus: Path, out: Path, earlier: Path) -> None:
    if not out.exists() or not any(out.iterdir()):
        corpus.rename(out)  # over nothing, or over an empty folder
    elif not _exchange(corpus, out):
        out.rename(earlier)
        corpus.rename(out)


def _put_beside(parts: Path, old: Path) -> None:
    """What the earlier corpus left is worth nothing now."""
    shutil.rmtree(old, ignore_errors=True)
    if parts.exists() and not old.exists():
        parts.rename(old)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step (Linux renameat2). False where that cannot be done."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    names = os.fsencode(one), os.fsencode(other)
    if rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL):
        return False
    raise OSError(number, os.strerror(number), str(other))


# --- errors ---------------------------------------------------------------------------------------


@contextmanager
def _as_export_errors(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise ExportError(
                f"there is no room to write {out}: {error.strerror}",
                hint="What was there before is unchanged. Make room and export again.",
            ) from error
        if error.errno in (errno.EBUSY, errno.EXDEV):
            raise ExportError(
                f"{out} cannot be replaced whole: it is a mount point or on another disk",
                hint="Name a folder inside the mounted one.",
            ) from error
        raise ExportError(
            f"{out} cannot be written: {error.strerror or error}",
            hint="What was there before is unchanged.",
        ) from error
