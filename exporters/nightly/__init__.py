"""A corpus every night: dated folders, a link to the newest good one, and a status file.

>>> from exporters.nightly import Nights, Schedule, Status
"""

from __future__ import annotations

from exporters.nightly.nights import Nights
from exporters.nightly.schedule import Schedule
from exporters.nightly.status import Status

__all__ = ["Nights", "Schedule", "Status"]
