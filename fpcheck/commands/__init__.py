"""What each command does: the effects around the pipeline, in order."""

from fpcheck.commands.checking import check
from fpcheck.commands.layouts import layouts_explain, layouts_record
from fpcheck.commands.libraries import library_add, library_list, library_show, library_verify
from fpcheck.commands.signatures import compare, fingerprint

__all__ = [
    "check",
    "compare",
    "fingerprint",
    "layouts_explain",
    "layouts_record",
    "library_add",
    "library_list",
    "library_show",
    "library_verify",
]
