"""Write the policy's JSON Schema anew from the table of fields: `python tools/write_schema.py`."""

from __future__ import annotations

import sys
from pathlib import Path

from fpcheck.policy.schema import SCHEMA_FILE, schema_text


def main() -> int:
    """Bring the published file, below the working directory, up to date with the table."""
    Path(SCHEMA_FILE).write_text(schema_text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
