"""What the policy says to the facts: rules, their findings, and the verdict that they come to."""

from fpcheck.verdict.facts import Facts
from fpcheck.verdict.rules import RULE_KINDS, judge
from fpcheck.verdict.values import Finding, Outcome, Verdict

__all__ = ["RULE_KINDS", "Facts", "Finding", "Outcome", "Verdict", "judge"]
