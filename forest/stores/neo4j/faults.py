"""What the driver raises, as errors of the forest. No message ever holds a password."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from neo4j import exceptions as driver

from forest.errors import Conflict, ForestError, StoreError, StoreUnavailable, UsageError

LOG_IN = (
    "Set NEO4J_USERNAME and NEO4J_PASSWORD in the environment; of a local server "
    "`forest neo4j status` tells where the password is."
)
TRY_AGAIN = "Try again when the server answers; `forest neo4j status` tells about a local one."
WHOLE_TREES = f"What is stored are whole trees only. {TRY_AGAIN}"
OUT_OF_MEMORY = (
    "The transaction was larger than the server's memory allows: raise "
    "server.memory.heap.max_size, or cut the tree into several."
)

_UNAVAILABLE = (
    driver.ServiceUnavailable,
    driver.SessionExpired,
    driver.ConnectionPoolError,
    driver.ResultFailedError,
)
_NOBODY = (ConnectionRefusedError, TimeoutError, socket.gaierror)
_CUT_OFF = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)


@contextmanager
def forest_errors(url: str, hint: str = TRY_AGAIN) -> Iterator[None]:
    """Turn what the driver raises into the forest's errors; ``hint`` is for those that may pass."""
    try:
        yield
    except driver.GqlError as error:
        raise translated(error, url, hint) from error
    except OSError as error:
        raise StoreUnavailable(f"{url} cannot be reached: {error}", hint=hint) from error


def translated(error: driver.GqlError, url: str, hint: str = TRY_AGAIN) -> ForestError:
    """The forest's error for one of the driver's."""
    if isinstance(error, driver.Neo4jError):
        return _of_server(error, url, hint)
    if isinstance(error, driver.IncompleteCommit):
        return StoreUnavailable(
            f"the connection to {url} was lost while a change was being stored: it may be stored, "
            "or not",
            hint=f"Look whether it is there before you do it again; an import or a copy may simply "
            f"be run again. {hint}",
        )
    if isinstance(error, _UNAVAILABLE):
        cause = _first_cause(error)
        nobody = isinstance(cause, _NOBODY)
        what = f"nothing answers at {url}" if nobody else f"{url} cannot be reached"
        return StoreUnavailable(f"{what}: {_first_line(cause)}", hint=hint)
    if isinstance(error, driver.UnsupportedServerProduct):
        return StoreError(f"what answers at {url} is not Neo4j: {_first_line(error)}")
    if isinstance(error, driver.ConfigurationError):
        return UsageError(f"{url} cannot be opened so: {_first_line(error)}")
    return StoreError(f"{url}: {_first_line(error)}")


def may_pass(error: driver.GqlError) -> bool:
    """Whether it may help to wait and try again: not where the transaction itself is too large."""
    retryable = isinstance(error, driver.Neo4jError | driver.DriverError) and error.is_retryable()
    return retryable and not (isinstance(error, driver.Neo4jError) and _is_memory(error.code or ""))


def was_there(error: driver.GqlError) -> bool:
    """Whether a server answered, if only to hang up: one that stops, and may be restarting."""
    if isinstance(error, driver.Neo4jError):
        return True
    cause = _first_cause(error)
    # The driver has no class of its own for a connection that the other side ended in good order.
    return isinstance(cause, _CUT_OFF) or "closed" in str(cause) or str(cause) == "No data"


def _first_cause(error: BaseException) -> BaseException:
    """What began it: of the driver's errors, those around it say only that there is one."""
    while True:
        inner = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__
        if inner is None:
            return error
        error = inner


def _of_server(error: driver.Neo4jError, url: str, hint: str) -> ForestError:
    """The forest's error for one that the server sent."""
    code, message = error.code or "", error.message or ""
    if code.endswith((".AuthenticationRateLimit", ".DatabaseUnavailable")):
        return StoreUnavailable(f"{url}: {message}", hint="Wait a little, then try again.")
    if code.endswith((".DatabaseNotFound", ".InvalidDatabaseName")):
        return StoreError(f"{url}: {message}", hint="`SHOW DATABASES` lists those that exist.")
    if code.startswith("Neo.ClientError.Security.") or isinstance(error, driver.AuthError):
        return StoreError(f"{url} does not let you in: {message}", hint=LOG_IN)
    if _is_memory(code):
        return StoreUnavailable(f"{url} ran out of memory", hint=OUT_OF_MEMORY)
    if _is_full(code, message):
        return StoreUnavailable(f"the disk of {url} is full: {message}", hint="Make room there.")
    if isinstance(error, driver.TransientError):
        return StoreUnavailable(f"{url} is busy: {message}", hint=hint)
    if isinstance(error, driver.ConstraintError):
        return Conflict(f"{url}: {message}")
    return StoreError(f"{url}: {message} ({code})")


def _is_memory(code: str) -> bool:
    return "MemoryPoolOutOfMemory" in code or "MemoryLimitExceeded" in code


def _is_full(code: str, message: str) -> bool:
    said = f"{code} {message}".lower()
    return "no space left" in said or "outofdisk" in said or "out of disk" in said


def _first_line(error: BaseException) -> str:
    said = error.strerror if isinstance(error, OSError) else None
    lines = (said or str(error)).strip().splitlines()
    return lines[0] if lines else type(error).__name__
