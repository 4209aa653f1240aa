"""Signatures to and from JSON, byte for byte reproducible."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from fpcheck.errors import UsageError
from fpcheck.layouts import Role
from fpcheck.signature import RECIPE, Moments, Signature, TowerProfile
from fpcheck.source import Origin, SourceFile

FORMAT = "fpcheck.signature/1"
