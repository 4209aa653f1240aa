"""GGUF files, written by the format's own package."""

import pytest

pytest.importorskip("gguf", reason="the optional package gguf is not installed")
