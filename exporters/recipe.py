"""The recipe: every choice that shapes a corpus, read from a TOML file.

What each setting means, and why it has its default, stands beside it in `recipes/default.toml`.
"""

from __future__ import annotations

import hashlib
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from forest.errors import UsageError

Characters = Annotated[int, Field(strict=True, le=1 << 40)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CorpusSettings(_Section):
    """What the corpus is as a whole."""

    license: Annotated[str, Field(min_length=1, description="as on the dataset card")] = "unknown"
    validation: Annotated[float, Field(ge=0, lt=1, description="share of tree families")] = 0.05
    shard: Annotated[
        int, Field(strict=True, ge=1, le=1 << 60, description="bytes of a data file")
    ] = 1 << 28


class PathSettings(_Section):
    """Records that are windows of root-to-leaf paths."""

    overlap: Annotated[Characters, Field(ge=0, description="said again in the next window")] = 400


class WalkSettings(_Section):
    """Records that jump between trees at shared anchors."""

    hops: Annotated[int, Field(strict=True, ge=1, le=1000, description="most jumps of a walk")] = 5
    prefix: Annotated[Characters, Field(ge=0, description="said before the first jump")] = 500
    continuation: Annotated[Characters, Field(ge=0, description="said after a landing")] = 500
    marker: Annotated[str, Field(min_length=1, max_length=64, description="where it jumps")] = "⤳"
    restate: Annotated[bool, Field(strict=True, description="say the anchor again")] = True
    hub_cap: Annotated[
        int, Field(strict=True, ge=0, le=1 << 60, description="most trees of an anchor")
    ] = 0

    @field_validator("marker")
    @classmethod
    def _visible(cls, value: str) -> str:
        if value != value.strip() or not value.isprintable():
            raise ValueError("expected visible characters without space around them")
        return value

    @field_validator("hub_cap")
    @classmethod
    def _not_one(cls, value: int) -> int:
        if value == 1:
            raise ValueError("expected 0 (all) or at least 2: a jump needs two trees")
        return value


class Recipe(_Section):
    """All settings of an export. Frozen; `Recipe()` is the shipped default."""

    seed: Annotated[int, Field(strict=True, ge=0, lt=1 << 63)] = 0
    window: Annotated[Characters, Field(ge=80, description="longest text of a record")] = 2000
    corpus: CorpusSettings = CorpusSettings()
    paths: PathSettings = PathSettings()
    walks: WalkSettings = WalkSettings()

    @model_validator(mode="after")
    def _overlap_fits(self) -> Self:
        if self.paths.overlap > self.window // 2:
            raise ValueError(
                f"paths.overlap is {self.paths.overlap}: expected at most half of the window "
                f"({self.window // 2})"
            )
        return self

    @classmethod
    def load(cls, path: Path) -> Self:
        """The recipe in a TOML file. Raises UsageError with the file, the key, what is expected."""
        try:
            settings = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"the recipe {path} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise UsageError(f"the recipe {path} is not UTF-8 text") from None
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"the recipe {path} is not TOML: {error}") from None
        return cls.read(settings, str(path))

    @classmethod
    def read(cls, settings: dict[str, Any], name: str) -> Self:
        """The recipe of some settings; ``name`` says in errors where they came from."""
        try:
            return cls.model_validate(settings)
        except ValidationError as error:
            problems = "\n".join(f"  {_problem(e)}" for e in error.errors())
            raise UsageError(
                f"the recipe {name} has wrong settings:\n{problems}",
                hint="`forest export --print-recipe` prints the default, which explains them all.",
            ) from None

    @classmethod
    def default(cls) -> Self:
        """The shipped recipe, from its file."""
        return cls.read(tomllib.loads(default_recipe()), "default.toml")

    def with_seed(self, seed: int | None) -> Self:
        """The same recipe with another seed; None keeps its own. Raises UsageError."""
        if seed is None:
            return self
        return self.read(self.model_dump() | {"seed": seed}, f"with seed {seed}")

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of the recipe as JSON with sorted keys, defaults and seed included."""
        told = orjson.dumps(self.model_dump(), option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(told).hexdigest()


def default_recipe() -> str:
    """The shipped recipe as its file says it, with the reason of every setting."""
    return (files("exporters.recipes") / "default.toml").read_text(encoding="utf-8")


def _problem(error: Any) -> str:
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        return f"{key}: there is no such setting"
    said = error["msg"].removeprefix("Value error, ")
    return f"{key}: {said}, not {error['input']!r}" if key else said
