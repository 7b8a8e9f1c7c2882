"""Vectors from models on this machine: sentence-transformers, Hugging Face encoders, tables."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from anchors.embedding.base import Rows, unit_rows
from anchors.embedding.errors import EmbedderError
from forest.errors import MissingExtra

BATCH = 32
_PATIENCE = 10.0
"""Seconds that the hub has to say whether it knows a model."""


def _missing(what: str, module: str | None, extra: str) -> MissingExtra:
    return MissingExtra(f"{what} needs the package {module}, which is not installed", extra)


def _fingerprint(folder: Path) -> str:
    """The hash of a model's files: the same folder with other weights is another embedder."""
    digest = sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".json", ".safetensors", ".bin", ".txt", ".model") and path.is_file():
            digest.update(f"{path.relative_to(folder)}\0".encode())
            with path.open("rb") as file:
                while part := file.read(1 << 20):
                    digest.update(part)
    return f"{folder.name}/{digest.hexdigest()[:32]}"


class SentenceEmbedder:
    """A model of sentence-transformers, by name or folder. Raises MissingExtra, EmbedderError."""

    def __init__(self, name: str) -> None:
        if find_spec("sentence_transformers") is None:
            raise _missing(f"the embedder {name!r}", "sentence_transformers", "embed")
        with _loading(name):
            _ask_for(name)  # first, for the import takes seconds
        try:
            with _without_kernels():
                from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise _missing(f"the embedder {name!r}", error.name, "embed") from error
        with _loading(name), _without_kernels(), _quiet():
            self._model = SentenceTransformer(name)
        commit = getattr(getattr(self._model[0], "auto_model", None), "config", None)
        self._fingerprint = (
            _fingerprint(Path(name))
            if Path(name).is_dir()
            else f"{name}/{getattr(commit, '_commit_hash', '')}"
        )

    @property
    def fingerprint(self) -> str:
        """The name with the revision, or a folder's name with the hash of its files."""
        return self._fingerprint

    def embed(self, texts: Sequence[str]) -> Rows:
        """One row for each text; see `Embedder.embed`."""
        if not texts:
            return np.zeros((0, 0), dtype=np.float32)
        rows = self._model.encode(list(texts), batch_size=BATCH, show_progress_bar=False)
        return unit_rows(rows, len(texts), self._fingerprint)


class EncoderEmbedder:
    """A plain encoder of Hugging Face in a folder: the mean of its last layer, padding left out.

    Raises MissingExtra, EmbedderError.
    """

    def __init__(self, folder: Path) -> None:
        try:
            with _without_kernels():
                import torch
                from transformers import AutoModel, AutoTokenizer
        except ImportError as error:
            raise _missing(f"the embedder {folder}", error.name, "embed") from error
        with _loading(str(folder)), _without_kernels(), _quiet():
            self._model = AutoModel.from_pretrained(folder).eval()
            self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._torch = torch
        self._longest = _longest(self._tokenizer, self._model.config)
        self._fingerprint = f"mean/{_fingerprint(folder)}"

    @property
    def fingerprint(self) -> str:
        """The folder's name with the hash of its files."""
        return self._fingerprint

    def embed(self, texts: Sequence[str]) -> Rows:
        """One row for each text; see `Embedder.embed`."""
        parts = [self._batch(list(texts[i : i + BATCH])) for i in range(0, len(texts), BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, 0), dtype=np.float32)

    def _batch(self, texts: list[str]) -> Rows:
        tokens = self._tokenizer(
            texts, padding=True, truncation=True, max_length=self._longest, return_tensors="pt"
        )
        with self._torch.inference_mode():
            states = self._model(**tokens).last_hidden_state
        mask = tokens["attention_mask"].unsqueeze(-1).to(states.dtype)
        mean = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
        return unit_rows(mean.float().cpu().numpy(), len(texts), self._fingerprint)


class TableEmbedder:
    """A table of token vectors (model2vec, WordLlama): the mean of a text's tokens.

    :param tokenizer: ``tokenizer.json`` of Hugging Face's tokenizers.
    :param weights: a safetensors file with one matrix of shape (tokens, dimensions).

    Raises MissingExtra, EmbedderError.
    """

    def __init__(self, tokenizer: Path, weights: Path) -> None:
        try:
            from safetensors.numpy import load_file
            from tokenizers import Tokenizer
        except ImportError as error:
            raise _missing(f"the embedder {weights}", error.name, "embed-table") from error
        with _loading(str(weights)):
            self._tokenizer: Any = Tokenizer.from_file(str(tokenizer))
            tables = [table for table in load_file(weights).values() if table.ndim == 2]
        if len(tables) != 1:
            raise EmbedderError(f"{weights}: expected one matrix, found {len(tables)}")
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._table = np.asarray(tables[0], dtype=np.float32)
        digest = sha256(tokenizer.read_bytes() + weights.read_bytes())
        self._fingerprint = f"table/{weights.stem}/{digest.hexdigest()[:32]}"

    @property
    def fingerprint(self) -> str:
        """The file's name with the hash of both files."""
        return self._fingerprint

    def embed(self, texts: Sequence[str]) -> Rows:
        """One row for each text; see `Embedder.embed`."""
        rows = np.zeros((len(texts), self._table.shape[1]), dtype=np.float32)
        tokens = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        for row, one in zip(rows, tokens, strict=True):
            if one.ids:
                row[:] = self._table[one.ids].mean(axis=0)
        return unit_rows(rows, len(texts), self._fingerprint)


def _longest(tokenizer: Any, config: Any) -> int:
    """How many tokens an encoder reads: its tokenizer may not know how long its table is."""
    positions = getattr(config, "max_position_embeddings", None)
    # Two less: some begin to count behind the padding (RoBERTa).
    return min(int(tokenizer.model_max_length), positions - 2 if positions else 512)


@contextmanager
def _loading(name: str) -> Iterator[None]:
    """Turn what a library raises at a model that it cannot load into an EmbedderError."""
    try:
        yield
    except Exception as error:  # the libraries raise bare Exceptions of their Rust code
        first = next(filter(None, map(str.strip, str(error).split("\n"))), type(error).__name__)
        raise EmbedderError(
            f"the embedder {name} cannot be loaded: {first}",
            hint="Expected a model's name on the Hugging Face hub, or the folder of one.",
        ) from error


def _ask_for(name: str) -> None:
    """Raise at once where a model is neither on this machine nor on the hub.

    The libraries that load it ask the hub for a dozen files, and again for each after a pause.
    """
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import RepositoryNotFoundError

    named = [name] if "/" in name else [name, f"sentence-transformers/{name}"]
    if Path(name).is_dir() or any(
        isinstance(try_to_load_from_cache(one, "config.json"), str) for one in named
    ):
        return
    for one in named:
        try:
            HfApi().model_info(one, timeout=_PATIENCE)
        except RepositoryNotFoundError:
            if one == named[-1]:
                raise
        else:
            return


@contextmanager
def _without_kernels() -> Iterator[None]:
    """Without what bitsandbytes says of kernels that training alone would use."""
    log = logging.getLogger("bitsandbytes.backends.cpu.ops")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the bars that transformers draws while it loads."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
