"""``status.json``: how the last night went, for people and for monitoring."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, Self

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from exporters.folder import sync, write_synced
from forest.errors import ExportError, ForestError

FILE = "status.json"
FORMAT = "reasoning-forest nights"
GRACE = timedelta(hours=2)
"""How late a night may begin before that is trouble."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Failure(_Part):
    """Why a night failed."""

    kind: str = Field(description="class of the error; StoreUnavailable is the one that may pass")
    message: str
    hint: str | None = None

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """What an error says."""
        if isinstance(error, KeyboardInterrupt):
            return cls(kind="Interrupted", message="it was told to end")
        kind = type(error).__name__
        if isinstance(error, ForestError):
            return cls(kind=kind, message=error.message, hint=error.hint)
        return cls(kind=kind, message=str(error) or kind)


class Good(_Part):
    """The last night that ended well: the corpus that ``latest`` leads to."""

    corpus: str = Field(description="its folder, beside the status")
    ended: AwareDatetime
    records: int
    forest_revision: str
    manifest_sha256: str
    changed: bool = Field(description="false: the same bytes as those of the good night before")


class Status(_Part):
    """What is known about the nights of a folder."""

    format: str = FORMAT
    format_version: int = 1
    state: Literal["waiting", "running", "done", "failed", "interrupted"] = Field(
        "waiting", description="of the last night; waiting: none was there yet"
    )
    started: AwareDatetime | None = None
    ended: AwareDatetime | None = None
    tries: int = 0
    error: Failure | None = Field(None, description="of the last try, also while another one runs")
    notices: list[str] = Field(default_factory=list, description="what did not go well beside it")
    last_good: Good | None = None
    next_run: AwareDatetime | None = Field(None, description="by when the next night should begin")
    service: bool = Field(False, description="a service runs the nights, not a timer or a person")
    corpora: list[str] = Field(
        default_factory=list, description="folders that nights made; retention touches no other"
    )

    @classmethod
    def read(cls, out: Path) -> Self | None:
        """The status of the nights in a folder; None where there is none.

        :raises ExportError: there is one that no night wrote, or it cannot be read.
        """
        path = out / FILE
        try:
            status = cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ExportError(f"{path} cannot be read: {error.strerror}") from error
        except ValidationError:
            status = None
        if status is None or (status.format, status.format_version) != (FORMAT, 1):
            raise ExportError(
                f"{path} is not what this version of `forest nightly` writes",
                hint="Move it away. Corpora stay, and those of earlier nights stay for ever.",
            )
        return status

    def write(self, out: Path) -> None:
        """Write the file whole. Raises OSError."""
        part = out / f".{FILE}.part"
        write_synced(part, self.to_json())
        part.replace(out / FILE)
        sync(out)

    def to_json(self) -> bytes:
        """The status as it stands in its file."""
        options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        return orjson.dumps(self.model_dump(mode="json"), option=options)

    def trouble(self, now: datetime, held: bool) -> str | None:
        """What somebody should look at; None where all is well.

        :param held: whether a process works on the folder.
        """
        if self.state == "running" and not held:
            return f"the night that began {_clock(self.started)} was killed"
        if self.state == "failed":
            why = self.error.message if self.error else "no reason is known"
            return f"the night that began {_clock(self.started)} failed: {why}"
        if self.state == "interrupted":
            return f"the night that began {_clock(self.started)} was interrupted"
        if self.service and not held:
            return "the service does not run"
        if self.next_run and now > self.next_run + GRACE:
            return f"the night of {_clock(self.next_run)} did not begin"
        return None


def _clock(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M") if moment else "at an unknown time"
