"""The manifest: what a corpus is, what it was made from, and how to check that it is whole."""

from __future__ import annotations

import orjson
from pydantic import BaseModel, ConfigDict, Field

from exporters.recipe import Recipe

FORMAT = "reasoning-forest corpus"
FORMAT_VERSION = 1


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class JumpCoverage(_Part):
    """How the occurrences of shared anchors (a thought that carries one) take part in jumps."""

    occurrences: int = Field(0, description="of anchors that two or more trees of the split share")
    source_once: int = Field(0, description="occurrences that are the source of one jump")
    source_more: int = Field(0, description="of more: one tree has most of the anchor's thoughts")
    target_once: int = Field(0, description="occurrences that are the target of one jump")
    target_more: int = Field(0, description="of more than one jump")
    left_out: dict[str, int] = Field(
        default_factory=dict, description="occurrences in no jump, by reason"
    )


class SplitReport(_Part):
    """What one split holds and how much of its trees it covers."""

    trees: int = 0
    thoughts: int = 0
    steps: int = Field(0, description="edges from a thought to the next one below")
    steps_covered: int = Field(0, description="edges of which a record says both ends")
    characters: int = Field(0, description="of the trees' thoughts")
    tokens: int = Field(0, description="the same in tokens; 0 if the recipe names no tokenizer")
    languages: dict[str, int] = Field(default_factory=dict, description="trees by language")
    anchors: int = Field(0, description="carried by thoughts of the split")
    shared_anchors: int = Field(0, description="carried in two or more trees of the split")
    thoughts_covered: int = Field(0, description="thoughts in at least one record")
    thoughts_left_out: dict[str, int] = Field(default_factory=dict, description="by reason")
    jumps: JumpCoverage = Field(default_factory=JumpCoverage)
    records: dict[str, int] = Field(default_factory=dict, description="by kind")
    characters_out: dict[str, int] = Field(default_factory=dict, description="of text, by kind")
    tokens_out: dict[str, int] = Field(default_factory=dict, description="tokens, by kind")
    redundancy: float = Field(0.0, description="characters out per character of the trees")
    long_thoughts: int = Field(0, description="longer than the window: records of their own")
    long_records: dict[str, int] = Field(
        default_factory=dict,
        description="longer than the window, by kind; no thought and no walk is ever cut",
    )
    walks_by_jumps: dict[int, int] = Field(
        default_factory=dict, description="how many walks make so many jumps"
    )
    records_left_out: dict[str, int] = Field(default_factory=dict, description="by reason")


class DataFile(_Part):
    """A file of records, with what it must look like."""

    path: str = Field(description="relative to the corpus folder")
    config: str = Field("default", description="records with the same columns")
    split: str
    records: int
    bytes: int
    sha256: str


class TokenFile(_Part):
    """The file that lists what a tokenizer should keep whole."""

    path: str = Field(description="relative to the corpus folder")
    tokens: list[str]
    bytes: int
    sha256: str


class ProbeReport(_Part):
    """Stitches that are held out of training, and the file that asks for them."""

    held_out: int = Field(0, description="pairs of thoughts that no training record says together")
    probes: int = Field(0, description="of which so many are in the file")
    left_out: dict[str, int] = Field(
        default_factory=dict, description="those that are not, by reason"
    )
    unsaid: int = Field(
        0,
        description="probes of whose two thoughts and answer no training record says one: the"
        " budget or the recipe's weights left it out; the key is left out where there are none",
    )
    path: str | None = Field(None, description="relative to the corpus folder; None without probes")
    bytes: int = 0
    sha256: str | None = None


class LeftOut(_Part):
    """The file that lists what is in no training record: whole trees, or thoughts."""

    path: str = Field(description="relative to the corpus folder")
    trees: dict[str, int] = Field(description="whole trees, by reason")
    thoughts: dict[str, int] = Field(
        description="thoughts, those of the whole trees too, by reason"
    )
    bytes: int
    sha256: str


class Manifest(_Part):
    """Everything about a corpus. Written last: a folder without one is no corpus."""

    format: str = FORMAT
    format_version: int = FORMAT_VERSION
    forest_revision: str = Field(description="of the trees and axes that were read")
    recipe: Recipe = Field(description="all settings, the seed included")
    recipe_hash: str = Field(description="SHA-256 of the recipe as canonical JSON")
    seed: int
    united_anchors: int = Field(
        0,
        description="anchors that count as one with another; left out where there are none",
    )
    splits: dict[str, SplitReport]
    tokens: TokenFile
    probes: ProbeReport
    left_out: LeftOut
    files: list[DataFile]

    @property
    def records(self) -> int:
        """Number of records in all files."""
        return sum(file.records for file in self.files)

    def to_json(self) -> bytes:
        """The manifest as it stands in the folder: indented, keys sorted, no time in it."""
        options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
        told = self.model_dump(mode="json")
        for part, key in ((told, "united_anchors"), (told["probes"], "unsaid")):
            if not part[key]:
                del part[key]
        return orjson.dumps(told, option=options)
