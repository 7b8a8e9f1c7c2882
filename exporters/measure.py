"""How long a text is: in characters, or in tokens of a tokenizer from a local file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from forest.errors import MissingExtra

Measure = Callable[[str], int]
"""The length of a text."""


class TokenizerFile(BaseModel):
    """A ``tokenizer.json``: known by its name and content, wherever it lies."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    sha256: str
    path: Path = Field(exclude=True)

    @classmethod
    def read(cls, path: Path) -> TokenizerFile:
        """The tokenizer in a file. Raises ValueError where it cannot be read."""
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ValueError(f"the file cannot be read: {error.strerror}") from None
        return cls(name=path.name, sha256=hashlib.sha256(content).hexdigest(), path=path)


def _tokenizer(value: Any) -> Any:
    if value in ("", None):
        return None
    if not isinstance(value, str | TokenizerFile):
        raise ValueError("expected the name of a file")
    return TokenizerFile.read(Path(value)) if isinstance(value, str) else value


Tokenizer = Annotated[
    TokenizerFile | None,
    BeforeValidator(_tokenizer),
    PlainSerializer(lambda file: "" if file is None else f"{file.name} {file.sha256}"),
]
"""A setting that names the file of a tokenizer, or "" for none."""


def measure_of(tokenizer: TokenizerFile | None) -> Measure:
    """Characters without a tokenizer, else its tokens without special ones.

    :raises MissingExtra: the package tokenizers is not installed.
    :raises ValueError: the file holds no tokenizer.
    """
    if tokenizer is None:
        return len
    try:
        import tokenizers
    except ModuleNotFoundError:
        raise MissingExtra(
            "lengths in tokens need the package tokenizers, which is not installed", "tokens"
        ) from None
    try:
        encode = tokenizers.Tokenizer.from_file(str(tokenizer.path)).encode
    except Exception as error:  # noqa: BLE001  (the library raises no narrower one)
        raise ValueError(f"it is no tokenizer: {error}") from None

    def tokens(text: str) -> int:
        return len(encode(text, add_special_tokens=False).ids)

    return lru_cache(maxsize=50_000)(tokens)
