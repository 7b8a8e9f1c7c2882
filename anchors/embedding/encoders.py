"""Vectors from models on this machine: sentence-transformers, Hugging Face encoders, tables."""

from __future__ import annotations

import logging
import os
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


_FILES = (
    *(".json", ".safetensors", ".bin", ".pt", ".pth"),
    *(".txt", ".model", ".bpe", ".vocab", ".spm", ".py"),
)
"""How files end that a model is made of here; what tells of it, such as README.md, is none."""
_RECIPE = b"2"
"""2: of folders that are whole (`_check_whole`)."""


def _files(folder: Path) -> list[Path]:
    """The files of a model in a folder, also behind links, in one order everywhere."""
    found = (
        Path(top, name) for top, _, names in os.walk(folder, followlinks=True) for name in names
    )
    return sorted(path for path in found if path.suffix in _FILES and path.is_file())


def _fingerprint(folder: Path) -> str:
    """The hash of a model's files: the same folder with other weights is another embedder."""
    digest = sha256(_RECIPE)
    for path in _files(folder):
        digest.update(f"{path.relative_to(folder)}\0".encode())
        with path.open("rb") as file:
            while part := file.read(1 << 20):
                digest.update(part)
    return f"{folder.name}/{digest.hexdigest()[:32]}"


class LocalEmbedder:
    """A model whose files lie in a folder. What it is, they say; it is loaded when it is needed.

    What was embedded by the same files before can be taken from a cache without loading it.
    """

    def __init__(self, name: str, fingerprint: str, folder: Path | None) -> None:
        self._name, self._folder = name, folder
        self._model: Any = None
        self._stamps = _stamps(folder)
        self._fingerprint = fingerprint

    @property
    def fingerprint(self) -> str:
        """A folder's name with the hash of its files; of a model of the hub name and revision."""
        return self._fingerprint

    def load(self) -> None:
        """Load it, unless that was done. Raises MissingExtra; EmbedderError where it cannot be."""
        if self._model is not None:
            return
        self._load()
        if _stamps(self._folder) != self._stamps:
            self._model = None
            raise EmbedderError(
                f"the embedder {self._name}: its files have changed since it was opened",
                hint="Open it again: with other files it is another embedder.",
            )

    def _load(self) -> None:
        raise NotImplementedError


def _stamps(folder: Path | None) -> list[tuple[str, int, int]]:
    """What changes when a file of the folder does."""
    stats = [(str(path), path.stat()) for path in _files(folder)] if folder else []
    return [(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats]


class SentenceEmbedder(LocalEmbedder):
    """A model of sentence-transformers, by name or folder. One of the hub is loaded at once.

    Raises MissingExtra, EmbedderError.
    """

    def __init__(self, name: str) -> None:
        folder = Path(name) if Path(name).is_dir() else None
        super().__init__(name, _fingerprint(folder) if folder else "", folder)
        if folder is None:
            self.load()
            config = getattr(getattr(self._model[0], "auto_model", None), "config", None)
            self._fingerprint = f"{name}/{getattr(config, '_commit_hash', '')}"

    def _load(self) -> None:
        name = self._name
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
            model = SentenceTransformer(name)
            if self._folder:
                network = getattr(model[0], "auto_model", None)
                _check_whole(network, getattr(model, "tokenizer", None))
        self._model = model

    def embed(self, texts: Sequence[str]) -> Rows:
        """One row for each text; see `Embedder.embed`."""
        if not texts:
            return np.zeros((0, 0), dtype=np.float32)
        self.load()
        rows = self._model.encode(list(texts), batch_size=BATCH, show_progress_bar=False)
        return unit_rows(rows, len(texts), self._fingerprint)


class EncoderEmbedder(LocalEmbedder):
    """A plain encoder of Hugging Face in a folder: the mean of its last layer, padding left out.

    Raises MissingExtra, EmbedderError.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder), f"mean/{_fingerprint(folder)}", folder)

    def _load(self) -> None:
        try:
            with _without_kernels():
                import torch
                from transformers import AutoModel, AutoTokenizer
        except ImportError as error:
            raise _missing(f"the embedder {self._name}", error.name, "embed") from error
        with _loading(self._name), _without_kernels(), _quiet():
            model = AutoModel.from_pretrained(self._folder).eval()
            self._tokenizer: Any = AutoTokenizer.from_pretrained(self._folder)
            _check_whole(model, self._tokenizer)
        self._torch: Any = torch
        self._longest = _longest(self._tokenizer, model.config)
        self._model = model

    def embed(self, texts: Sequence[str]) -> Rows:
        """One row for each text; see `Embedder.embed`."""
        self.load()
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


def _check_whole(network: Any, tokenizer: Any) -> None:
    """Raise EmbedderError where weights or a vocabulary are missing from a model's folder.

    The libraries load it all the same: they draw the weights that are missing at random, others
    each time, and make a tokenizer that knows no word.
    """
    from transformers import PreTrainedModel

    if not isinstance(network, PreTrainedModel):
        return
    size = getattr(network.config, "vocab_size", 0)
    if tokenizer is not None and len(tokenizer) * 2 < size:
        raise EmbedderError(f"its tokenizer knows {len(tokenizer):,} tokens, its network {size:,}")
    loaded: Any = type(network).from_pretrained(network.name_or_path, output_loading_info=True)
    # No vector comes from the pooler, and many models that are whole have none.
    missing = sorted(key for key in loaded[1]["missing_keys"] if ".pooler." not in f".{key}")
    if missing:
        raise EmbedderError(f"{len(missing)} of its weights are missing, the first is {missing[0]}")


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
        with _loading(str(tokenizer)):
            self._tokenizer: Any = Tokenizer.from_file(str(tokenizer))
        with _loading(str(weights)):
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
    """Without the bars that transformers draws while it loads, and its tables of weights."""
    from transformers.utils import logging

    shown, before = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if shown:
            logging.enable_progress_bar()
