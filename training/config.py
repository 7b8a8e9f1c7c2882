"""The settings of a training, from TOML: presets one over another, then a file of one's own.

What each setting means, and why it has its value, stands beside it in ``presets/*.toml``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib.resources import files
from math import cos, pi
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training.errors import ConfigError
from training.files import json_hash
from training.quantized import Bits

DEFAULT = "default"
_HINT = "`forest train --print-config` prints the default, which explains all settings."
Count = Annotated[int, Field(strict=True, ge=0, le=1 << 40)]
Size = Annotated[int, Field(strict=True, ge=1, le=1 << 40)]
Threads = Annotated[int, Field(strict=True, ge=0, le=4096)]
Share = Annotated[float, Field(ge=0, lt=1)]
Precision = Literal["auto", "bf16", "fp16", "fp32"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Lora(_Section):
    """What a mask is."""

    r: Size = 16
    alpha: Annotated[float, Field(gt=0)] = 16
    dropout: Share = 0.0
    modules: Annotated[tuple[str, ...], Field(min_length=1)] = ("v_proj", "o_proj")
    rslora: bool = False
    dora: bool = False
    new_rows: bool = True


class Data(_Section):
    """What a mask is trained on."""

    kinds: tuple[str, ...] = ()
    registers: tuple[str, ...] = ()
    no_loss: tuple[str, ...] = ("breadcrumb",)
    window: Size = 1024


class Steps(_Section):
    """How it is trained."""

    seed: Count = 0
    epochs: Size = 3
    steps: Count = 0
    row: Size = 2048
    rows: Size = 4
    rate: Annotated[float, Field(gt=0)] = 2e-4
    warmup: Share = 0.05
    decay: Annotated[float, Field(ge=0)] = 0.0
    clip: Annotated[float, Field(gt=0)] = 1.0
    precision: Precision = "auto"
    quantize: Bits = "none"
    threads: Threads = 0

    def rate_at(self, step: int, steps: int) -> float:
        """The rate of a step, counted from 0, of so many: up, then along a cosine to a tenth."""
        warm = max(1, round(self.warmup * steps))
        if step < warm:
            return self.rate * (step + 1) / warm
        return self.rate * (0.55 + 0.45 * cos(pi * (step - warm) / max(1, steps - warm)))


class Checks(_Section):
    """What is looked at and kept meanwhile."""

    validate_every: Size = 100
    patience: Count = 3
    save_every: Size = 100


class Config(_Section):
    """All settings. Frozen; `Config()` is the preset ``default``."""

    lora: Lora = Lora()
    data: Data = Data()
    training: Steps = Steps()
    checks: Checks = Checks()

    @classmethod
    def load(
        cls, presets: Sequence[str] = (), file: Path | None = None, **over: dict[str, Any]
    ) -> Self:
        """The default, then each preset over it, then the file, then sections given as words.

        >>> Config.load(["fragment"], training={"quantize": "nf4"}).training.quantize
        'nf4'

        Raises ConfigError with the preset or file, the setting, and what is expected.
        """
        settings: dict[str, Any] = {}
        for name in (DEFAULT, *presets):
            _lay_over(settings, tomllib.loads(preset(name)), name)
        where = "the presets " + ", ".join(presets) if presets else "the default"
        if file is not None:
            where = str(file)
            _lay_over(settings, _read(file), where)
        _lay_over(settings, over, where)
        return cls.read(settings, where)

    @classmethod
    def read(cls, settings: dict[str, Any], name: str) -> Self:
        """The configuration of some settings; ``name`` says in errors where they came from."""
        try:
            return cls.model_validate(settings)
        except ValidationError as error:
            problems = "\n".join(f"  {_problem(e)}" for e in error.errors())
            raise ConfigError(f"{name} has wrong settings:\n{problems}", hint=_HINT) from None

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of all settings, defaults included."""
        return json_hash(self.model_dump(mode="json"))


def presets() -> list[str]:
    """Names of the shipped presets."""
    found = (path.name for path in files("training.presets").iterdir())
    return sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml"))


def preset(name: str) -> str:
    """A shipped preset as its file says it, with its reasons. Raises ConfigError."""
    if name not in presets():
        raise ConfigError(
            f"there is no preset {name!r}", hint=f"There are: {', '.join(presets())}."
        )
    return (files("training.presets") / f"{name}.toml").read_text(encoding="utf-8")


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not TOML: {error}", hint=_HINT) from None


def _lay_over(settings: dict[str, Any], more: dict[str, Any], where: str) -> None:
    for name, value in more.items():
        if name in settings and not isinstance(value, dict):
            raise ConfigError(
                f"{where} has wrong settings:\n  {name}: expected a section [{name}], "
                f"not {value!r}",
                hint=_HINT,
            )
        settings[name] = settings[name] | value if name in settings else value


def _problem(error: Any) -> str:
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        return f"{key}: there is no such setting"
    return f"{key}: {error['msg']}, not {error['input']!r}"
