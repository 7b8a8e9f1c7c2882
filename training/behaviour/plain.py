"""Has a voice forgotten how to speak? Bits for each byte of plain text, whatever the tokenizer.

Each paragraph is read by itself after a line break; what is told is the mean over paragraphs of the
bits that a code made of the voice would need, for each byte of UTF-8.
"""

from __future__ import annotations

import random
import re
from importlib.resources import files
from pathlib import Path
from textwrap import wrap
from typing import NamedTuple

from training.behaviour.measures import Found, Scale
from training.behaviour.speaker import Speaker
from training.errors import TrainingError

LONGEST = 800
"""Characters of a paragraph; a longer one is cut between words."""
SHIPPED = {"Russian": "ru.txt", "English": "en.txt"}
BITS = "bits a byte"


_SCALES = {BITS: Scale("bits for each byte", share=False, more=False)}


class _Paragraph(NamedTuple):
    source: str
    text: str


class Plain:
    """The measure: see the module. Raises TrainingError where a file holds no text.

    :param file: plain text, paragraphs parted by empty lines; else the one that is shipped.
    :param most: paragraphs of each source.
    """

    key, title = "plain", "Forgetting, on plain text"
    scales = _SCALES

    def __init__(self, file: Path | None, most: int, seed: int) -> None:
        self._paragraphs: list[_Paragraph] = []
        for source, text in _sources(file):
            found = paragraphs(text)
            if not found:
                raise TrainingError(
                    f"{file or source} holds no text", hint="Name a file of paragraphs."
                )
            draw = random.Random(seed)
            some = draw.sample(found, most) if len(found) > most else found
            self._paragraphs += (_Paragraph(source, one) for one in some)
        what = f"of {file.name}" if file else "of the plain text that is shipped with the program"
        self.method = (
            f"The mean over paragraphs {what} of the bits that the voice needs for each byte, "
            "each paragraph by itself. More than the base needs is forgetting."
        )

    @property
    def questions(self) -> int:
        """How often the speaker answers."""
        return len(self._paragraphs)

    def ask(self, speaker: Speaker) -> list[Found]:
        """What a voice makes of all paragraphs."""
        bits = speaker.bits([one.text for one in self._paragraphs])
        return [
            Found(one.source, one.text, {BITS: needed / size}, one.text, [], [], needed / size)
            for one, needed in zip(self._paragraphs, bits, strict=True)
            for size in [len(one.text.encode())]
        ]


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a text, none longer than `LONGEST`."""
    parts = (" ".join(part.split()) for part in re.split(r"\n\s*\n", text))
    return [piece for part in parts for piece in wrap(part, LONGEST, break_on_hyphens=False)]


def _sources(file: Path | None) -> list[tuple[str, str]]:
    if file is None:
        shipped = files("training.behaviour") / "texts"
        return [(name, (shipped / path).read_text("utf-8")) for name, path in SHIPPED.items()]
    try:
        return [(file.name, file.read_text("utf-8"))]
    except OSError as error:
        raise TrainingError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise TrainingError(f"{file} is not UTF-8 text") from None
