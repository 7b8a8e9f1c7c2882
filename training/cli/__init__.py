"""``forest base``, ``forest train``, ``forest evaluate``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from training.cli.terminal import (
    Command,
    Group,
    base_option,
    folder_type,
    json_option,
    masks_option,
    print_json,
    say,
)

if TYPE_CHECKING:
    from training.logs import Log
    from training.masks import Mask

# --- base -----------------------------------------------------------------------------------------


@click.group("base", cls=Group)
def command_base() -> None:
    """Prepare the model that masks stand on."""


@command_base.command("prepare")
@click.argument("model")
@click.argument("out", type=folder_type(exists=False))
@click.option(
    "--corpus", "corpus_folder", type=folder_type(), help="Its codes become single tokens."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--steps", type=click.IntRange(min=0), default=0,
    help="Of a tiny: base, how long it reads the corpus's paths.",
)  # fmt: skip
def _prepare(model: str, out: Path, corpus_folder: Path | None, seed: int, steps: int) -> None:
    """Write a base into the folder OUT: codes, glyphs and jump marker are tokens of it.

    MODEL is a folder or a name of Hugging Face, a GGUF file, or tiny: (or tiny:sentencepiece), a
    small model made here with a tokenizer of the corpus, for tests and experiments from scratch.
    """
    from training.base import prepare
    from training.corpus import Corpus

    corpus = Corpus.open(corpus_folder) if corpus_folder else None
    base = prepare(model, out, corpus, seed=seed, steps=steps)
    told = base.about
    say(
        f"{out}: {base.name}, {told['vocabulary']} tokens, {len(told['new_rows'])} of them new; "
        f"names that are one token each: {len(told['tokens'])}; {base.hash[:12]}"
    )


@command_base.command("verify")
@click.argument("base_folder", metavar="BASE", type=folder_type())
def _verify_base(base_folder: Path) -> None:
    """Check every file of a base against its hash."""
    from training.base import Base

    base = Base.open(base_folder)
    say(f"{base_folder}: {base.name}, whole; {base.hash[:12]}")


# --- train ----------------------------------------------------------------------------------------


def _print_config(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    from training.config import DEFAULT, preset

    if asked:
        click.echo(preset(DEFAULT), nl=False)
        ctx.exit()


@click.command("train", cls=Command)
@click.argument("corpus_folder", metavar="CORPUS", type=folder_type())
@base_option
@click.option("--mask", "name", required=True, help="Its name, such as Δ42_logic.")
@click.option(
    "--preset", "presets", multiple=True, metavar="NAME",
    help="Shipped settings: fragment, tiny, mistral, qwen, saiga, role-logic, role-poetic, "
    "role-bodily, role-silence. Several: the later ones win.",
)  # fmt: skip
@click.option(
    "--config", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Settings (TOML) over the presets.",
)  # fmt: skip
@click.option(
    "--print-config", is_flag=True, is_eager=True, expose_value=False, callback=_print_config,
    help="Print the default settings, which explain themselves, and exit.",
)  # fmt: skip
@click.option(
    "--quantize", type=click.Choice(["none", "nf4", "int8"]),
    help="Keep the base's weights in 4 or 8 bits (QLoRA).",
)  # fmt: skip
@click.option(
    "--precision", type=click.Choice(["auto", "bf16", "fp16", "fp32"]), help="What is computed in."
)
@click.option(
    "--log", type=click.Choice(["tensorboard", "mlflow"]),
    help="Tell the log to it, too: in MASKS/tensorboard, or in MASKS/mlflow.db unless "
    "MLFLOW_TRACKING_URI names another store.",
)  # fmt: skip
@masks_option
@click.option("--restart", is_flag=True, help="Throw an unfinished training of that name away.")
@json_option
def command_train(
    corpus_folder: Path,
    base_folder: Path,
    name: str,
    presets: tuple[str, ...],
    file: Path | None,
    quantize: str | None,
    precision: str | None,
    log: Log | None,
    folder: Path,
    restart: bool,
    as_json: bool,
) -> None:
    """Train a mask on the corpus in the folder CORPUS.

    The same command goes on with a training that was interrupted. Its log is MASKS/NAME.jsonl.
    """
    from training.base import Base
    from training.config import Config
    from training.corpus import Corpus
    from training.train import train

    said = {"quantize": quantize, "precision": precision}
    config = Config.load(presets, file, training={k: v for k, v in said.items() if v})
    corpus = Corpus.open(corpus_folder)
    base = Base.open(base_folder)
    with _steps_bar() as progress:
        mask = train(
            corpus, base, name, config,
            masks=folder, restart=restart, progress=progress, log=log,
        )  # fmt: skip
    if os.environ.get("RANK", "0") != "0":
        return  # torchrun started several of us, and the first one speaks
    if as_json:
        print_json(mask.about)
    else:
        say(_summary(mask))


@contextmanager
def _steps_bar() -> Iterator[Callable[[dict[str, Any]], None] | None]:
    """A progress bar with loss, tokens a second and time left; nothing into a pipe."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("training", total=None)
        said = {"loss": "", "validation_loss": "", "tokens_per_second": ""}

        def update(entry: dict[str, Any]) -> None:
            said.update((key, f"{entry[key]:.4g}") for key in said if key in entry)
            text = f"loss {said['loss']}, {said['tokens_per_second']} tokens/s"
            if said["validation_loss"]:
                text += f", validation {said['validation_loss']}"
            bar.update(task, completed=entry["step"], total=entry["steps"], description=text)

        yield update


def _summary(mask: Mask) -> str:
    results = mask.about["results"]
    what = f"{results['steps']} steps, {results['tokens']} tokens, {results['examples']} records"
    lines = [f"{mask.path}: {what}; loss {results['loss']:.4g}"]
    if results["validation_loss"] is not None:
        stopped = ", stopped early" if results["stopped_early"] else ""
        lines.append(
            f"validation loss {results['validation_loss']:.4g} at step {results['best_step']}"
            f"{stopped}"
        )
    lines += [f"left out: {count}, {why}" for why, count in results["left_out"].items()]
    return "\n".join(lines)


# --- behaviour ------------------------------------------------------------------------------------


@click.command("evaluate", cls=Command)
@click.argument("names", metavar="[MASK]...", nargs=-1)
@base_option
@click.option(
    "--corpus", "corpus_folder", type=folder_type(), required=True, help="One with walks."
)
@masks_option
@click.option(
    "--out", type=folder_type(exists=False), help="Write report.json and report.md there."
)
@click.option(
    "--probes", "most", type=click.IntRange(min=1), default=150, show_default=True,
    help="Of each group.",
)  # fmt: skip
@click.option(
    "--samples", type=click.IntRange(min=0), default=5, show_default=True,
    help="Sampled continuations of each probe.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True)
@json_option
def command_evaluate(
    names: Sequence[str],
    base_folder: Path,
    corpus_folder: Path,
    folder: Path,
    out: Path | None,
    most: int,
    samples: int,
    seed: int,
    as_json: bool,
) -> None:
    """Say whether masks make the base jump between trees: behaviour, not perplexity.

    The base without a mask always answers, too. Give a mask that was trained on paths alone
    (data.kinds = ["path"]) beside the others: it shows what the walks are worth.
    """
    from training.base import Base
    from training.corpus import Corpus
    from training.evaluate import evaluate, markdown, write_report
    from training.masks import Library

    library = Library(folder)
    masks = [library.open(name) for name in names]
    corpus, base = Corpus.open(corpus_folder), Base.open(base_folder)
    with _answers_bar() as progress:
        report = evaluate(
            corpus, base, masks, most=most, samples=samples, seed=seed, progress=progress
        )
    if out is not None:
        write_report(report, out)
    if as_json:
        print_json(report)
    else:
        say(markdown(report).partition("\n## Where ")[0].rstrip())


@contextmanager
def _answers_bar() -> Iterator[Callable[[int, int], None] | None]:
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("answers", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
