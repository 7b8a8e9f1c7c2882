"""The settings of an experiment, from TOML: a shipped mode, then a file of one's own over it.

What each setting means, and why it has its value, stands beside it in ``modes/full.toml``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from exporters.recipe import Recipe, shipped_recipes
from exporters.records import KINDS
from forest.errors import UsageError
from training.behaviour.jumps import MEASURES
from training.files import json_hash
from training.scratch import Size

HELD_OUT, SEEN, UNSTITCHED = "held out", "seen", "unstitched"
"""Groups of questions: pairs that no record says together, pairs that walks show, and pairs at
anchors that no walk jumps at and no card names."""
ALONE, PLAIN = "emission without marker, any", "emission without marker, rate"
ASKED = (*MEASURES, ALONE, PLAIN)
"""All measures of an arm."""
MODES = ("quick", "full", "lora")
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(strict=True, ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Arm(_Section):
    """One layout of a corpus."""

    about: str = ""
    recipe: str
    shares: dict[str, Annotated[float, Field(gt=0)]] = {}
    ask: str = "{marker}"
    named: bool = False
    taught: bool = True
    shuffled: bool = False

    @model_validator(mode="after")
    def _known(self) -> Self:
        if unknown := self.shares.keys() - KINDS.keys():
            raise ValueError(f"there is no kind {min(unknown)!r}: expected {', '.join(KINDS)}")
        try:
            self.ask.format(marker="", anchor="")
        except (LookupError, ValueError):
            raise ValueError(f"ask = {self.ask!r}: expected {{marker}} and {{anchor}}") from None
        return self


class Threshold(_Section):
    """What an arm has to reach, declared before the run."""

    arm: str
    measure: str
    points: float
    over: str = ""
    group: Literal["held out", "seen", "unstitched"] = "held out"

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.measure not in ASKED:
            raise ValueError(f"there is no measure {self.measure!r}: expected {', '.join(ASKED)}")
        return self

    @property
    def said(self) -> str:
        """The threshold in words."""
        what = f"{self.arm}: {self.measure} ({self.group})"
        if not self.over:
            return f"{what} at least {self.points:g}%"
        more = f"at least {self.points:g} points" if self.points > 0 else "anything"
        return f"{what} beats {self.over} by {more}"


class Settings(_Section):
    """All settings of a run. Make one with `Settings.load`."""

    mode: Literal["quick", "full", "lora"]
    trees: Annotated[int, Field(strict=True, ge=0)] = 0
    exports: Count = 1
    held_out: Share = 0.5
    unstitched: Annotated[float, Field(ge=0, lt=1)] = 0.1
    probes: Count = 150
    samples: Annotated[int, Field(strict=True, ge=0)] = 5
    draws: Annotated[int, Field(strict=True, ge=0)] = 0
    seeds: Count = 1
    size: Size = Size()
    lora: dict[str, Any] = {}
    thresholds: tuple[Threshold, ...] = ()
    arms: dict[str, Arm]

    @model_validator(mode="after")
    def _recipes_are_there(self) -> Self:
        for arm in self.arms.values():
            recipe_of(arm.recipe, {})
        for said in self.thresholds:
            for name in filter(None, (said.arm, said.over)):
                if name not in self.arms:
                    raise ValueError(f"a threshold speaks of the arm {name!r}, which there is not")
        return self

    @classmethod
    def load(cls, mode: str = "quick", file: Path | None = None, **over: Any) -> Self:
        """The mode, then the file, then words: a section is laid over a section.

        :param over: ``seeds``, or ``only``: the names of the arms to run, all without it.

        Raises UsageError with the file, the setting, and what is expected.
        """
        if mode not in MODES:
            raise UsageError(f"there is no mode {mode!r}: expected {', '.join(MODES)}")
        settings = tomllib.loads(shipped("modes", mode))
        settings["arms"] = tomllib.loads(shipped("modes", "arms"))
        if file is not None:
            own = _read(file)
            if (other := own.get("mode", mode)) != mode:
                raise UsageError(
                    f"{file} says the mode {other!r}, and {mode!r} was asked for",
                    hint=f"Give --mode {other}, or leave it out of the file.",
                )
            for name, value in own.items():
                known = settings.get(name)
                laid = isinstance(value, dict) and isinstance(known, dict)
                settings[name] = {**(known or {}), **value} if laid else value
        only = over.pop("only", ())
        settings |= over
        told = cls._checked(settings, str(file or f"{mode}.toml"))
        return told.limited_to(only) if only else told

    @classmethod
    def _checked(cls, settings: dict[str, Any], name: str) -> Self:
        try:
            return cls.model_validate(settings)
        except ValidationError as error:
            problems = "\n".join(
                f"  {'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}"
                for e in error.errors()
            )
            raise UsageError(
                f"the experiment {name} has wrong settings:\n{problems}",
                hint="`forest experiment stitching --print-config` explains them all.",
            ) from None

    def limited_to(self, names: Sequence[str]) -> Self:
        """The same experiment with some of its arms.

        Raises UsageError where there is no such arm.
        """
        if unknown := [name for name in names if name not in self.arms]:
            raise UsageError(
                f"there is no arm {unknown[0]!r}", hint=f"There are: {', '.join(self.arms)}."
            )
        arms = {name: arm for name, arm in self.arms.items() if name in names}
        return self.model_copy(update={"arms": arms})

    def common(self) -> dict[str, Any]:
        """What is set in the recipe of every arm: all trees train, the same pairs are held out."""
        return {
            "corpus": {"validation": 0},
            "probes": {"share": self.held_out, "count": 100_000},
        }

    def of_an_answer(self) -> dict[str, Any]:
        """What may not change while a folder holds results; more arms and seeds may be added."""
        told = self.model_dump(mode="json", exclude={"arms", "seeds"})
        if not self.draws:
            del told["draws"]  # a folder that was begun before there was this setting goes on
        return told

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of `of_an_answer`."""
        return json_hash(self.of_an_answer())


def recipe_of(name: str, common: dict[str, Any]) -> Recipe:
    """The recipe of an arm with what is common to all over it. Raises UsageError."""
    own = files("experiments.recipes") / f"{name}.toml"
    if own.is_file():
        told = tomllib.loads(own.read_text(encoding="utf-8"))
    elif name in shipped_recipes() and not Path(name).exists():
        told = tomllib.loads(shipped_recipes()[name])
    else:
        told = Recipe.find(name).model_dump()
    for section, settings in common.items():
        told[section] = {**told.get(section, {}), **settings}
    return Recipe.read(told, name)


def shipped(folder: str, name: str) -> str:
    """The text of a shipped file: a mode, or what stands beside them."""
    return (files(f"experiments.{folder}") / f"{name}.toml").read_text(encoding="utf-8")


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file} is not TOML: {error}") from None
