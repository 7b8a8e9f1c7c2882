"""From what a user writes to an embedder."""

from __future__ import annotations

from pathlib import Path

from anchors.embedding.base import Embedder
from anchors.embedding.cache import CachedEmbedder
from anchors.embedding.encoders import (
    EncoderEmbedder,
    LocalEmbedder,
    SentenceEmbedder,
    TableEmbedder,
)
from anchors.embedding.errors import EmbedderError
from anchors.embedding.hashed import HashedEmbedder

DEFAULT = "hashed"
_MODEL_FILES = ("modules.json", "config.json", "tokenizer.json")
"""A folder with none of these is no model."""


def open_embedder(name: str = DEFAULT, *, load: bool = True) -> Embedder:
    """The embedder of that name.

    - ``hashed``: lemmas and character n-grams; needs nothing;
    - ``http://HOST/v1#MODEL``, ``https://…``: an OpenAI-compatible endpoint;
    - a folder: a sentence-transformers model, a plain Hugging Face encoder, or a table of token
      vectors (``tokenizer.json`` and ``model.safetensors`` without an architecture);
    - any other name: a sentence-transformers model of the Hugging Face hub.

    :param load: False leaves a model in a folder to be loaded for the first text.
    :raises MissingExtra: what such a model needs is not installed.
    :raises EmbedderError: the name is empty, there is no such model or folder, the folder
        holds no whole model, or the address names none.
    """
    opened = _named(name)
    if load and isinstance(opened, LocalEmbedder):
        opened.load()
    return opened


def _named(name: str) -> Embedder:
    """The embedder of that name; one of a folder is not loaded yet."""
    if not name.strip():
        raise EmbedderError(
            "the name of an embedder is empty",
            hint=f"Write {DEFAULT}, a model's folder or name, or http(s)://HOST/v1#MODEL.",
        )
    if name == DEFAULT:
        return HashedEmbedder()
    if name.startswith(("http://", "https://")):
        from anchors.embedding.endpoint import EndpointEmbedder

        url, _, model = name.partition("#")
        if not model:
            raise EmbedderError(
                "the address of an embedder names no model", hint="Write http://HOST/v1#MODEL."
            )
        return EndpointEmbedder(url, model)
    folder = Path(name)
    _check(name, folder)
    if not folder.is_dir() or (folder / "modules.json").is_file():
        return SentenceEmbedder(name)
    table = folder / "tokenizer.json", folder / "model.safetensors"
    if all(path.is_file() for path in table) and not _has_architecture(folder):
        return TableEmbedder(*table)
    return EncoderEmbedder(folder)


def _check(name: str, folder: Path) -> None:
    """Raise EmbedderError for a path at which there is no model, before a library is needed."""
    if folder.is_dir():
        if not any((folder / file).is_file() for file in _MODEL_FILES):
            raise EmbedderError(
                f"the folder {name} holds no model",
                hint=f"Expected one of {', '.join(_MODEL_FILES)} in it.",
            )
    elif folder.exists():
        raise EmbedderError(f"{name} is a file", hint="Expected the folder of a model.")
    elif name.startswith((".", "/", "~")) or folder.is_absolute() or len(folder.parts) > 2:
        raise EmbedderError(
            f"there is no folder {name}",
            hint="Expected a model's folder, or its name on the Hugging Face hub.",
        )


def cached_embedder(name: str = DEFAULT) -> Embedder:
    """`open_embedder`, whose vectors are kept by content. Raises the same.

    A model in a folder that made some of them is loaded when a text comes that it has not seen.
    """
    opened = open_embedder(name, load=False)
    if isinstance(opened, HashedEmbedder):
        return opened  # hashing a text costs no more than looking it up
    cached = CachedEmbedder(opened)
    if isinstance(opened, LocalEmbedder) and not cached.knows_any:
        opened.load()  # what cannot be is said now, and not when a forest was read
    return cached


def _has_architecture(folder: Path) -> bool:
    """Whether the model is a network that transformers builds; model2vec's tables are none."""
    import orjson

    config = folder / "config.json"
    if not config.is_file():
        return False
    try:
        said = orjson.loads(config.read_bytes())
    except orjson.JSONDecodeError:
        return True
    return isinstance(said, dict) and said.get("model_type") not in (None, "model2vec")
