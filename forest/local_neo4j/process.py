"""One server process: found again by later commands, told apart from strangers, ended for sure."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from forest.errors import ServerError

POLL = 0.05
"""Seconds between two looks at something that is awaited."""

# Servers started by this very Python process. They are kept because a parent must collect the exit
# status of its children: an ended child that nobody collects stays in the process table.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True, slots=True)
class Record:
    """What the pid file says about the server that runs, or ran."""

    pid: int
    version: str
    bolt_port: int
    http_port: int | None

    def write(self, path: Path) -> None:
        """Replace the pid file as a whole, so that no reader sees half of it."""
        part = path.with_suffix(".part")
        part.write_text(json.dumps(asdict(self)), "utf-8")
        part.replace(path)

    @classmethod
    def read(cls, path: Path) -> Record | None:
        """Return the record, or None if there is none or it is not one of ours."""
        try:
            return cls(**json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None


def launch(command: Sequence[str], *, log: Path, folder: Path, env: Mapping[str, str]) -> int:
    """Start a process of its own session, which outlives this one; return its pid.

    Its output replaces the file ``log``. A new session, so that Ctrl-C in the terminal, or closing
    it, does not reach the server.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=env,
            start_new_session=True,
        )
    _children[process.pid] = process
    return process.pid


def runs(pid: int, argument: str) -> bool:
    """Tell whether the process ``pid`` runs and was started with ``argument``.

    Process numbers are used again, by anything, soon or after the next boot. The argument is the
    path of the server's own argument file, which no other program is started with.
    """
    child = _children.get(pid)
    if child is not None and child.poll() is None:
        return True  # its command line can still be empty in its first moments
    if Path("/proc/self/cmdline").exists():  # Linux
        try:
            # Empty for a process that has ended but was not collected yet.
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return os.fsencode(argument) in arguments
    shown = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, check=False
    )
    return os.fsencode(argument) in shown.stdout


def end(pid: int, argument: str, *, timeout: float) -> None:
    """End the process: SIGTERM, then after ``timeout`` seconds SIGKILL.

    :raises ServerError: it belongs to another user, or not even SIGKILL ends it.
    """
    if not (_signal(pid, argument, signal.SIGTERM, timeout) or kill(pid, argument)):
        raise ServerError(f"process {pid} does not end, not even by SIGKILL")


def kill(pid: int, argument: str) -> bool:
    """Send SIGKILL and wait up to 10 s; tell whether the process is gone."""
    return _signal(pid, argument, signal.SIGKILL, 10)


def _signal(pid: int, argument: str, number: signal.Signals, timeout: float) -> bool:
    """Send a signal and wait up to ``timeout`` seconds; tell whether the process is gone."""
    if runs(pid, argument):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
        except PermissionError as error:
            raise ServerError(f"process {pid} belongs to another user") from error
    gone = ends_within(timeout, pid, argument)
    if gone:
        exit_code(pid)
    return gone


def ends_within(timeout: float, pid: int, argument: str) -> bool:
    """Wait up to ``timeout`` seconds for the process to end; tell whether it did."""
    deadline = time.monotonic() + timeout
    while runs(pid, argument):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True


def exit_code(pid: int) -> int | None:
    """Return the exit status of an ended server, or None where it is not known.

    It is known only for a server that this Python process started, and only once.
    """
    process = _children.get(pid)
    if process is None:
        return None
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=1)  # it has ended: only to be collected
        del _children[pid]
    return process.returncode


@contextmanager
def locked(path: Path, *, timeout: float) -> Iterator[None]:
    """Hold the file lock ``path``; wait for it up to ``timeout`` seconds.

    The system frees it when its holder ends, however that ends.

    :raises ServerError: another process or thread still holds it, or there are no file locks.
    """
    try:
        import fcntl
    except ImportError as error:
        raise ServerError(
            "a local server needs Linux or macOS",
            hint="On Windows use WSL, or install Neo4j Desktop and give its URL.",
        ) from error
    deadline = time.monotonic() + timeout
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise ServerError(
                        f"another start or stop of the server in {path.parent} is under way",
                        hint="Wait for it to finish, then try again.",
                    ) from error
                time.sleep(POLL)
        yield
