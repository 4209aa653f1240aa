"""Putting a finished check where people and machines look; nothing here can change its outcome."""
