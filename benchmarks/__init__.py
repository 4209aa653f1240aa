"""Measurements of fpcheck itself: what they print is what README quotes."""
