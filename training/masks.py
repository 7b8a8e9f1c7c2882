"""A mask: one file ``NAME.safetensors`` with all about it in its metadata, and a folder of them.

What is told of a mask is read from the file's head alone, without torch. Nothing is ever pickled.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import orjson

from training.base import Base
from training.corpus import Corpus
from training.errors import MaskError
from training.examples import save_tokenizer
from training.files import folder_whole, json_hash, partial, to_json, write_whole
from training.library import library

FORMAT = "reasoning-forest mask"
FORMAT_VERSION = 1
SUFFIX = ".safetensors"
WORN = "worn.txt"
"""The file of a folder that names the mask that is worn where none is named."""
BASE = "base"
"""The name of the voice without any mask."""
FOLDER = Path("masks")
"""Where masks are kept unless another folder is named."""
_VLLM_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""The ranks that vLLM reserves room for."""
_CHANGED = "It was changed since it was trained: copy it again, or train or merge it again."
_SWITCH = "Say what to wear: forest masks switch NAME, or forest masks switch base."
_KEY = "mask"
_ABOUT = "about_sha256"
"""Where a mask's metadata keeps the checksum of all the rest of it."""
_MOST = 100 << 20
"""Bytes of the longest head that is believed."""
_PASSPORT = (
    "а=a б=b в=v г=g д=d е=e ё=e ж=zh з=z и=i й=i к=k л=l м=m н=n о=o п=p р=r с=s т=t у=u ф=f х=kh "
    "ц=ts ч=ch ш=sh щ=shch ъ=ie ы=y ь= э=e ю=iu я=ia"
)
_LATIN = {pair[0]: pair[2:] for pair in _PASSPORT.split()}
_LATIN |= {letter.upper(): said.capitalize() for letter, said in _LATIN.items()}
_NOT_IN_NAMES = re.compile(r"[\s.,/\\:*?\"<>|]")
_UNSEEN = {"Cc", "Cf", "Co", "Cn", "Zl", "Zp"}
"""Unicode's categories of signs that nobody sees; names that look alike would be others."""


class Mask:
    """A mask as its file tells of it. Make one with `Mask.open` or by training."""

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self.path = path
        self.about = about
        """name, slug, base, corpus, config, lora, results, libraries; sha256, which is that of the
        tensors and not of the file; of a mask that was merged from others also merged."""

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read the head of a mask's file. Raises MaskError where it is none, or too new."""
        if path.stem == BASE:
            raise MaskError(
                f"{path} is called as the voice without a mask is",
                hint=f"Rename the file: {BASE!r} is taken.",
            )
        head, _ = _read(path)
        _require_length(path, head)
        try:
            about = orjson.loads(head["__metadata__"][_KEY])
        except (KeyError, TypeError, orjson.JSONDecodeError):
            about = None
        if not isinstance(about, dict) or about.get("format") != FORMAT:
            raise MaskError(f"{path} is not a mask of reasoning-forest")
        version = about.get("format_version")
        if not isinstance(version, int) or not 1 <= version <= FORMAT_VERSION:
            raise MaskError(
                f"the mask {path} has format version {version}; this library reads up to "
                f"{FORMAT_VERSION}",
                hint="It was trained by a newer reasoning-forest: upgrade this one.",
            )
        return cls(path, about)

    @property
    def name(self) -> str:
        """What it is called: as its file is, also where that was renamed after the training."""
        return spelled(self.path.stem)

    @property
    def slug(self) -> str:
        """Its name in ASCII."""
        return slug(self.name)

    @property
    def corpora(self) -> list[dict[str, Any]]:
        """The corpora that it was trained on: hash, forest_revision, recipe_hash, seed of each."""
        parts = self.about.get("merged", {}).get("of", ())
        every: list[dict[str, Any]] = [corpus for part in parts for corpus in part["corpora"]]
        return every or [self.about["corpus"]]

    def moved(self, corpus: Corpus) -> dict[str, tuple[str | None, str]]:
        """What a corpus has otherwise than the one that the mask was trained on: (then, now).

        Of forest_revision, recipe_hash and hash, its manifest's. Empty where they are the same; the
        hash alone differs where another version has exported the same forest by the same recipe.
        """
        now = {
            "forest_revision": corpus.manifest.get("forest_revision", ""),
            "recipe_hash": corpus.manifest.get("recipe_hash", ""),
            "hash": corpus.hash,
        }
        moved: dict[str, tuple[str | None, str]] = {}
        for then in self.corpora:
            for key, value in now.items():
                if then.get("hash") != now["hash"] and then.get(key) != value:
                    moved.setdefault(key, (then.get(key), value))
        return moved

    def verify(self, base: Base | None = None) -> None:
        """Raise MaskError unless it is what was trained, in one piece, and fits the base."""
        head, data = _read(self.path, whole=True)
        self._require_ranks()
        about = {key: value for key, value in self.about.items() if key != _ABOUT}
        if (
            _hash(head, data) != self.about["sha256"]
            or self.about.get(_ABOUT, said := json_hash(about)) != said
        ):
            raise MaskError(f"{self.path} does not match its checksum", hint=_CHANGED)
        if base is not None:
            self.require(base)

    def require(self, base: Base) -> None:
        """Raise MaskError where the mask was trained on another base than this one.

        Or where it fits none, as its tensors are not of the rank that its settings say.
        """
        self._require_ranks()
        told = self.about["base"]
        if told["hash"] == base.hash:
            return
        same = told["tokenizer_hash"] == base.tokenizer_hash
        raise MaskError(
            f"the mask {self.name} was trained on another base: {told['source']} "
            f"({told['hash'][:12]}); {base.path} is {base.name} ({base.hash[:12]}) with "
            f"{'other weights' if same else 'another tokenizer'}",
            hint="Give the base that it was trained on, or train it again on this one.",
        )

    @property
    def shapes(self) -> dict[str, list[int]]:
        """The shape of each tensor by name, read from the file's head."""
        head, _ = _read(self.path)
        return {name: one["shape"] for name, one in head.items() if name != "__metadata__"}

    def _require_ranks(self) -> None:
        lora = self.about["lora"]
        said = {lora["r"], *(lora.get("rank_pattern") or {}).values()}
        for name, shape in self.shapes.items():
            for side, place in ((".lora_A.", 0), (".lora_B.", 1)):
                if side in name and shape[place] not in said:
                    raise MaskError(
                        f"{self.path} is damaged: its settings say the rank {lora['r']}, its "
                        f"tensors are of rank {shape[place]}",
                        hint=_CHANGED,
                    )

    def tensors(self) -> dict[str, Any]:
        """The tensors by name, verified. Raises MaskError, MissingExtra."""
        self.verify()
        return dict(library("safetensors.torch").load_file(self.path))

    def lora_config(self) -> Any:
        """Its configuration for peft. Raises MissingExtra."""
        return library("peft").LoraConfig.from_peft_type(**self.about["lora"])

    def export(self, out: Path, base: Base | None = None, *, merged: bool = False) -> None:
        """Write it as peft's folder, or as a whole model that wears it for good.

        With a base its tokenizer is written, too: called plainly, it reads a text as `forest ask`
        does, so that what is served answers likewise.

        :param out: a folder that is missing or empty.
        :param base: needed for ``merged``; without it, checked if it is given.

        Raises MaskError, MissingExtra.
        """
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise MaskError(
                f"{out} exists and is not empty", hint="Nothing was written. Name a new folder."
            )
        if base is not None:
            self.require(base)
        tensors = self.tensors()
        with folder_whole(out) as folder:
            if base is not None:
                save_tokenizer(base.tokenizer(), folder)
            if merged:
                if base is None:
                    raise MaskError("a merged model needs the base: give it with --base")
                self._write_merged(folder, base)
                return
            where = str(base.path.resolve()) if base else None
            lora = self.about["lora"] | {"base_model_name_or_path": where}
            (folder / "adapter_config.json").write_bytes(to_json(lora))
            file = folder / "adapter_model.safetensors"
            library("safetensors.torch").save_file(tensors, file, metadata={"format": "pt"})

    def serving(self, out: Path) -> str:
        """How vLLM serves what `export` wrote to a folder, or why it cannot."""
        lora = self.about["lora"]
        if lora.get("trainable_token_indices") and self.about["base"].get("head_bias"):
            return (
                "neither peft nor vLLM speaks as it does: peft forgets the bias of the base's head "
                "beside rows of embeddings, vLLM refuses such rows: export it with --merged"
            )
        if lora.get("use_dora") or lora.get("trainable_token_indices"):
            why = "DoRA" if lora.get("use_dora") else "its rows of embeddings"
            return f"peft loads it; vLLM refuses {why}: for vLLM, export it with --merged"
        rank = next((r for r in _VLLM_RANKS if r >= lora["r"]), lora["r"])
        return (
            f"for vLLM: vllm serve BASE --enable-lora --max-lora-rank {rank} "
            f"--lora-modules {self.slug}={out}"
        )

    def _write_merged(self, folder: Path, base: Base) -> None:
        from training.voices import Voices

        merged = Voices(base, [self]).model.merge_and_unload()
        merged.save_pretrained(folder, safe_serialization=True)


def write_mask(path: Path, about: dict[str, Any], tensors: dict[str, Any]) -> Mask:
    """Write a mask in one step. The same tensors and words give the same bytes."""
    save = library("safetensors.torch").save
    blob = save(tensors)
    about = about | {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "sha256": _hash(*_split(path, blob)),
    }
    about[_ABOUT] = json_hash(about)
    told = orjson.dumps(about, option=orjson.OPT_SORT_KEYS).decode()
    write_whole(path, save(tensors, metadata={_KEY: told}))
    return Mask(path, about)


# --- names ----------------------------------------------------------------------------------------


def spelled(name: str) -> str:
    """A mask's name in its one spelling: NFC, and the increment sign (U+2206) as the letter Δ.

    >>> spelled("\u220642_logic") == "Δ42_logic"
    True
    """
    return unicodedata.normalize("NFC", name).replace("\u2206", "Δ")


def checked_name(name: str) -> str:
    """A mask's name in its one spelling. Raises MaskError with what is wrong.

    >>> checked_name("Δ42_logic")
    'Δ42_logic'
    """
    found = spelled(name)
    kinds = [unicodedata.category(sign) for sign in found]
    seen = kinds and _UNSEEN.isdisjoint(kinds) and not kinds[0].startswith("M")
    if not seen or _NOT_IN_NAMES.search(found) or found.startswith("-") or found == BASE:
        raise MaskError(
            f"{name!r} cannot name a mask",
            hint="Expected letters, digits, signs such as Δ or 🫧, '_' and '-', no dot, no comma, "
            "no space; 'base' is taken.",
        )
    if len(found.encode()) > 200:
        raise MaskError(f"the name {name[:40]!r}… is longer than 200 bytes")
    return found


def _checked_stem(path: Path) -> None:
    """Raise MaskError where a file's name, which its mask goes by, can name no mask."""
    try:
        checked_name(path.stem)
    except MaskError as error:
        raise MaskError(f"{path} has to be renamed: {error.message}", hint=error.hint) from None


def slug(name: str) -> str:
    """The name in ASCII, as a hub wants it; different names have different ones.

    Cyrillic is written as in passports (ICAO Doc 9303), other signs by their numbers. Where two
    names could become the same, as of letters written alike, it ends in a part of its hash.

    >>> slug("Δ42_logic"), slug("Δ42_тело"), slug("🫧"), slug("delta42_logic")
    ('delta42_logic', 'delta42_telo-fe7c7427', 'u1fae7', 'delta42_logic-7aebc3be')
    """
    words = re.findall("[A-Za-z0-9_-]+|.", name.replace("Δ", "delta"))
    parts = [_LATIN.get(w, w if w.isascii() else f"u{ord(w):04x}") for w in words]
    told = re.sub("(?<=[0-9a-f])(?=u[0-9a-f]{4})", "-", "".join(parts))
    alike = "delta|u[0-9a-f]{4}|-[0-9a-f]{8}$|[^\\x00-\\x7f][-0-9a-f]"
    if any(w in _LATIN for w in words) or re.search(alike, name.replace("Δ", "")):
        told += f"-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return told


class Library:
    """The masks of a folder."""

    def __init__(self, folder: Path | str = FOLDER) -> None:
        self.folder = Path(folder)

    @property
    def paths(self) -> list[Path]:
        """The files of all masks, by name. Raises MaskError where two have the same one."""
        found: dict[str, Path] = {}
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            # й, é and Δ have two encodings, and a folder may hold both: they look the same.
            name = spelled(path.stem)
            if name in found:
                raise MaskError(
                    f"{self.folder} holds two masks called {name}, encoded otherwise: "
                    f"{found[name].stem!a} and {path.stem!a}",
                    hint="Rename or remove the file of one of them.",
                )
            found[name] = path
        return list(found.values())

    def __iter__(self) -> Iterator[Mask]:
        """All masks by name. Raises MaskError where a file is none."""
        return map(Mask.open, self.paths)

    def readable(self) -> tuple[list[Mask], list[MaskError]]:
        """All masks by name, and what is wrong with files: those that are none, and their names.

        A mask whose file has a name that none may have is among the masks, and among what is wrong.
        """
        masks, wrong = [], []
        for path in self.paths:
            try:
                masks.append(Mask.open(path))
                _checked_stem(path)
            except MaskError as error:
                wrong.append(error)
        return masks, wrong

    def path(self, name: str) -> Path:
        """Where a mask of that name is kept, or would be. Raises MaskError for no name."""
        wanted = spelled(name)
        for path in self.paths:
            if spelled(path.stem) == wanted:
                _checked_stem(path)
        name = checked_name(name)
        for path in self.paths:
            if spelled(path.stem) == name:
                return path
        return self.folder / f"{name}{SUFFIX}"

    def open(self, name: str) -> Mask:
        """The mask of that name, or of that file. Raises MaskError where there is none."""
        file = Path(name)
        if name.endswith(SUFFIX) and (file.exists() or file.name != name):
            return Mask.open(file)
        path = self.path(name.removesuffix(SUFFIX))
        if path not in self.paths:
            there = ", ".join(p.stem for p in self.paths) or "none"
            raise MaskError(
                f"there is no mask {name!r} in {self.folder}", hint=f"There are: {there}."
            )
        return Mask.open(path)

    @property
    def worn(self) -> str:
        """The name of the mask that is worn where none is named, or base."""
        try:
            name = (self.folder / WORN).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return BASE
        except (OSError, UnicodeDecodeError) as error:
            raise MaskError(f"{self.folder / WORN} cannot be read: {error}", hint=_SWITCH) from None
        if name != BASE and not self.path(name).exists():
            raise MaskError(
                f"{self.folder / WORN} says to wear {name}, which is not there", hint=_SWITCH
            )
        return name

    def switch(self, name: str) -> None:
        """Wear the mask of that name where none is named; base takes it off. Raises MaskError."""
        if name == BASE:
            (self.folder / WORN).unlink(missing_ok=True)
        else:
            write_whole(self.folder / WORN, f"{self.open(name).path.stem}\n".encode())

    def remove(self, *names: str) -> list[Path]:
        """Remove masks, each with its log and checkpoint; returns what is gone.

        The mask itself goes last, so that an interrupted removal can be repeated. One that is worn
        is taken off. Raises MaskError, before anything is removed, where one of them is no mask.
        """
        paths = dict.fromkeys(self.open(name).path for name in names)
        gone = []
        for path in paths:
            if path.parent == self.folder and self.says_worn == path.stem:
                self.switch(BASE)
            for file in (*belongings(path), path):
                if file.exists():
                    file.unlink()
                    gone.append(file)
        return gone

    @property
    def says_worn(self) -> str | None:
        """The name of the mask that is worn and is there; None: no mask is."""
        try:
            return None if (name := self.worn) == BASE else name
        except MaskError:
            return None


def belongings(path: Path) -> list[Path]:
    """What training writes beside a mask: its log, its checkpoint, and any of them half written."""
    files = [path.with_suffix(".jsonl"), path.with_name(f".{path.stem}.checkpoint")]
    return [*files, *map(partial, (path, *files))]


# --- the file -------------------------------------------------------------------------------------


def _read(path: Path, *, whole: bool = False) -> tuple[dict[str, Any], bytes]:
    """The head of a safetensors file and, if asked for, the bytes after it."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if size > _MOST:
                raise MaskError(f"{path} is not a mask: it is no safetensors file")
            return _head(path, file.read(size)), file.read() if whole else b""
    except FileNotFoundError:
        if not path.is_symlink():
            raise MaskError(f"there is no mask {path}") from None
        raise MaskError(
            f"{path} is a link to {path.readlink()}, which is not there",
            hint="Remove the link, or put the mask back to where it was.",
        ) from None
    except OSError as error:
        raise MaskError(f"{path} cannot be read: {error.strerror}") from error


def _require_length(path: Path, head: dict[str, Any]) -> None:
    """Raise MaskError where a file was cut off, or goes on behind its tensors."""
    try:
        ends = [one["data_offsets"][1] for name, one in head.items() if name != "__metadata__"]
        with path.open("rb") as file:
            wanted = 8 + int.from_bytes(file.read(8), "little") + max(ends, default=0)
        found = path.stat().st_size
    except (OSError, TypeError, KeyError, IndexError):
        return  # what it is instead is said by who reads it
    if found != wanted:
        raise MaskError(
            f"{path} is damaged: it has {found:,} bytes, and says that there are {wanted:,}",
            hint=_CHANGED,
        )


def _split(path: Path, blob: bytes) -> tuple[dict[str, Any], bytes]:
    size = int.from_bytes(blob[:8], "little")
    return _head(path, blob[8 : 8 + size]), blob[8 + size :]


def _head(path: Path, told: bytes) -> dict[str, Any]:
    try:
        head = orjson.loads(told)
    except orjson.JSONDecodeError:
        head = None
    if not isinstance(head, dict):
        raise MaskError(f"{path} is not a mask: it is no safetensors file")
    return head


def _hash(head: dict[str, Any], data: bytes) -> str:
    """SHA-256 (hex) over names, types, shapes and bytes of all tensors."""
    told = {name: value for name, value in head.items() if name != "__metadata__"}
    digest = hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS))
    digest.update(data)
    return digest.hexdigest()
