"""The jars of a Maven coordinate, downloaded once into Maven's own cache.

jgo reads the POMs and says which jars a coordinate needs. The downloads are done here and not by
jgo, because its own write straight into the cache: one that is cut short leaves a broken file that
every later try takes for the whole one. And while jgo walks the dependencies it skips a POM that
it cannot fetch, so that a hiccup of the network would give a class path with holes. An error of
ours is not among those that it skips.

Importing this module needs the extra ``local-neo4j``; requests and urllib3 come with jgo.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
import zipfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from xml.etree.ElementTree import ParseError

import requests
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import Artifact, MavenContext, PythonResolver
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from forest.errors import ServerError
from forest.local_neo4j.progress import Meter

THREADS = 8
"""Jars downloaded at once: most are small, so the wait is for answers and not for bytes."""
TIMEOUT = (10, 60)
"""Seconds to wait for a connection, and for the next bytes."""
RECORD = "reasoning-forest.jars"
"""Name of the list of a coordinate's jars, kept in the cache beside its own jar."""

_KEPT = "What was downloaded is kept: the next try goes on from there."


def find_jars(
    coordinates: Sequence[str], *, repository: str | None, cache: Path | None, meter: Meter
) -> tuple[Path, ...]:
    """Return the jars of some ``group:artifact:version``; download what is missing.

    The jar of the first coordinate comes first. ``repository`` is the URL of a Maven repository to
    use instead of Maven Central, ``cache`` the folder to keep jars in instead of Maven's own. Both
    defaults can be set in jgo's own configuration file too. Once all jars are there, no network is
    needed.

    :raises ServerError: a file is in no repository, or cannot be fetched or stored.
    """
    settings = GlobalSettings.load()
    cache = (cache or settings.repo_cache).expanduser().absolute()
    found = {one: _read_record(_record(one, cache), cache) for one in coordinates}
    missing = [one for one in coordinates if not found[one]]
    if missing:
        default = {"central": MAVEN_CENTRAL_URL} | settings.repositories
        remotes = {"central": repository.rstrip("/")} if repository else default
        with closing(_Resolver(meter)) as resolver:
            context = MavenContext(resolver=resolver, repo_cache=cache, remote_repos=remotes)
            found |= _fetch_all(missing, context, meter)
    jars = dict.fromkeys(jar for one in coordinates for jar in found[one])
    return tuple(jars)  # each once, in the order of the coordinates


def _fetch_all(
    coordinates: Sequence[str], context: MavenContext, meter: Meter
) -> dict[str, tuple[Path, ...]]:
    meter.phase("resolve")
    needed = {one: _artifacts(one, context) for one in coordinates}
    _download([artifact for artifacts in needed.values() for artifact in artifacts], meter)
    cache = context.repo_cache
    jars = {one: tuple(map(_place, artifacts)) for one, artifacts in needed.items()}
    with suppress(OSError):  # the record saves time and nothing else
        for one in coordinates:
            _write_record(_record(one, cache), cache, jars[one])
    return jars


def _artifacts(coordinate: str, context: MavenContext) -> list[Artifact]:
    try:
        dependency = context.create_dependency(coordinate)
        own, others = context.resolver.resolve([dependency])
    except (ParseError, ValueError, KeyError, RuntimeError) as error:
        raise ServerError(
            f"the dependencies of {coordinate} cannot be read: {error}",
            hint=f"A file in {context.repo_cache} may be damaged. Move that folder away "
            "and try again.",
        ) from error
    needed = [one for one in others if one.scope in ("compile", "runtime")]
    return [one.artifact for one in (*own, *needed)]


def _download(artifacts: Iterable[Artifact], meter: Meter) -> None:
    """Fetch the jars that the cache has not; the first error ends the rest."""
    wanted = {_place(artifact): artifact for artifact in artifacts}
    missing = [artifact for place, artifact in wanted.items() if not _is_whole(place)]
    meter.phase("download", len(missing))
    pool = ThreadPoolExecutor(THREADS)
    try:
        for _ in pool.map(Artifact.resolve, missing):
            pass  # map gives results in order, and raises here what a thread raised
    finally:
        pool.shutdown(cancel_futures=True)


def _place(artifact: Artifact) -> Path:
    """Return where a file of a repository belongs in the cache."""
    path = artifact.cached_path
    if path is None:
        raise ServerError(f"{artifact} has no place in the cache of jars")
    return Path(path)


def _is_whole(jar: Path) -> bool:
    """Look for the zip index at the end of a jar; without it, remove the jar.

    Another program may have left it half written.
    """
    if zipfile.is_zipfile(jar):
        return True
    jar.unlink(missing_ok=True)
    return False


def _record(coordinate: str, cache: Path) -> Path:
    group, artifact, version = coordinate.split(":")
    return cache.joinpath(*group.split("."), artifact, version, RECORD)


def _read_record(record: Path, cache: Path) -> tuple[Path, ...]:
    """Return the jars on record, or nothing if the record or any jar is not as it was."""
    try:
        lines = [line.split(" ", 1) for line in record.read_text("utf-8").splitlines()]
        jars = [(cache / name, int(size)) for size, name in lines]
        whole = all(jar.stat().st_size == size for jar, size in jars)
    except (OSError, ValueError):
        return ()
    return tuple(jar for jar, _ in jars) if whole else ()


def _write_record(record: Path, cache: Path, jars: Iterable[Path]) -> None:
    lines = [f"{jar.stat().st_size} {jar.relative_to(cache).as_posix()}\n" for jar in jars]
    part = _part(record)
    part.write_text("".join(lines), "utf-8")
    part.replace(record)


def _part(target: Path) -> Path:
    """Name, beside ``target``, that no other thread or process writes to."""
    return target.with_name(f".{target.name}.{os.getpid()}-{threading.get_ident()}.part")


class _Resolver(PythonResolver):
    """jgo's resolver with downloads that are whole or absent, over kept connections."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter = meter
        self._session = requests.Session()
        retry = Retry(3, backoff_factor=0.2, status_forcelist=(429, 502, 503, 504))
        adapter = HTTPAdapter(pool_maxsize=THREADS, max_retries=retry)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def download(self, artifact: Artifact) -> Path:
        """Fetch one file into the cache.

        :raises ServerError: no repository has it, or it cannot be fetched or stored.
        """
        name = f"{artifact.component.path_prefix.as_posix()}/{artifact.filename}"
        target = _place(artifact)
        repositories = list(artifact.context.remote_repos.values())
        for repository in repositories:
            if self._fetch(f"{repository}/{name}", target):
                self._meter.add(files=1)
                return target
        raise ServerError(
            f"{artifact.groupId}:{artifact.artifactId} has no version {artifact.version} "
            f"in {_without_password(', '.join(repositories))} ({name} is not there)",
            hint="Check the version, or the Maven repository.",
        )

    def _fetch(self, url: str, target: Path) -> bool:
        """Download ``url``; False if the repository does not have it."""
        try:
            with self._session.get(url, stream=True, timeout=TIMEOUT) as response:
                if response.status_code == requests.codes.not_found:
                    return False
                response.raise_for_status()
                self._store(response, target)
                return True
        except requests.RequestException as error:
            raise ServerError(
                _without_password(f"cannot download {url}: {_reason(error)}"),
                hint="Check the network (and HTTPS_PROXY, if you need a proxy), or name a Maven "
                "repository that you can reach in FOREST_MAVEN_REPOSITORY, then start again. "
                f"{_KEPT}",
            ) from error
        except OSError as error:
            raise ServerError(f"cannot write {target}: {error}", hint=_KEPT) from error

    def _store(self, response: requests.Response, target: Path) -> None:
        """Write the body beside ``target`` and rename it once it is whole and checked."""
        target.parent.mkdir(parents=True, exist_ok=True)
        part = _part(target)
        digest = hashlib.sha1(usedforsecurity=False)
        try:
            with part.open("wb") as file:
                for chunk in response.iter_content(1 << 16):
                    file.write(chunk)
                    digest.update(chunk)
                    self._meter.add(size=len(chunk))
            self._check(response.url, digest.hexdigest())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def _check(self, url: str, sha1: str) -> None:
        """Compare with the checksum that the repository keeps beside a jar, if it keeps one."""
        if not url.endswith(".jar"):
            return  # a damaged POM is no XML, and a POM is never run
        response = self._session.get(f"{url}.sha1", timeout=TIMEOUT)
        if response.ok and response.text.split()[:1] != [sha1]:
            raise requests.RequestException("its checksum (.sha1) is another one")


def _without_password(text: str) -> str:
    """A text with addresses as they may be shown.

    >>> _without_password("cannot download https://ann:secret@maven.example/a.jar: gone")
    'cannot download https://maven.example/a.jar: gone'
    """
    return re.sub(r"://[^/@\s]+@", "://", text)


def _reason(error: BaseException) -> str:
    """Innermost cause: the outer ones repeat the URL and name classes."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return str(error)
