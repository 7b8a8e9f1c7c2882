"""``forest base``, ``forest train``, ``forest evaluate``."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
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
    tell_spelling,
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
    with _steps_bar() if steps else nullcontext() as progress:
        base = prepare(model, out, corpus, seed=seed, steps=steps, progress=progress)
    told = base.about
    say(
        f"{out}: {base.name}, {told['vocabulary']} tokens, {len(told['new_rows'])} of them new; "
        f"names that are one token each: {len(told['tokens'])}; {base.hash[:12]}"
    )
    if "unread" in told:
        say(
            f"note: its tokenizer does not know {told['unread']}: these can be neither learnt nor "
            "said",
            err=True,
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
    tell_spelling(name)
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
    """A progress bar with loss, tokens a second and time left; a line now and then into a pipe."""
    if not sys.stderr.isatty():
        yield _Tenths()
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
            for key in said:
                if key in entry:
                    said[key] = _rate(entry[key])
            text = f"loss {said['loss']}, {said['tokens_per_second']} tokens/s"
            if said["validation_loss"]:
                text += f", validation {said['validation_loss']}"
            bar.update(task, completed=entry["step"], total=entry["steps"], description=text)

        yield update


def _rate(number: float) -> str:
    """A number in four digits or more: 30.77, 13,460."""
    return f"{number:,.0f}" if number >= 1000 else f"{number:.4g}"


class _Tenths:
    """A line for the first step, and for one in each tenth of all steps.

    Tokens a second are those of all steps so far: a single one says little on a busy machine.
    """

    def __init__(self) -> None:
        self._before = self._tokens = self._seconds = 0.0

    def __call__(self, entry: dict[str, Any]) -> None:
        if "loss" not in entry:
            return
        step, steps = entry["step"], entry["steps"]
        a_step = entry["tokens"] / step  # the first that is told may be one that goes on
        tokens = entry["tokens"] - self._before if self._before else a_step
        self._before = entry["tokens"]
        self._tokens += tokens
        self._seconds += tokens / max(entry["tokens_per_second"], 0.1)
        if step > 1 and step * 10 // steps == (step - 1) * 10 // steps:
            return
        speed = self._tokens / self._seconds
        left = timedelta(seconds=round((steps - step) * a_step / speed))
        say(
            f"step {step} of {steps}: loss {entry['loss']:.4g}, {_rate(speed)} tokens/s, "
            f"{left} left",
            err=True,
        )


def _summary(mask: Mask) -> str:
    results = mask.about["results"]
    records, read = results["examples"], results["examples_read"]
    times = f" {read / records:.1f} times each" if read > records else ""
    what = f"{min(read, records)} of {records} records{times}"
    steps = f"{results['steps']} steps, {results['tokens']} tokens"
    lines = [f"{mask.path}: {steps}, {what}; loss {results['loss']:.4g}"]
    if results["validation_loss"] is not None:
        stopped = ", stopped early" if results["stopped_early"] else ""
        lines.append(
            f"validation loss {results['validation_loss']:.4g} at step {results['best_step']}"
            f"{stopped}"
        )
    lines += [f"left out: {count}, {why}" for why, count in results["left_out"].items()]
    if unknown := results["unknown_tokens"]:
        lines.append(
            f"unknown to the base: {unknown} of all tokens, which can be neither learnt nor said"
        )
    return "\n".join(lines)


# --- behaviour ------------------------------------------------------------------------------------


@click.command("evaluate", cls=Command)
@click.argument("names", metavar="[MASK]...", nargs=-1)
@base_option
@click.option(
    "--corpus", "corpus_folder", type=folder_type(), required=True,
    help="What is asked comes from it: walks, formulas, paths.",
)  # fmt: skip
@click.option(
    "--control", "controls", metavar="MASK", multiple=True,
    help="A mask to compare with, such as one trained on paths alone. Several may be given.",
)  # fmt: skip
@masks_option
@click.option(
    "--out", type=folder_type(exists=False),
    help="Write report.html, report.md with pictures, and report.json there.",
)  # fmt: skip
@click.option(
    "--only", metavar="NAMES",
    help="Ask these alone: jumps, scenes, unseen, style, plain, repetition; commas between.",
)  # fmt: skip
@click.option(
    "--probes", "most", type=click.IntRange(min=1), default=150, show_default=True,
    help="Of each group of probes, and prompts of each other measure, at most.",
)  # fmt: skip
@click.option(
    "--samples", type=click.IntRange(min=0), default=5, show_default=True,
    help="Sampled answers to each prompt.",
)  # fmt: skip
@click.option(
    "--draws", type=click.IntRange(min=1),
    help="Answers drawn of each probe, to tell how often one of --samples jumps.  [default: "
    "--samples, or up to four times as many where the probes are few]",
)  # fmt: skip
@click.option(
    "--length", type=click.IntRange(min=1), default=64, show_default=True,
    help="Tokens of a sampled answer at most.",
)  # fmt: skip
@click.option(
    "--banned", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Phrases that no scene may say, one a line, in any form of their words.",
)  # fmt: skip
@click.option(
    "--plain", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Plain text that must not be forgotten, instead of the shipped one.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True)
@json_option
def command_evaluate(
    names: Sequence[str],
    base_folder: Path,
    corpus_folder: Path,
    controls: Sequence[str],
    folder: Path,
    out: Path | None,
    only: str | None,
    most: int,
    samples: int,
    draws: int | None,
    length: int,
    banned: Path | None,
    plain: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Say what masks do: behaviour, not perplexity.

    Do they jump between trees, hold a scene, keep a style when the topic changes, unfold formulas
    that they never saw, still speak plainly, repeat themselves? The base without a mask always
    answers, too. Name a mask that was trained on paths alone (data.kinds = ["path"]) as --control:
    it shows what the walks are worth.
    """
    from training.base import Base
    from training.corpus import Corpus
    from training.evaluate import Questions, evaluate, require_room, write_report
    from training.evaluate import markdown as report_of
    from training.evaluate import phrases as phrases_in
    from training.masks import Library

    if out is not None:
        require_room(out)
    if only is not None and not only.strip(" ,"):
        raise click.BadParameter("expected names of measures, separated by commas")
    asked = Questions(
        tuple(filter(None, (only or "").replace(" ", "").split(","))),
        most, samples, length, seed, phrases_in(banned) if banned else (), plain, draws or 0,
    )  # fmt: skip
    library = Library(folder)
    masks, others = ([library.open(name) for name in some] for some in (names, controls))
    corpus, base = Corpus.open(corpus_folder), Base.open(base_folder)
    with _answers_bar() as progress:
        report = evaluate(corpus, base, masks, asked, controls=others, progress=progress)
    report["command"] = shlex.join(["forest", *sys.argv[1:]])
    report["date"] = datetime.now(UTC).date().isoformat()
    if out is not None:
        write_report(report, out)
    if as_json:
        print_json(report)
    else:
        say(report_of(report, whole=False).rstrip())


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
