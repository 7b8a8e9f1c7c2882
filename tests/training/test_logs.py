"""What a training tells of itself: to TensorBoard, to MLflow, on a terminal."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training.config import Config
from training.corpus import Corpus
from training.errors import MissingExtra

Make = Callable[..., Config]


@pytest.fixture
def told(corpus: Corpus, base: Any, config: Make, tmp_path: Path) -> Any:
    """The losses of the JSONL after a training that was broken off at step 3 and gone on with."""
    from training.train import train

    def run(log: Any) -> list[tuple[int, float]]:
        def stop(entry: dict[str, Any]) -> None:
            if entry["step"] == 3:
                raise KeyboardInterrupt

        settings = config(steps=4, save_every=2, validate_every=4)
        with pytest.raises(KeyboardInterrupt):
            train(corpus, base, "m", settings, masks=tmp_path, log=log, progress=stop)
        train(corpus, base, "m", settings, masks=tmp_path, log=log)
        lines = (tmp_path / "m.jsonl").read_text(encoding="utf-8").splitlines()
        return [(e["step"], e["loss"]) for e in map(json.loads, lines) if "loss" in e]

    return run


def test_tensorboard_shows_each_step_once(told: Any, tmp_path: Path):
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    losses = told("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(tmp_path / "tensorboard" / "m")).Reload()
    assert {e.step: e.value for e in board.Scalars("loss")} == pytest.approx(dict(losses))
    assert len(board.Scalars("loss")) == len(losses)
    assert {"rate", "tokens_per_second", "validation_loss"} <= set(board.Tags()["scalars"])


def test_mlflow_shows_each_step_once_in_one_run(
    told: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed: no extra brings it")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    losses = told("mlflow")
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("reasoning-forest").experiment_id
    (run,) = client.search_runs([experiment])
    shown = client.get_metric_history(run.info.run_id, "loss")
    assert sorted((m.step, m.value) for m in shown) == losses
    assert (run.info.run_name, run.info.status) == ("m", "FINISHED")
    assert run.data.params["lora.r"] == "4"
    assert "validation_loss" in run.data.metrics


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize(("log", "says"), [
    ("tensorboard", r"\.\[train,tensorboard\]"), ("mlflow", "pip install mlflow"),
])  # fmt: skip
def test_a_log_that_is_not_installed_is_refused_before_anything_is_read(
    log: Any, says: str, corpus: Corpus, base: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from training.train import train

    monkeypatch.setitem(sys.modules, log, None)
    with pytest.raises(MissingExtra, match=rf"{log}, which is not installed\n.*{says}"):
        train(corpus, base, "m", masks=tmp_path / "masks", log=log)
    assert not (tmp_path / "masks").exists()


def test_the_bar_shows_loss_speed_and_time_left(monkeypatch: pytest.MonkeyPatch):
    from training.cli import _steps_bar

    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "120")
    with _steps_bar() as progress:
        assert progress
        progress({"step": 1, "steps": 8, "validation_loss": 2.5})
        progress({"step": 2, "steps": 8, "loss": 1.25, "tokens_per_second": 13460.3})
    assert "loss 1.25, 13,460 tokens/s, validation 2.5" in screen.getvalue()
    assert "2/8" in screen.getvalue()
    assert re.search(r"\d:\d\d:\d\d", screen.getvalue())


def test_without_a_terminal_the_first_step_and_each_tenth_is_a_line(
    capsys: pytest.CaptureFixture[str],
):
    from training.cli import _steps_bar

    with _steps_bar() as progress:
        assert progress
        for step in range(1, 41):
            told = {"step": step, "steps": 40, "tokens": 100 * step, "tokens_per_second": 50.0}
            progress(told | {"loss": 4 / step})
            progress({"step": step, "steps": 40, "validation_loss": 2.5})
    first, second, *_, last = lines = capsys.readouterr().err.splitlines()
    assert first == "step 1 of 40: loss 4, 50 tokens/s, 0:01:18 left"
    assert second.startswith("step 4 of 40: loss 1, ")
    assert last == "step 40 of 40: loss 0.1, 50 tokens/s, 0:00:00 left"
    assert len(lines) == 11


def test_the_time_left_is_that_of_all_steps_so_far(capsys: pytest.CaptureFixture[str]):
    """Of a training that goes on at its step 21, and is ten times as slow at each tenth's step."""
    from training.cli import _steps_bar

    with _steps_bar() as progress:
        assert progress
        for step in range(21, 41):
            speed = 10.0 if step % 4 == 0 else 100.0
            told = {"step": step, "steps": 40, "tokens": 100 * step, "tokens_per_second": speed}
            progress(told | {"loss": 1.0})
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "step 24 of 40: loss 1, 30.77 tokens/s, 0:00:52 left"
    assert lines[1] == "step 28 of 40: loss 1, 30.77 tokens/s, 0:00:39 left"
