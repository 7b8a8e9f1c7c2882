"""Where a training tells of itself on request, beside its JSONL: TensorBoard, MLflow."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from training.errors import MissingExtra
from training.library import library, quiet

Log = Literal["tensorboard", "mlflow"]
Tell = Callable[[dict[str, Any]], None]
EXPERIMENT = "reasoning-forest"
_TRAINING = "fingerprint"


def require(log: Log | None) -> None:
    """Raise MissingExtra unless what writes this log is installed."""
    if log == "tensorboard":
        library("tensorboard", "tensorboard")
    if log == "mlflow":
        _mlflow()


@contextmanager
def opened(
    log: Log | None, path: Path, step: int, fingerprint: str, settings: dict[str, Any]
) -> Iterator[Tell | None]:
    """What takes over each line of the log of the mask at ``path``; None where none is asked for.

    What an interrupted training told after its last checkpoint is not told twice.

    :param step: how many steps were made before.
    :param fingerprint: what the training goes on by.
    """
    if log == "tensorboard":
        yield from _tensorboard(path, step)
    elif log == "mlflow":
        yield from _run(path, step, fingerprint, settings)
    else:
        yield None


def _tensorboard(path: Path, step: int) -> Iterator[Tell]:
    library("tensorboard", "tensorboard")
    folder = path.parent / "tensorboard" / path.stem
    writer = library("torch.utils.tensorboard").SummaryWriter(folder, purge_step=step + 1)

    def tell(entry: dict[str, Any]) -> None:
        for name, value in _numbers(entry):
            writer.add_scalar(name, value, entry["step"])
        writer.flush()

    try:
        yield tell
    finally:
        writer.close()


def _mlflow() -> Any:
    try:
        with quiet():
            mlflow = import_module("mlflow")
    except ImportError as error:
        raise MissingExtra(
            f"--log mlflow needs the package {error.name or 'mlflow'}, which is not installed",
            hint="Install it: pip install mlflow. No extra brings it, for its size.",
        ) from error
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return mlflow


def _run(path: Path, step: int, fingerprint: str, settings: dict[str, Any]) -> Iterator[Tell]:
    """A run in the store that MLFLOW_TRACKING_URI names, else in one beside the masks."""
    mlflow = _mlflow()
    named = mlflow.tracking.is_tracking_uri_set()
    store = None if named else f"sqlite:///{path.parent.resolve() / 'mlflow.db'}"
    with quiet():
        client = mlflow.MlflowClient(store)
        run = _begun(client, path.stem, fingerprint, settings, go_on=step > 0)
        known = {m.step for m in client.get_metric_history(run, "loss")}
        known |= {-m.step for m in client.get_metric_history(run, "validation_loss")}

    def tell(entry: dict[str, Any]) -> None:
        at, now = entry["step"], int(time.time() * 1000)
        if (-at if "validation_loss" in entry else at) in known:
            return
        metric = mlflow.entities.Metric
        client.log_batch(run, [metric(name, value, now, at) for name, value in _numbers(entry)])

    try:
        yield tell
    except BaseException as error:
        stopped = isinstance(error, KeyboardInterrupt)
        client.set_terminated(run, "KILLED" if stopped else "FAILED")
        raise
    client.set_terminated(run)


def _begun(
    client: Any, name: str, fingerprint: str, settings: dict[str, Any], *, go_on: bool
) -> str:
    """The id of the run of this training: that of before, or a new one."""
    found = client.get_experiment_by_name(EXPERIMENT)
    experiment = found.experiment_id if found else client.create_experiment(EXPERIMENT)
    mine = f"tags.{_TRAINING} = '{fingerprint}' and attributes.run_name = '{name}'"
    runs = client.search_runs([experiment], mine, max_results=1) if go_on else []
    if runs:
        client.update_run(runs[0].info.run_id, status="RUNNING")
        return str(runs[0].info.run_id)
    run = client.create_run(experiment, run_name=name, tags={_TRAINING: fingerprint}).info.run_id
    for section, values in settings.items():
        for key, value in values.items():
            client.log_param(run, f"{section}.{key}", value)
    return str(run)


def _numbers(entry: dict[str, Any]) -> Iterator[tuple[str, float]]:
    return ((name, value) for name, value in entry.items() if name not in ("step", "steps"))
