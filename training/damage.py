"""Which file of a model cannot be read, as after a download or a copy that was cut off."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training.library import library


def damaged(path: Path, gguf: str | None = None) -> tuple[Path, str] | None:
    """The first file of a model that is not whole, and what is wrong with it; None: all are.

    Only what tells of a file's own contents is read: heads of safetensors and GGUF, and JSON.

    :param path: a folder; what is none has no damaged file.
    :param gguf: the name of the file in it that alone is the model.
    """
    if gguf is not None:
        return _tried(path / gguf, _read_gguf)
    for pattern, read in (("*.safetensors", _read_safetensors), ("*.json", _read_json)):
        for file in sorted(path.glob(pattern)):
            if found := _tried(file, read):
                return found
    return None


def _tried(file: Path, read: Callable[[Path], Any]) -> tuple[Path, str] | None:
    try:
        read(file)
    except Exception as error:  # noqa: BLE001 - each library raises what it likes
        return file, str(error).strip().partition("\n")[0] or type(error).__name__
    return None


def _read_safetensors(file: Path) -> None:
    with library("safetensors").safe_open(file, "np") as opened:
        opened.keys()


def _read_json(file: Path) -> None:
    json.loads(file.read_bytes())


def _read_gguf(file: Path) -> None:
    library("gguf", "gguf").GGUFReader(file)
