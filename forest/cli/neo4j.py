"""The commands of the local Neo4j: start, stop, status."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from forest.cli import print_json
from forest.shell import quoted

if TYPE_CHECKING:
    from forest.local_neo4j import LocalNeo4j

home_option = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Its folder.  [default: ~/.local/share/reasoning-forest/neo4j]",
)


@click.group("neo4j")
def command_neo4j() -> None:
    """Run a local Neo4j with Neo4j Browser; it needs neither Docker nor Java.

    Neo4j Community is a separate program under the GPLv3, downloaded at the first start.
    """


@command_neo4j.command("start")
@home_option
@click.option(
    "--bolt-port",
    type=int,
    help="Port for drivers.  [default: that of the last start, at first 7687]",
)
@click.option(
    "--http-port",
    type=int,
    help="Port of Neo4j Browser.  [default: that of the last start, at first 7474]",
)
@click.option(
    "--version",
    "version",
    help="Version of Neo4j.  [default: the LTS line, or what has used the data if that is newer]",
)
@click.pass_context
def start(
    ctx: click.Context,
    home: Path | None,
    bolt_port: int | None,
    http_port: int | None,
    version: str | None,
) -> None:
    """Start it; the first time it is downloaded (about 150 MB).

    From Maven Central, or from the Maven repository at the URL in FOREST_MAVEN_REPOSITORY.
    """
    from forest.cli.terminal import progress_bar
    from forest.local_neo4j import LocalNeo4j, Progress, Setting
    from forest.settings import Settings

    server = LocalNeo4j(
        home,
        version=version,
        bolt_port="last" if bolt_port is None else bolt_port,
        http_port="last" if http_port is None else http_port,
        maven_repository=Settings.load().maven_repository,
    )
    settings: tuple[Setting, ...] = ("version", "bolt_port", "http_port")
    exactly = [s for s in settings if ctx.get_parameter_source(s) is not ParameterSource.DEFAULT]
    with progress_bar("Neo4j") as bar:

        def tell(p: Progress) -> None:
            if p.phase == "start":
                bar.wait("Neo4j: start")
            else:
                bar.update(p.files, p.total, f"Neo4j: {p.phase}, {p.size / 1e6:.0f} MB")

        running = server.start(progress=tell, exactly=exactly)
    click.echo(f"Neo4j {running.version} {'already runs' if running.already_running else 'runs'}")
    click.echo(f"  store     {running.bolt_url}")
    if running.browser_url:
        click.echo(f"  Browser   {running.browser_url}  (user {running.user})")
    click.echo(f"  password  in {running.password_file}; {_how_found(server)}")
    click.echo(f"next: forest --store {running.bolt_url} init --sample")


@command_neo4j.command("stop")
@home_option
def stop(home: Path | None) -> None:
    """Stop it; its data stay."""
    from forest.local_neo4j import LocalNeo4j

    click.echo("Neo4j stopped" if LocalNeo4j(home).stop() else "Neo4j was not running")


@command_neo4j.command("status")
@home_option
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def status(home: Path | None, as_json: bool) -> int:
    """Say whether it runs, and where. Exit code 1 if it does not."""
    from dataclasses import asdict

    from forest.local_neo4j import USER, LocalNeo4j

    server = LocalNeo4j(home)
    now = server.status()
    if as_json:
        print_json({k: str(v) if isinstance(v, Path) else v for k, v in asdict(now).items()})
    elif now.running:
        click.echo(f"Neo4j {now.version} runs: {now.bolt_url} (process {now.pid})")
        if now.browser_url:
            click.echo(f"  Browser   {now.browser_url}  (user {USER})")
    else:
        data = "its data are in" if now.version else "there are no data yet in"
        click.echo(f"Neo4j does not run; {data} {now.home}. Start: {server.command('start')}")
    if now.password_file and not as_json:
        click.echo(f"  password  in {now.password_file}; {_how_found(server)}")
    return int(not now.running)


def _how_found(server: LocalNeo4j) -> str:
    """How the password of a server gets to the store."""
    if server.is_default:
        return "this library finds it there by itself"
    read = f"cat {quoted(server.password_file)}"
    return f'give it with: export NEO4J_PASSWORD="$({read})"'
