"""At what moments the nights begin: a time on the clock, once a day."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Self
from zoneinfo import ZoneInfo

from forest.errors import UsageError


@dataclass(frozen=True)
class Schedule:
    """A time of the day in a time zone (none: the system's).

    It comes once on every day: where the clocks skip it, an hour later by the new clock; where
    they show it twice, the first time.
    """

    at: time = time(3)
    zone: tzinfo | None = None

    @classmethod
    def read(cls, at: str = "03:00", zone: str | None = None) -> Self:
        """From ``HH:MM`` and the name of a time zone, such as ``Europe/Moscow``.

        :raises UsageError: either is none.
        """
        if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", at):
            raise UsageError(f"{at!r} is no time of the day", hint="Write it as 03:00.")
        try:
            return cls(time.fromisoformat(at), ZoneInfo(zone) if zone else None)
        except (KeyError, ValueError, OSError):  # what ZoneInfo raises, by the form of the name
            raise UsageError(
                f"there is no time zone {zone!r} on this system",
                hint="Name one as Europe/Moscow or UTC; the system's package tzdata holds them.",
            ) from None

    def local(self, moment: datetime) -> datetime:
        """A moment by the clock of this time zone, in whole seconds."""
        return moment.astimezone(self.zone).replace(microsecond=0)

    def after(self, moment: datetime) -> datetime:
        """When the first night after a moment begins, in UTC."""
        return next(start for start in self._around(moment) if start > moment)

    def before(self, moment: datetime) -> datetime:
        """When the last night begins that does not begin after a moment, in UTC."""
        return [start for start in self._around(moment) if start <= moment][-1]

    def _around(self, moment: datetime) -> list[datetime]:
        today = self.local(moment).date()
        return [self._on(today + timedelta(days=days)) for days in (-2, -1, 0, 1, 2)]

    def _on(self, day: date) -> datetime:
        # Python compares two moments of one zone by what its clock shows: hence UTC. A time that is
        # skipped it reads in both ways, for the system's zone and a named one in other orders.
        folds = (self.at.replace(fold=fold) for fold in (0, 1))
        moments = [datetime.combine(day, at, self.zone).astimezone(UTC) for at in folds]
        shown = [moment for moment in moments if self.local(moment).time() == self.at]
        return min(shown) if shown else max(moments)
