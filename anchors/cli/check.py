"""The command check."""

from __future__ import annotations

from dataclasses import asdict

import click

from forest.cli import opened_forest, print_json, say


@click.command("check")
@click.option("--fix", is_flag=True, help="Put right what can be without guessing.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def command_check(ctx: click.Context, fix: bool, as_json: bool) -> int:
    """Say what is wrong or missing. Exit code 1 if anything is left to do."""
    from anchors.checking import check

    with opened_forest(ctx) as forest:
        findings = check(forest, fix=fix)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            mark = "fixed" if finding.fixed else "--fix would" if finding.fixable else "broken"
            say(f"{mark:12} {finding.where}: {finding.problem}")
        left = [f for f in findings if not f.fixed]
        fixable = sum(f.fixable for f in left)
        click.echo(
            f"{len(findings) - len(left)} fixed, {fixable} that --fix can fix, "
            f"{len(left) - fixable} for you to mend"
            if findings
            else "nothing to do: everything is whole"
        )
    return int(any(not finding.fixed for finding in findings))
