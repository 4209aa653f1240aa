"""The action's inputs, turned into a call of fpcheck."""
