"""Finding anchors that authors did not mark, as proposals for review."""

from anchors.discovery.discover import DEFAULT_RULES, MOST, THRESHOLDS, Report, discover
from anchors.proposals import Proposal, proposals

__all__ = ["DEFAULT_RULES", "MOST", "THRESHOLDS", "Proposal", "Report", "discover", "proposals"]
