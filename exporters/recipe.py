"""The recipe: every choice that shapes a corpus, read from a TOML file or from a manifest.

What each setting means, and why it has its default, stands beside it in `recipes/default.toml`.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from exporters.measure import Measure, Tokenizer, measure_of
from exporters.templates import TemplateProblem, check_template
from forest.errors import UsageError
from forest.language import is_language

Length = Annotated[int, Field(strict=True, le=1 << 40)]
"""In characters, or in tokens where the recipe names a tokenizer."""

Format = Literal["text", "messages", "prompt-completion", "sharegpt", "alpaca"]
"""How the records of the default configuration are said: see `exporters.formats`."""
FileForm = Literal["jsonl", "jsonl.zst", "parquet"]
"""What data files are, and what their names end in: see `exporters.files`."""


class _Section(BaseModel):
    # A default is a float where the setting is one, as if it were written: the hash is of both.
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


_LICENSE = re.compile(r"[a-z0-9]+([.+-][a-z0-9]+)*")


class CorpusSettings(_Section):
    """What the corpus is as a whole."""

    license: Annotated[str, Field(description="as on the dataset card")] = "unknown"
    validation: Annotated[
        float, Field(strict=True, ge=0, lt=1, description="share of tree families")
    ] = 0.05
    shard: Annotated[
        int, Field(strict=True, ge=1, le=1 << 60, description="bytes of a data file")
    ] = 1 << 28
    format: Format = "text"
    file: FileForm = "jsonl"

    @field_validator("license")
    @classmethod
    def _known_to_hubs(cls, value: str) -> str:
        if not _LICENSE.fullmatch(value):
            raise ValueError(
                "expected an identifier in small letters, as dataset cards have it: cc-by-4.0, "
                "apache-2.0, other, unknown"
            )
        return value


Share = Annotated[float, Field(strict=True, ge=0, le=1)]


class KindShares(_Section):
    """How many of the records of each kind are written: 0 none, 0.5 half of them, 1 all."""

    path: Share = 1
    fragment: Share = 1
    walk: Share = 1
    card: Share = 1
    expansion: Share = 1
    compression: Share = 1
    merge: Share = 1
    reverse: Share = 0
    bridge: Share = 0
    composite: Share = 0
    chain: Share = 0
    comparison: Share = 0
    preference: Share = 1
    stepwise: Share = 1

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not any(self.model_dump().values()):
            raise ValueError("every kind has the weight 0: expected at least one above it")
        return self


class AxisSettings(_Section):
    """Which trees are preferred, by the meaning axes they are bound to."""

    prefer: dict[str, Share] = {}
    others: Share = 1


class PathSettings(_Section):
    """Records that are windows of root-to-leaf paths."""

    overlap: Annotated[Length, Field(ge=0, description="said again in the next window")] = 400


class WalkSettings(_Section):
    """Records that jump between trees at shared anchors."""

    hops: Annotated[int, Field(strict=True, ge=1, le=1000, description="most jumps of a walk")] = 5
    pairs: Annotated[int, Field(strict=True, ge=1, le=1000, description="jumps per source")] = 1
    prefix: Annotated[Length, Field(ge=0, description="said before the first jump")] = 500
    continuation: Annotated[Length, Field(ge=0, description="said after a landing")] = 500
    premises: Annotated[Length, Field(ge=0, description="of a leaf, said after it")] = 0
    marker: Annotated[str, Field(min_length=1, max_length=64, description="where it jumps")] = "⤳"
    prefix_dropout: Literal["none", "tail", "part"] = "none"
    restate: Annotated[bool, Field(strict=True, description="say the anchor again")] = True
    named: Annotated[Share, Field(description="of the jumps, say where they go")] = 0
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


class FragmentSettings(_Section):
    """Records that open at an anchor."""

    premises: Annotated[Length, Field(ge=0, description="of a leaf, said before it")] = 0
    continuation: Annotated[Length, Field(ge=0, description="said from the anchor on")] = 500
    named: Annotated[Share, Field(description="said again, asked for by name")] = 0


class CardSettings(_Section):
    """Records that show an anchor with its continuations."""

    ways: Annotated[int, Field(strict=True, ge=2, le=1000, description="typically on a card")] = 4
    premises: Annotated[Length, Field(ge=0, description="of a leaf, said before it")] = 0
    continuation: Annotated[Length, Field(ge=0, description="said of each")] = 300


class ProbeSettings(_Section):
    """Jumps that are held out of training, to ask a model for them."""

    share: Annotated[Share, Field(description="of an anchor's pairs of thoughts")] = 0.1
    count: Annotated[int, Field(strict=True, ge=0, le=100_000, description="at most")] = 500
    distractors: Annotated[int, Field(strict=True, ge=1, le=100, description="of a probe")] = 9


class MarkSettings(_Section):
    """Kinds of thought that say whether their authors hold it, and on what it rests."""

    accepted: tuple[str, ...] = ("accepted", "принято")
    refuted: tuple[str, ...] = ("refuted", "rejected", "опровергнуто")
    conclusions: tuple[str, ...] = ("conclusion", "hypothesis")

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if both := set(self.accepted) & set(self.refuted):
            raise ValueError(f"{min(both)!r} is both accepted and refuted: expected one of them")
        return self


class Recipe(_Section):
    """All settings of an export. Frozen; `Recipe()` is the shipped default."""

    seed: Annotated[int, Field(strict=True, ge=0, lt=1 << 63)] = 0
    window: Annotated[Length, Field(ge=80, description="longest text of a record")] = 2000
    tokenizer: Tokenizer = None
    order: Literal["curriculum", "shuffled"] = "curriculum"
    budget: Annotated[Length, Field(ge=0, description="of the training split; 0: all")] = 0
    corpus: CorpusSettings = CorpusSettings()
    paths: PathSettings = PathSettings()
    walks: WalkSettings = WalkSettings()
    fragments: FragmentSettings = FragmentSettings()
    cards: CardSettings = CardSettings()
    probes: ProbeSettings = ProbeSettings()
    kinds: KindShares = KindShares()
    axes: AxisSettings = AxisSettings()
    marks: MarkSettings = MarkSettings()
    templates: dict[str, dict[str, str]] = {}

    @model_validator(mode="after")
    def _overlap_fits(self) -> Self:
        if self.paths.overlap > self.window // 2:
            raise ValueError(
                f"paths.overlap is {self.paths.overlap}: expected at most half of the window "
                f"({self.window // 2})"
            )
        return self

    @model_validator(mode="after")
    def _templates_fit(self) -> Self:
        for lang, texts in self.templates.items():
            if not is_language(lang) or not lang.partition("-")[0].islower():
                raise ValueError(f"templates.{lang}: expected a language such as ru or pt-BR")
            for kind, text in texts.items():
                try:
                    check_template(kind, text, self.walks.marker)
                except TemplateProblem as problem:
                    raise ValueError(f"templates.{lang}.{kind}: {problem}") from None
        return self

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """The recipe in a TOML file, or the one that a corpus with this manifest was made by.

        :raises UsageError: with the file, the key, and what is expected.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8-sig")
            if path.suffix == ".json":
                return cls._repeated(orjson.loads(text), path)
            settings = tomllib.loads(text + "\n")  # else an error in the last line names no line
        except OSError as error:
            raise UsageError(f"the recipe {path} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise UsageError(f"the recipe {path} is not UTF-8 text") from None
        except orjson.JSONDecodeError:
            raise UsageError(f"{path} is no manifest of a corpus: it is not JSON") from None
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"the recipe {path} is not TOML: {error}") from None
        if isinstance(name := settings.get("tokenizer"), str) and name:
            settings["tokenizer"] = str(path.parent / name)
        return cls.read(settings, str(path))

    @classmethod
    def _repeated(cls, manifest: Any, path: Path) -> Self:
        if not isinstance(manifest, dict) or not isinstance(manifest.get("recipe"), dict):
            raise UsageError(f"{path} is no manifest of a corpus: it holds no recipe")
        settings = dict(manifest["recipe"])
        name, _, sha256 = str(settings.pop("tokenizer", "")).rpartition(" ")
        if not name:
            return cls.read(settings, str(path))
        recipe = cls.read(settings | {"tokenizer": str(path.parent / name)}, str(path))
        if not recipe.tokenizer or recipe.tokenizer.sha256 != sha256:
            raise UsageError(
                f"{path.parent / name} is not the tokenizer by which {path} was made",
                hint=f"Put the one with the SHA-256 {sha256} there.",
            )
        return recipe

    @classmethod
    def find(cls, name: str) -> Self:
        """The recipe in a file, or a shipped one by its name. Raises UsageError."""
        shipped = shipped_recipes()
        if name in shipped and not Path(name).is_file():  # a folder may have the name, too
            return cls.read(tomllib.loads(shipped[name]), f"{name}.toml")
        if not Path(name).exists():
            raise UsageError(
                f"there is no recipe {name}: no such file, and none of that name is shipped",
                hint=f"Shipped are: {', '.join(shipped)}.",
            )
        return cls.load(Path(name))

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
        self.read({"seed": seed}, f"with seed {seed}")
        return self.model_copy(update={"seed": seed})

    def said_as(self, format: str | None = None, file: str | None = None) -> Self:
        """The same recipe with another format or form of files; None keeps its own.

        Raises UsageError.
        """
        other = {n: v for n, v in (("format", format), ("file", file)) if v is not None}
        read = self.read({"corpus": self.corpus.model_dump() | other}, f"with {other}")
        return self.model_copy(update={"corpus": read.corpus})

    def measure(self) -> Measure:
        """What the lengths of this recipe are counted in. Raises UsageError, MissingExtra."""
        try:
            return measure_of(self.tokenizer)
        except ValueError as error:
            path = self.tokenizer.path if self.tokenizer else ""
            raise UsageError(f"the tokenizer {path} cannot be used: {error}") from None

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of the recipe as JSON with sorted keys, defaults and seed included."""
        told = orjson.dumps(self.model_dump(), option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(told).hexdigest()


def default_recipe() -> str:
    """The shipped default as its file says it, with the reason of every setting."""
    return shipped_recipes()["default"]


def shipped_recipes() -> dict[str, str]:
    """The texts of the recipes that come with the library, by name, the default first."""
    folder = files("exporters.recipes")
    names = sorted(f.name for f in folder.iterdir() if f.name.endswith(".toml"))
    texts = {
        name.removesuffix(".toml"): (folder / name).read_text(encoding="utf-8")
        for name in names
        if name != "templates.toml"
    }
    return {"default": texts.pop("default"), **texts}


def _problem(error: Any) -> str:
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        return f"{key}: there is no such setting"
    said = error["msg"].removeprefix("Value error, ")
    if error["type"] in ("model_type", "dict_type"):
        said = "expected a table"
    return f"{key}: {said}, not {error['input']!r}" if key else said
