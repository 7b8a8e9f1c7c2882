"""The base: a model and its tokenizer, prepared once, that all masks of a library stand on.

Preparing adds the corpus's codes as tokens and resizes the embeddings, once and for all: a mask
then holds low-rank matrices and the few new rows, and never a whole matrix of embeddings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import orjson

from training import tiny
from training.corpus import Corpus
from training.damage import damaged
from training.errors import BaseError, TrainingError
from training.examples import save_tokenizer
from training.files import folder_whole, json_hash, measure, to_json
from training.library import library, quiet
from training.logs import Tell
from training.memory import short_of_memory
from training.quantized import Bits, loading, rest
from training.tokens import (
    Unread,
    check_segmentation,
    require_read,
    reserved,
    single,
    unread,
)

FORMAT = "reasoning-forest base"
FORMAT_VERSION = 1
MANIFEST = "base.json"
_PREPARE = "Prepare one: forest base prepare MODEL OUT --corpus CORPUS"
_MODELS = "Expected a folder or a name of Hugging Face with safetensors, a GGUF file, or tiny:."
_AT_HUB = re.compile(r"(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*", re.ASCII)
"""A name at the hub: ``Qwen/Qwen3-1.7B``."""
_PATIENCE = 5
"""Seconds that the hub has to answer at all."""
_SPREAD = 0.1
"""How far new rows lie around the mean row, in standard deviations of the rows."""


class Base:
    """A prepared base that was found whole. Make one with `prepare` or `Base.open`."""

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self.path = path
        self.about = about
        """base.json as it stands: source, tokens, new_rows, seed, files, hash, tokenizer_hash;
        head_bias where the head has one, unread where its corpus says a little that it cannot
        read."""

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open the base in a folder; every file is checked against its hash.

        Raises BaseError where there is none, it is of a newer format, or a file was changed.
        """
        path = Path(path)
        about = _read(path)
        for name, told in about["files"].items():
            _check(path / name, told)
        return cls(path, about)

    @property
    def hash(self) -> str:
        """SHA-256 (hex) over all files of model and tokenizer."""
        return str(self.about["hash"])

    @property
    def tokenizer_hash(self) -> str:
        """SHA-256 (hex) over the tokenizer's files."""
        return str(self.about["tokenizer_hash"])

    @property
    def new_rows(self) -> list[int]:
        """Ids of the tokens that preparing added: the only rows of embeddings that may train."""
        return list(self.about["new_rows"])

    @property
    def name(self) -> str:
        """What the base was made of, for people."""
        return str(self.about["source"])

    @property
    def positions(self) -> int | None:
        """The longest text that the model was made for, in tokens; None where it does not say."""
        return positions_in(orjson.loads((self.path / "config.json").read_bytes()))

    @property
    def named(self) -> dict[str, Any]:
        """What a mask keeps of its base: source, hash, tokenizer_hash; head_bias if it has one."""
        told = {"source": self.name, "hash": self.hash, "tokenizer_hash": self.tokenizer_hash}
        return told | ({"head_bias": True} if self.about.get("head_bias") else {})

    def tokenizer(self) -> Any:
        """The tokenizer. Raises MissingExtra, BaseError."""
        return _load_tokenizer(self.path)

    def model(self, dtype: Any = "auto", bits: Bits = "none", device: Any = "cpu") -> Any:
        """The model, in evaluation. Raises MissingExtra, BaseError.

        :param dtype: a torch dtype; "auto" takes that of the files.
        :param bits: nf4 or int8 quantizes it as it is loaded; the files stay as they are.
        :param device: where a quantized model is put; any other stands on the processor.
        """
        return _load_model(self.path, dtype=dtype, **loading(bits, dtype, device))


def positions_in(config: dict[str, Any]) -> int | None:
    """The longest text that a model was made for, by its configuration, in tokens."""
    for settings in (config, config.get("text_config") or {}):
        for name in ("max_position_embeddings", "n_positions"):
            if isinstance(settings.get(name), int):
                return int(settings[name])
    return None


def require_positions(most: int | None, tokens: int, length: int = 0) -> None:
    """Raise TrainingError where a text and an answer to it are more tokens than a model reads.

    :param most: what `positions_in` said.
    :param length: of the answer at most. Its last token need not be read.
    """
    if most is None or tokens + max(0, length - 1) <= most:
        return
    answer = f" and its answer up to {length}" if length else ""
    shorter = f"Set --length {most - tokens + 1} at most, or ask" if tokens <= most else "Ask"
    raise TrainingError(
        f"a text has {tokens} tokens{answer}; the base reads {most} at most",
        hint=f"{shorter if length else 'Ask'} with a shorter text, or take a base that reads more.",
    )


def prepare(
    model: str,
    out: Path | str,
    corpus: Corpus | None = None,
    *,
    seed: int = 0,
    steps: int = 0,
    progress: Tell | None = None,
) -> Base:
    """Write a base into the folder ``out``, which must not hold anything yet.

    :param model: a folder or name of Hugging Face, a GGUF file, a prepared base to add more names
        to, or ``tiny:`` (byte-level BPE) or ``tiny:sentencepiece``: a small model without any
        knowledge, its tokenizer made from the corpus.
    :param corpus: its codes, glyphs and jump marker become single tokens.
    :param seed: of the new rows, and of a tiny model's weights.
    :param steps: for a tiny model: how long it reads the corpus's paths, all its weights in
        training, so that it knows the trees as islands. 0: it knows nothing.
    :param progress: is told of every such step what a line of a training's log says.

    Raises BaseError, CorpusError, MissingExtra.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BaseError(
            f"{out} exists and is not empty", hint="Nothing was written. Name a new folder."
        )
    if steps and not model.startswith("tiny:"):
        raise BaseError(
            f"{model} is trained already: only a tiny: base learns as it is made",
            hint="Leave --steps out.",
        )
    names = reserved(corpus) if corpus else []
    network, tokenizer = _source(model, corpus, seed)
    require_read(tokenizer, len(network.get_input_embeddings().weight), corpus, model)
    rows = add_tokens(tokenizer, names, corpus)
    missed = unread(corpus, tokenizer) if corpus else Unread()
    if corpus is not None:
        missed.require(corpus, model)
    _resize(network, len(tokenizer), rows, seed)
    _require_numbers(network, model)
    if steps and corpus is not None:
        tiny.learn(network, tokenizer, corpus, steps, seed, progress)
    with folder_whole(out) as folder:
        network.save_pretrained(folder, safe_serialization=True)
        save_tokenizer(tokenizer, folder)
        rows = sorted({*rows, *_inherited(model)})
        about = _describe(folder, model, tokenizer, names, rows, seed)
        if getattr(network.get_output_embeddings(), "bias", None) is not None:
            about["head_bias"] = True
        if missed.unknown:
            about["unread"] = missed.said
        (folder / MANIFEST).write_bytes(to_json(about))
    return Base(out, about)


def add_tokens(tokenizer: Any, names: Sequence[str], corpus: Corpus | None = None) -> list[int]:
    """Make every name one token; what the tokenizer reads as one already stays as it is.

    Returns the ids that are new. A sign that the vocabulary holds keeps its id, and so its row.

    Raises BaseError where a name cannot be made whole in the corpus, CorpusError where a text is
    ambiguous.
    """
    added_token = library("tokenizers").AddedToken
    known = set(tokenizer.get_vocab().values())

    def add(some: Iterable[str]) -> None:
        tokenizer.add_tokens([added_token(n, normalized=False, special=False) for n in some])

    add(name for name in names if not single(tokenizer, name))
    if corpus is not None:
        torn = check_segmentation(corpus, tokenizer, names)
        add(sorted(torn))
        if torn and (torn := check_segmentation(corpus, tokenizer, names)):
            raise BaseError(
                f"the tokenizer tears {', '.join(sorted(torn))} in texts of {corpus.path}",
                hint="Its normalizer changes them: choose another base.",
            )
    return sorted(set(tokenizer.get_vocab().values()) - known)


# --- where the model comes from -------------------------------------------------------------------


def _source(model: str, corpus: Corpus | None, seed: int) -> tuple[Any, Any]:
    if not model.strip():
        raise BaseError("no model is named", hint=_MODELS)
    kind = model.removeprefix("tiny:")
    if kind == model:
        if model.lower().endswith(".gguf"):
            return _from_gguf(Path(model))
        where = _found(model)
        return _load_whole(where), _load_tokenizer(where)
    if corpus is None:
        raise BaseError(
            f"{model} makes its tokenizer from a corpus, and none is given",
            hint=f"forest base prepare {model} OUT --corpus CORPUS",
        )
    return tiny.make(kind, list(_all_texts(corpus)), seed)


def _found(model: str) -> str:
    """Where a model is loaded from that is named by a folder or at the hub.

    The hub's client asks again for most of a minute where nothing answers. So it is asked once, and
    without an answer its cache is looked at alone.

    Raises BaseError where there is no such folder, and no such name can be or is in the cache.
    """
    if Path(model).exists():
        return model
    if not _AT_HUB.fullmatch(model):
        raise BaseError(f"there is no folder {model}", hint=_MODELS)
    hub = library("huggingface_hub.constants")
    try:
        if not hub.HF_HUB_OFFLINE:
            library("huggingface_hub.utils").get_session().head(hub.ENDPOINT, timeout=_PATIENCE)
            return model
    except Exception:  # noqa: BLE001 - whatever its client raises: it does not answer
        pass
    try:
        return str(library("huggingface_hub").snapshot_download(model, local_files_only=True))
    except OSError:
        raise BaseError(
            f"the model {model} cannot be loaded: there is no such folder, no copy in the cache of "
            "the hub, and no answer from it",
            hint=_MODELS,
        ) from None


def _all_texts(corpus: Corpus) -> Iterator[str]:
    from training.tokens import plain, texts

    for record in corpus.records():
        yield from map(plain, texts(record))


def _from_gguf(file: Path) -> tuple[Any, Any]:
    """The model of a GGUF file, its weights unpacked, and its tokenizer."""
    library("gguf", "gguf")
    if not file.is_file():
        raise BaseError(f"there is no file {file}")
    reader = library("transformers.modeling_gguf_pytorch_utils")
    if hasattr(reader, "tqdm"):  # it draws its bar into files, too, whatever it was told
        reader.tqdm = partial(library("tqdm.auto").tqdm, disable=None)
    config = getattr(library("transformers"), "GgufConfig", None)  # older ones always unpack
    whole = {"quantization_config": config(dequantize=True)} if config else {}
    return (
        _load_whole(file.parent, gguf_file=file.name, **whole),
        _load_tokenizer(file.parent, gguf_file=file.name),
    )


def _load_tokenizer(path: Path | str, **options: Any) -> Any:
    tokenizer = _loaded("AutoTokenizer", path, **options)
    if not tokenizer.is_fast:
        raise BaseError(
            f"the tokenizer of {path} cannot say where in the text its tokens stand",
            hint="Expected one with a tokenizer.json (a fast tokenizer).",
        )
    return tokenizer


def _load_whole(path: Path | str, **options: Any) -> Any:
    """A model all of whose weights are there: those that are missing would be drawn at random."""
    network, told = _load_model(path, output_loading_info=True, **options)
    if missing := sorted(told["missing_keys"]):
        raise BaseError(
            f"the model {Path(path, options.get('gguf_file', ''))} lacks {len(missing)} of its "
            f"weights, the first is {missing[0]}",
            hint="Nothing was written. Copy the model again, with all its files.",
        )
    return rest(network)


def _load_model(path: Path | str, *, dtype: Any = "auto", **options: Any) -> Any:
    how = {"dtype": dtype, "use_safetensors": True} | options
    found = _loaded("AutoModelForCausalLM", path, **how)
    return found if isinstance(found, tuple) else rest(found)


def _loaded(what: str, path: Path | str, **options: Any) -> Any:
    transformers = library("transformers")
    try:
        with quiet():
            return getattr(transformers, what).from_pretrained(
                path, trust_remote_code=False, **options
            )
    except Exception as error:
        if isinstance(error, TrainingError) or short_of_memory(error):
            raise
        raise _unloadable(Path(path), options.get("gguf_file"), error) from error


def _unloadable(path: Path, gguf: str | None, error: Exception) -> BaseError:
    """What is wrong with a model, and with which file of it, where one can be told."""
    if found := damaged(path, gguf):
        file, why = found
        return BaseError(
            f"{file} is damaged: {why}",
            hint="Nothing was written. Its download or copy was cut off, or it is no such file: "
            "get it again, whole.",
        )
    first = str(error).strip().partition("\n")[0] or type(error).__name__
    return BaseError(f"the model {path / (gguf or '')} cannot be loaded: {first}", hint=_MODELS)


# --- new rows -------------------------------------------------------------------------------------


def _resize(network: Any, size: int, rows: Sequence[int], seed: int) -> None:
    """Give embeddings and head ``size`` rows at least, and the new ones seeded values.

    New are ``rows``, and those of a tokenizer that had more tokens than the model.
    """
    torch = library("torch")
    had = network.get_input_embeddings().weight.shape[0]
    rows = sorted({*rows, *range(had, size)})
    if size > had:
        network.resize_token_embeddings(size, mean_resizing=False)
    tables = {id(t.weight): t.weight for t in _tables(network)}
    with torch.no_grad():
        for table in tables.values():
            old = table[: size - len(rows)].float()
            mean, spread = old.mean(0), old.std(0)
            for row in rows:
                draw = torch.Generator().manual_seed(seed * 1_000_003 + row)
                noise = torch.randn(mean.shape, generator=draw)
                table[row] = (mean + _SPREAD * spread * noise).to(table.dtype)


def _require_numbers(network: Any, model: str) -> None:
    """Raise BaseError where rows hold what is no number: then a new one, their mean, does too."""
    torch = library("torch")
    if not all(bool(torch.isfinite(table.weight).all()) for table in _tables(network)):
        raise BaseError(
            f"the embeddings of {model} hold what is no number",
            hint="Nothing was written. Its weights are damaged: copy the model again.",
        )


def _tables(network: Any) -> list[Any]:
    tables = (network.get_input_embeddings(), network.get_output_embeddings())
    return [table for table in tables if table is not None]


def _inherited(model: str) -> list[int]:
    """The new rows of a base that is prepared once more, for a larger corpus: they train still."""
    prepared = not model.startswith("tiny:") and (Path(model) / MANIFEST).is_file()
    return Base.open(model).new_rows if prepared else []


# --- base.json ------------------------------------------------------------------------------------


def _describe(
    folder: Path, source: str, tokenizer: Any, names: Sequence[str], rows: list[int], seed: int
) -> dict[str, Any]:
    files = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        size, sha256 = measure(path)
        files[str(path.relative_to(folder))] = {"bytes": size, "sha256": sha256}
    hashes = {name: told["sha256"] for name, told in files.items()}
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "source": source if source.startswith("tiny:") else Path(source).name,
        "seed": seed,
        "tokens": list(names),
        "new_rows": rows,
        "vocabulary": len(tokenizer),
        "files": files,
        "hash": json_hash(hashes),
        "tokenizer_hash": json_hash({n: h for n, h in hashes.items() if "token" in n}),
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        about = orjson.loads((path / MANIFEST).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise BaseError(
            f"{path} is not a prepared base: it has no {MANIFEST}", hint=_PREPARE
        ) from None
    except OSError as error:
        raise BaseError(f"the base {path} cannot be read: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise BaseError(f"{path / MANIFEST} is not JSON: {error}", hint=_PREPARE) from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise BaseError(f"{path} is not a base of reasoning-forest", hint=_PREPARE)
    version = about.get("format_version")
    if not isinstance(version, int) or not 1 <= version <= FORMAT_VERSION:
        raise BaseError(
            f"the base {path} has format version {version}; this library reads up to "
            f"{FORMAT_VERSION}",
            hint="It was prepared by a newer reasoning-forest: upgrade this one.",
        )
    return about


def _check(path: Path, told: dict[str, Any]) -> None:
    prepare_again = (
        "The base was changed since it was prepared: prepare it again, or copy it again."
    )
    try:
        found = measure(path)
    except FileNotFoundError:
        raise BaseError(f"{path} is missing", hint=prepare_again) from None
    except OSError as error:
        raise BaseError(f"{path} cannot be read: {error.strerror}") from error
    if found != (told["bytes"], told["sha256"]):
        raise BaseError(f"{path} does not match its checksum", hint=prepare_again)
