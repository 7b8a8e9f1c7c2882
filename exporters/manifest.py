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
    """How the occurrences of shared anchors (a thought that carries one) take part in jumps.

    Of the jumps that were made; a budget may leave out walks, and their jumps, after that.
    """

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
    characters: int = Field(0, description="of the trees' thoughts")
    languages: dict[str, int] = Field(default_factory=dict, description="trees by language")
    anchors: int = Field(0, description="carried by thoughts of the split")
    shared_anchors: int = Field(0, description="carried in two or more trees of the split")
    thoughts_covered: int = Field(0, description="thoughts in at least one record")
    thoughts_left_out: dict[str, int] = Field(default_factory=dict, description="by reason")
    jumps: JumpCoverage = Field(default_factory=JumpCoverage)
    records: dict[str, int] = Field(default_factory=dict, description="by kind")
    characters_out: dict[str, int] = Field(default_factory=dict, description="of text, by kind")
    redundancy: float = Field(0.0, description="characters out per character of the trees")
    long_thoughts: int = Field(0, description="longer than the window: records of their own")
    long_records: dict[str, int] = Field(
        default_factory=dict,
        description="longer than the window, by kind; no thought and no walk is ever cut",
    )
    walks_by_jumps: dict[int, int] = Field(
        default_factory=dict, description="how many walks make so many jumps"
    )


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
    files: list[DataFile]

    @property
    def records(self) -> int:
        """Number of records in all files."""
        return sum(file.records for file in self.files)

    def to_json(self) -> bytes:
        """The manifest as it stands in the folder: indented, keys sorted, no time in it."""
        options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
        none = None if self.united_anchors else {"united_anchors"}
        return orjson.dumps(self.model_dump(mode="json", exclude=none), option=options)
