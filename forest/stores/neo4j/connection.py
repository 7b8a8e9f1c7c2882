"""A connection to one Neo4j database: opened, asked, and its schema brought up to date."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec, TypeVar
from urllib.parse import SplitResult, urlsplit

import neo4j
from neo4j.exceptions import AuthError, ClientError, ConstraintError, DriverError, Neo4jError

from forest.errors import Conflict, SchemaTooNew, StoreError, StoreUnavailable, UsageError
from forest.schema import CONSTRAINTS, INDEXES, META_LABEL, OLDEST, SCHEMA_VERSION, Rule
from forest.shell import command_line
from forest.stores.base import Rows
from forest.stores.neo4j.faults import (
    LOG_IN,
    WHOLE_TREES,
    forest_errors,
    may_pass,
    translated,
    was_there,
)
from forest.stores.neo4j.values import jsonable

if TYPE_CHECKING:
    from neo4j import Driver, ManagedTransaction, Session
    from neo4j.exceptions import GqlError

T = TypeVar("T")
P = ParamSpec("P")

RACES = 5
"""How often a transaction is tried again whose nodes another one deleted meanwhile."""

PATIENCE = 5.0
"""Seconds of trying again until the log tells of it."""

log = logging.getLogger(__name__)
# What goes wrong is raised. Without a handler Python would print the driver's log as well.
logging.getLogger("neo4j").addHandler(logging.NullHandler())

_CYPHER = "CYPHER 5\n"
# The frozen version of the language: a server's newer default cannot change what a query means.
_OF_THE_QUERY = tuple(
    f"Neo.ClientError.{what}." for what in ("Statement", "Procedure", "Schema", "Transaction")
)
_GONE = "Neo.ClientError.Statement.EntityNotFound"


class Overtaken(Exception):
    """Another writer deleted a node meanwhile that this transaction was about to link."""


class Connection:
    """One database of one server.

    :raises UsageError: the URL is none, or holds a password.
    :raises StoreError: no access, no such database, not Neo4j, older than 5.26.
    :raises StoreUnavailable: nothing answers there.
    :raises SchemaTooNew: a newer version of this library has written there.
    """

    def __init__(
        self,
        url: str,
        *,
        username: str | None,
        password: str | None,
        database: str | None,
        retry_seconds: float,
        half_copy: bool,
    ) -> None:
        parts = _checked(url)
        self.url = url
        self.copy: str | None = None
        """The mark of the copy that this connection makes just now, see `half_copy`."""
        self._half_copy = half_copy
        self._database = database or parts.path.strip("/") or None
        with forest_errors(url):
            self._retry_seconds = retry_seconds
            self._driver = _driver(parts, username, password, min(retry_seconds, PATIENCE))
            try:
                self._bookmarks = neo4j.GraphDatabase.bookmark_manager()
                # Where nothing answers the URL may be wrong, and waiting would not help.
                self._patiently(self._refuse_old_server, at_first=was_there)
                self._patiently(self._prepare)
            except AuthError as error:
                self._driver.close()
                if password is not None:
                    raise
                raise StoreError(
                    f"{url} asks for a password, and none was given", hint=LOG_IN
                ) from error
            except BaseException:
                self._driver.close()
                raise

    def close(self) -> None:
        self._driver.close()

    @contextmanager
    def session(self, fetch_size: int = 1000) -> Iterator[Session]:
        """A session that sees what earlier ones of this connection wrote, on a cluster too."""
        session = self._driver.session(
            database=self._database, fetch_size=fetch_size, bookmark_manager=self._bookmarks
        )
        try:
            with session:
                yield session
        except (DriverError, Neo4jError) as error:
            # An interrupt in the middle of a message garbles the connection, and the session then
            # stumbles while it closes. Nothing was committed then, unless the interrupt hit the
            # commit itself.
            if interrupt := _interrupt(error):
                with suppress(DriverError, Neo4jError):
                    session.close()  # now it only gives the connection back
                raise interrupt from None
            raise

    def read(
        self, work: Callable[Concatenate[ManagedTransaction, P], T], *a: P.args, **kw: P.kwargs
    ) -> T:
        """The result of ``work(transaction, …)``, tried again where the server says so."""

        def once() -> T:
            # Records are chunks of many thoughts, so few of them are kept waiting at a time.
            with self.session(fetch_size=8) as session:
                return session.execute_read(work, *a, **kw)

        with forest_errors(self.url):
            return self._patiently(once)

    def write(
        self, work: Callable[Concatenate[ManagedTransaction, P], T], *a: P.args, **kw: P.kwargs
    ) -> T:
        """As `read`, for work that writes. All of it is stored, or nothing.

        :raises Conflict: a uniqueness constraint of the database forbids it; or another one is
            making a copy there.
        """

        def allowed(tx: ManagedTransaction) -> T:
            self._refuse_half_copy(tx)
            return work(tx, *a, **kw)

        return self.write_anyway(allowed)

    def _refuse_half_copy(self, tx: ManagedTransaction) -> None:
        if self.copy:  # another copy that begins now waits until this transaction ends
            run(tx, LOCK, {}).consume()
        mark = half_copy(tx)
        if self.copy and self.copy != (mark and mark.copy):
            raise Conflict(
                f"another copy into {self.url} began meanwhile", hint="This one was given up."
            )
        if mark and not self.copy:
            raise Conflict(**_half(self.url, mark))

    def write_anyway(
        self, work: Callable[Concatenate[ManagedTransaction, P], T], *a: P.args, **kw: P.kwargs
    ) -> T:
        """As `write`, also while another one makes a copy there."""

        def once() -> T:
            with self.session() as session:
                return session.execute_write(work, *a, **kw)

        for _ in range(RACES):
            try:
                with forest_errors(self.url, WHOLE_TREES):
                    return self._patiently(once)
            except Overtaken:
                continue
            except StoreError as error:
                if not isinstance(error.__cause__, ClientError) or error.__cause__.code != _GONE:
                    raise
        raise StoreUnavailable(
            f"others write the same trees of {self.url} all the time", hint=WHOLE_TREES
        )

    def _patiently(
        self, work: Callable[[], T], at_first: Callable[[GqlError], bool] = may_pass
    ) -> T:
        """What ``work`` gives, tried again until `retry_seconds` are over; the log tells of it.

        ``at_first`` says whether to begin with that at all.
        The driver tries again by itself, but says nothing, so it may do so for PATIENCE only.
        """
        end: float | None = None
        while True:
            began = time.monotonic()
            try:
                return work()
            except (DriverError, Neo4jError) as error:
                now = time.monotonic()
                if end is None and not at_first(error):
                    raise
                end = now + self._retry_seconds - PATIENCE if end is None else end
                if now >= end or not may_pass(error):
                    raise
                why = translated(error, self.url).message
                log.warning("%s: trying again for up to %.0f s", why, end - now)
                # What is no transaction of the driver's own fails at once.
                time.sleep(max(0.0, began + PATIENCE - now))

    def cypher(self, query: str, parameters: Mapping[str, Any]) -> Rows:
        """The rows of an author's own query, as what JSON can say.

        :raises UsageError: Neo4j says that the query is wrong.
        :raises Conflict: a constraint forbids what it writes.
        """
        with forest_errors(self.url), self.session() as session:
            try:
                result = session.run(query, dict(parameters))
                keys = result.keys()
                rows = [
                    dict(zip(keys, map(jsonable, record.values()), strict=True))
                    for record in result
                ]
                counters = vars(result.consume().counters)
            except ConstraintError as error:  # the query is right, but not for what is there
                raise Conflict(f"Neo4j refuses what the query writes: {error.message}") from error
            except ClientError as error:
                if (error.code or "").startswith(_OF_THE_QUERY):
                    raise UsageError(f"Neo4j refuses the query: {error.message}") from error
                raise
        return Rows(rows, {name: n for name, n in counters.items() if name[0] != "_" and n})

    # --- schema --------------------------------------------------------------------------------

    def _refuse_old_server(self) -> None:
        agent = self._driver.get_server_info().agent
        match = re.match(r"Neo4j/(\d+)\.(\d+)", agent)
        if match is None or (int(match[1]), int(match[2])) < OLDEST:
            raise StoreError(
                f"{self.url} is {agent}; a forest needs Neo4j {OLDEST[0]}.{OLDEST[1]} or later",
                hint="`forest neo4j start` runs one on this machine.",
            )

    def _prepare(self) -> None:
        """Refuse a newer schema; create the constraints, indexes and the version that miss."""
        with self.session() as session:
            version = session.execute_read(
                lambda tx: ask(tx, f"MATCH (m:{META_LABEL}) RETURN max(m.version)")[0][0]
            )
            if version is not None and type(version) is not int:
                raise StoreError(
                    f"{self.url} has a {META_LABEL} node whose version is no number: {version!r}",
                    hint=f"A library of this version writes {SCHEMA_VERSION} there.",
                )
            if version is not None and version > SCHEMA_VERSION:
                raise SchemaTooNew(
                    f"{self.url} has schema version {version}; this library knows up to "
                    f"{SCHEMA_VERSION}",
                    hint="It was written by a newer reasoning-forest: upgrade this one.",
                )
            mark = session.execute_read(half_copy)
            if mark is not None and not self._half_copy:
                raise StoreError(**_half(self.url, mark))
            there = session.execute_read(_rules_there)
            for rule in CONSTRAINTS + INDEXES:
                if rule.name not in there:
                    _create(session, rule, self.url)
            if version != SCHEMA_VERSION:
                session.execute_write(_set_version)


def _interrupt(error: BaseException) -> BaseException | None:
    """The interrupt (no Exception, such as KeyboardInterrupt) during which an error came."""
    context = error.__context__
    while isinstance(context, Exception):
        context = context.__context__
    return context


def ask(tx: ManagedTransaction | Session, query: str, **parameters: Any) -> list[list[Any]]:
    """The rows that a query gives."""
    return [record.values() for record in run(tx, query, parameters)]


def run(
    tx: ManagedTransaction | Session, query: str, parameters: Mapping[str, Any]
) -> neo4j.Result:
    """The open result of a query. Values go in as parameters only, never as text."""
    return tx.run(_CYPHER + query, dict(parameters))


class HalfCopy(NamedTuple):
    """The mark of a copy that was not finished."""

    copy: str
    """A random name, another one for each copy."""
    origin: str
    """The URL of the forest that is copied."""


HALF_COPY = f"MATCH (m:{META_LABEL}) WHERE m.copy IS NOT NULL RETURN m.copy, m.copy_of LIMIT 1"
LOCK = f"MATCH (m:{META_LABEL}) SET m.version = m.version"
"""By this one of two changes waits for the other."""


def half_copy(tx: ManagedTransaction) -> HalfCopy | None:
    """The mark of a copy into this database that is being made, or was broken off."""
    rows = ask(tx, HALF_COPY)
    return HalfCopy(*rows[0]) if rows else None


def _half(url: str, mark: HalfCopy) -> dict[str, str]:
    """The message and the hint of the error for half a copy."""
    again = f"`{command_line('copy', mark.origin, url)}`"
    return {
        "message": f"{url} is half a copy: {again} has not come to its end",
        "hint": "If it still runs, wait for it. Otherwise say it again: it goes on where it "
        "stopped. `forest cypher` works meanwhile.",
    }


def _checked(url: str) -> SplitResult:
    """The parts of a URL. Raises UsageError for a bad one, or one with a user or a password."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - it raises for a port that is no number
    except ValueError:
        raise UsageError(
            "the store URL is none: its host or port cannot be read",
            hint="Expected neo4j://HOST:7687.",
        ) from None
    if parts.query or parts.fragment:
        raise UsageError("a store URL holds no settings after ? or #", hint=LOG_IN)
    if "@" in parts.netloc:
        # The URL is not repeated: it may hold a password.
        raise UsageError("a store URL holds no user name and no password", hint=LOG_IN)
    if not parts.hostname:
        raise UsageError(
            f"the store URL {url!r} names no server", hint="Expected neo4j://HOST:7687."
        )
    return parts


def _driver(
    parts: SplitResult, username: str | None, password: str | None, retry_seconds: float
) -> Driver:
    auth = (username or "neo4j", password) if password is not None else None
    try:
        return neo4j.GraphDatabase.driver(
            parts._replace(path="").geturl(),
            auth=auth,
            max_transaction_retry_time=retry_seconds,
            connection_timeout=10,
            notifications_min_severity="OFF",
            telemetry_disabled=True,
        )
    except ValueError as error:
        raise UsageError(f"the store URL is none: {error}") from None


def _rules_there(tx: ManagedTransaction) -> set[str]:
    names = ask(tx, "SHOW CONSTRAINTS YIELD name") + ask(tx, "SHOW INDEXES YIELD name")
    return {row[0] for row in names}


def _set_version(tx: ManagedTransaction) -> None:
    run(tx, f"MERGE (m:{META_LABEL}) SET m.version = $version", {"version": SCHEMA_VERSION})


def _create(session: Session, rule: Rule, url: str) -> None:
    # A transaction function is tried again: where several open a new database at the same time,
    # their locks on the schema can wait for each other.
    try:
        session.execute_write(lambda tx: run(tx, rule.statement, {}).consume())
    except Neo4jError as error:
        if rule.name in session.execute_read(_rules_there):
            return  # somebody else opened the database at the same time
        if twice := _duplicates(session, rule):
            raise Conflict(
                f"{url}: {rule.label} nodes share the {rule.key} {' and '.join(twice)}",
                hint=f"The {rule.key} of a {rule.label} is unique: change or remove it on all but "
                f"one, such as with MATCH (n:{rule.label} {{{rule.key}: {twice[0]}}}) …",
            ) from error
        if error.code and "IndexAlreadyExists" in error.code:
            raise StoreError(
                f"{url} has an index of its own on {rule.label}.{rule.key}: {error.message}",
                hint="Drop it: the library creates a uniqueness constraint there.",
            ) from error
        raise


def _duplicates(session: Session, rule: Rule) -> list[str]:
    """A few keys that several nodes of a label have, as written in Cypher."""
    rows = ask(
        session,
        f"""
        MATCH (n:{rule.label}) WHERE n.{rule.key} IS NOT NULL
        WITH n.{rule.key} AS key, count(*) AS nodes WHERE nodes > 1
        RETURN key LIMIT 5
        """,
    )
    return [repr(row[0]) for row in rows]
