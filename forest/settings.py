"""Settings, read once at the edge: environment variables, then forest.toml, then defaults."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from forest.errors import UsageError

FILE = "forest.toml"
DEFAULT_STORE = "sqlite:///forest.db"
ENVIRONMENT = {
    "store": ("FOREST_STORE",),
    "templates": ("FOREST_TEMPLATES",),
    "maven_repository": ("FOREST_MAVEN_REPOSITORY",),
    "neo4j_username": ("FOREST_NEO4J_USERNAME", "NEO4J_USERNAME"),
    "neo4j_password": ("FOREST_NEO4J_PASSWORD", "NEO4J_PASSWORD"),
}
LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Settings:
    """Which forest, and who asks for it."""

    store: str = DEFAULT_STORE
    neo4j_username: str | None = None
    neo4j_password: str | None = field(default=None, repr=False)
    templates: str | None = None
    """Folder with an author's own templates for `forest new`."""
    maven_repository: str | None = None
    """URL of the Maven repository that a local Neo4j is downloaded from, if not Maven Central."""

    @classmethod
    def load(cls, folder: Path | None = None) -> Settings:
        """From the environment, else from forest.toml in ``folder`` (the working folder).

        Raises UsageError for a forest.toml that is not TOML or holds an unknown key.
        """
        values = _from_file((folder or Path.cwd()) / FILE)
        for name, variables in ENVIRONMENT.items():
            for variable in reversed(variables):
                if os.environ.get(variable):
                    values[name] = os.environ[variable]
        return cls(**values)

    def password_for(self, url: str) -> str | None:
        """The password to use: the one that is set, else that of the local server, if it is its."""
        try:
            host = urlsplit(url).hostname
        except ValueError:  # whoever opens it says what is wrong
            host = None
        if self.neo4j_password or host not in LOCAL:
            return self.neo4j_password
        from forest.local_neo4j import LocalNeo4j

        server = LocalNeo4j()
        ours = server.password_file.is_file() and server.status().bolt_url == _bolt(url)
        return server.password() if ours else None


def _from_file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path}: it is not TOML: {error}",
            hint='Expected lines such as: store = "sqlite:///forest.db"',
        ) from None
    known = {f.name for f in fields(Settings)}
    for key, value in values.items():
        if key not in known:
            raise UsageError(
                f"{path}: unknown key {key!r}", hint=f"Known keys: {', '.join(sorted(known))}."
            )
        if not isinstance(value, str):
            raise UsageError(f"{path}: {key} is {_kind(value)}: expected text in quotes")
    return values


def _kind(value: Any) -> str:
    """What a value is, without saying it: it may be a password."""
    return f"of the type {type(value).__name__}"


def _bolt(url: str) -> str:
    """The URL with the scheme and port as the local server states them."""
    from forest.local_neo4j.ports import bolt_url

    return bolt_url(urlsplit(url).port or 7687)
