"""Signature × library → matches with evidence."""

from fpcheck.comparison.index import ProfileIndex
from fpcheck.comparison.levels import Level
from fpcheck.comparison.match import Match, match

__all__ = ["Level", "Match", "ProfileIndex", "match"]
