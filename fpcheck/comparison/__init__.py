"""Signature × library → matches with evidence."""
