"""fpcheck: does this checkpoint descend from a model that its release does not declare?"""

__version__ = "0.1.0"
