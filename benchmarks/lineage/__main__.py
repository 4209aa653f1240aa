"""The command line of the lineage benchmark: one row of COMMANDS a subcommand."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

# Subcommand → the module with its options(parser) and its run(arguments), and what it does.
COMMANDS = {
    "train": ("benchmarks.lineage.zoo", "train the bases from scratch"),
    "derive": ("benchmarks.lineage.derive", "derive further checkpoints from the bases"),
    "score": (
        "benchmarks.lineage.score",
        "score every pair with fpcheck, the paper's statistic, raw weights and peers",
    ),
    "calibrate": (
        "benchmarks.lineage.calibrate",
        "write what strangers score as the library's calibration",
    ),
}


def main(arguments: list[str]) -> int:
    """Run one subcommand; the exit code counts what failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lineage", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    chosen = next((name for name in arguments if name in COMMANDS), None)
    for name, (module, words) in COMMANDS.items():
        command = commands.add_parser(name, help=words, description=words)
        if name == chosen:
            import_module(module).options(command)
    given = parser.parse_args(arguments)
    return min(1, import_module(COMMANDS[given.command][0]).run(given))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
