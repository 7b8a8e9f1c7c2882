"""Ports of this machine, and the question whether Neo4j answers on one."""

from __future__ import annotations

import socket
from enum import Enum

from forest.errors import ServerError, UsageError

HOST = "127.0.0.1"
USER = "neo4j"


def bolt_url(port: int) -> str:
    """Return the URL for drivers."""
    return f"neo4j://{HOST}:{port}"


def browser_url(port: int | None) -> str | None:
    """Return the URL of Neo4j Browser, or None without HTTP."""
    return None if port is None else f"http://{HOST}:{port}/browser/"


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that is free at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def check_ports(bolt_port: int, http_port: int | None) -> None:
    """Check the two ports of a server.

    :raises UsageError: one is no TCP port, or both are the same.
    """
    for option, port in (("--bolt-port", bolt_port), ("--http-port", http_port)):
        if port is not None and not 1 <= port <= 65535:
            raise UsageError(f"{option} {port} is no port: expected 1 to 65535")
    if bolt_port == http_port:
        raise UsageError(
            f"--bolt-port and --http-port are both {bolt_port}",
            hint="Each needs a port of its own: drivers speak Bolt, browsers HTTP.",
        )


def refuse_if_taken(port: int, option: str) -> None:
    """Make sure that a server can listen on ``port``, which the option ``option`` has set.

    :raises ServerError: another program listens there, or this user may not.
    """
    hint = f"Choose another port with {option}."
    with socket.socket() as probe:
        # As the server does: a port whose last connections are only winding down is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ServerError(
                f"port {port} on {HOST} cannot be used: {error.strerror}", hint=hint
            ) from error
    if listens(port):  # macOS lets one bind beside a listener on all addresses
        raise ServerError(f"port {port} on {HOST} is in use by another program", hint=hint)


def listens(port: int) -> bool:
    """Tell whether anything accepts connections on ``port``."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


class Answer(Enum):
    """What came back from a port."""

    READY = "a query is answered"
    NOT_YET = "nobody listens, or it cannot answer queries yet"
    REFUSED = "the password is refused"


def ask(port: int, password: str) -> Answer:
    """Send a query to Neo4j on ``port``."""
    # Imported before the port is looked at: this takes a second, and a new server several.
    from neo4j import GraphDatabase
    from neo4j.exceptions import AuthError, DriverError, Neo4jError

    if not listens(port):
        return Answer.NOT_YET
    # bolt://, since with neo4j:// the driver logs a warning as long as there are no routes.
    driver = GraphDatabase.driver(
        f"bolt://{HOST}:{port}",
        auth=(USER, password),
        connection_timeout=5,
        connection_acquisition_timeout=5,  # where something listens that never says a word
    )
    try:
        with driver, driver.session() as session:
            session.run("RETURN 1").consume()
    except AuthError:
        return Answer.REFUSED
    except (DriverError, Neo4jError):
        return Answer.NOT_YET
    return Answer.READY
