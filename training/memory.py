"""How much memory there is, and what says that there was too little."""

from __future__ import annotations

import re
from pathlib import Path

_SHORT = ("out of memory", "not enough memory", "allocate memory")
_SYSTEM = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")


def short_of_memory(error: Exception) -> bool:
    """Whether an error is that of a library which got no memory."""
    said = str(error).lower()
    short = isinstance(error, RuntimeError) and any(part in said for part in _SHORT)
    return short or isinstance(error, MemoryError)


def free_memory() -> int | None:
    """Bytes that a process can have, in its container too; None where the system does not say.

    Linux gives more than there is, and kills the process without a word when it is used.
    """
    try:
        told = dict(re.findall(r"(\w+): +(\d+) kB", _SYSTEM.read_text("ascii")))
        free = 1024 * (int(told["MemAvailable"]) + int(told["SwapFree"]))
    except (OSError, KeyError, ValueError):
        return None
    try:
        most, used = (int((_GROUP / f"memory.{x}").read_text("ascii")) for x in ("max", "current"))
        (cache,) = re.findall(
            r"^file (\d+)", (_GROUP / "memory.stat").read_text("ascii"), re.MULTILINE
        )
    except (OSError, ValueError):  # "max": no limit
        return free
    return min(free, max(0, most - used + int(cache)))  # files that are kept give way
