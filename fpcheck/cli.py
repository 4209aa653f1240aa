"""The command line: arguments in, exit code out. It wires the pipeline and decides nothing."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType
from typing import NoReturn, TypeAlias

from fpcheck import __version__
from fpcheck.errors import EXIT_UNCHECKED, EXIT_USAGE, FpcheckError, failure
from fpcheck.text import log_line

# Read when numpy is imported: our threads share the work, so BLAS must not start its own.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

_EXIT_CODES = """\
exit codes:
  0 pass, or pass with warnings
  1 the policy objects
  2 the input is wrong: an option, the policy, a reference file
  3 the check could not be done
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run fpcheck. Returns the exit code; expected errors go to standard error."""
    _take_any_character()
    arguments = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, _stop)
    try:
        return int(arguments.run(arguments))
    except BrokenPipeError:  # the reader of our output went away: nothing is left to tell it
        return EXIT_UNCHECKED
    except (Exception, KeyboardInterrupt) as error:
        return _explain(failure(error), verbose=arguments.verbose)
    finally:
        _settle()


def _take_any_character() -> None:
    """A log in ASCII shows what it has no character for by number, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _settle() -> None:
    """Drop what cannot be written: Python's own attempt on leaving would change the exit code."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _explain(error: FpcheckError, *, verbose: bool) -> int:
    with suppress(OSError):  # whatever becomes of the words, the exit code is what it is
        if verbose:
            import traceback

            traceback.print_exc()
        print(f"fpcheck: {log_line(error)}", file=sys.stderr)
        if error.hint:
            print(f"  {log_line(error.hint)}", file=sys.stderr)
    return error.exit_code


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors pass the log's sink: arguments may come from a workflow."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(EXIT_USAGE, f"fpcheck: {log_line(message)}\n")


Commands: TypeAlias = "argparse._SubParsersAction[_Parser]"


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="fpcheck",
        description="Does this checkpoint descend from a model that its release does not declare?",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"fpcheck {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for add in (_add_check, _add_fingerprint, _add_compare, _add_layouts, _add_library):
        add(commands)
    return parser


def _add_check(commands: Commands) -> None:
    parser = _command(commands, "check", "check a checkpoint against the library under a policy")
    parser.add_argument(
        "checkpoint",
        nargs="?",
        help="a folder, a .safetensors or .gguf file, or owner/name[@revision] on the Hugging Face "
        "Hub; default: the policy's",
    )
    _add_base_option(parser)
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="the policy; default: .github/fpcheck.yml, then fpcheck.yml, then built-in defaults",
    )
    _add_library_option(parser)
    parser.add_argument(
        "--output", metavar="FOLDER", help="write report.md, report.json and profile.svg there"
    )
    parser.add_argument(
        "--format",
        choices=("terminal", "markdown", "json"),
        default="terminal",
        help="what to print on standard output (default: terminal)",
    )
    parser.add_argument(
        "--deliver",
        choices=("github",),
        help="also set the step's outputs and summary, and comment on the pull request",
    )
    parser.add_argument(
        "--no-comment", action="store_true", help="deliver without the pull-request comment"
    )


def _add_fingerprint(commands: Commands) -> None:
    parser = _command(commands, "fingerprint", "write a checkpoint's signature")
    parser.add_argument("checkpoint", help="as for check")
    _add_base_option(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="FILE.json, and its arrays beside it in FILE.safetensors; default: the JSON alone, "
        "on standard output",
    )
    parser.add_argument(
        "--no-digest",
        action="store_true",
        help="do not hash the files; the signature then cannot prove equal digests",
    )


def _add_compare(commands: Commands) -> None:
    parser = _command(commands, "compare", "compare two checkpoints or signatures")
    for name in ("one", "other"):
        parser.add_argument(
            name,
            help="a checkpoint as for check, or a signature's JSON file with its arrays beside it",
        )
    parser.add_argument("--format", choices=("terminal", "json"), default="terminal")


def _add_layouts(commands: Commands) -> None:
    parser = commands.add_parser("layouts", help="look at how a checkpoint's tensors are read")
    actions = parser.add_subparsers(dest="action", required=True, metavar="action")
    explain = _command(actions, "explain", "show how each tensor is read", "layouts_explain")
    _add_base_option(explain)
    explain.add_argument("--format", choices=("terminal", "json"), default="terminal")
    explain.add_argument("--all", action="store_true", help="show every line, however many")
    record = _command(actions, "record", "write a header that a test can keep", "layouts_record")
    record.add_argument("-o", "--output", metavar="FILE", help="default: standard output")
    record.add_argument(
        "--layers",
        metavar="N",
        type=int,
        default=3,
        help="how many of each stack are kept (default: 3)",
    )
    record.add_argument(
        "--tower", metavar="NAME", help="whose slices are recorded (default: the text's largest)"
    )
    record.add_argument(
        "--slices", metavar="LAYER", type=int, help="of which of its layers (default: the first)"
    )
    for action in (explain, record):
        action.add_argument("checkpoint", help="as for check")


def _add_library(commands: Commands) -> None:
    parser = commands.add_parser("library", help="look at the references, and add to them")
    actions = parser.add_subparsers(dest="action", required=True, metavar="action")
    listing = _command(actions, "list", "one line a reference", "library_list")
    show = _command(actions, "show", "one reference as JSON", "library_show")
    show.add_argument("id", help="owner/name")
    verify = _command(actions, "verify", "check every file against the manifest", "library_verify")
    for action in (listing, show, verify):
        _add_library_option(action)
    add = _command(actions, "add", "measure a checkpoint and add it", "library_add")
    add.add_argument("checkpoint", help="as for check")
    add.add_argument("--to", metavar="FOLDER", required=True, help="the library's folder")
    add.add_argument("--id", metavar="OWNER/NAME", help="default: the checkpoint's Hub id")
    add.add_argument("--parent", metavar="OWNER/NAME", action="append", default=[])
    add.add_argument("--licence", metavar="SPDX-ID")
    add.add_argument("--note", default="", help="what a reader must know of its origin")
    add.add_argument(
        "--replace", action="store_true", help="replace a reference of the same id that differs"
    )


def _command(commands: Commands, name: str, text: str, function: str = "") -> _Parser:
    """A subcommand that runs the function of that name in `fpcheck.commands`."""
    parser = commands.add_parser(
        name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False
    )
    parser.add_argument("--verbose", action="store_true", help="show a traceback on errors")
    parser.set_defaults(run=lambda arguments: _run(function or name, arguments))
    return parser


def _run(function: str, arguments: argparse.Namespace) -> int:
    from fpcheck import commands  # numpy and the rest load here, so that --help is quick

    return int(getattr(commands, function)(arguments))


def _add_base_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--base",
        metavar="CHECKPOINT",
        help="the checkpoint is a PEFT adapter: what it makes of this base is measured",
    )


def _add_library_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--library",
        metavar="FOLDER",
        action="append",
        default=[],
        help="a folder of references to add to the built-in ones; may be repeated",
    )
