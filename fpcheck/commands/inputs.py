"""What a user's words mean: a checkpoint, a signature, a policy, a library."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from fpcheck import reference, references
from fpcheck.check import fingerprint
from fpcheck.checkpoint.foreign import foreign
from fpcheck.commands.console import note, progress
from fpcheck.errors import CheckError, UsageError
from fpcheck.fields import parse_document
from fpcheck.policy import Policy
from fpcheck.policy.load import default_policy, find_policy, load_policy
from fpcheck.references import Library
from fpcheck.signature import Signature, arrays_file
from fpcheck.signature.file import MAX_BYTES, load
from fpcheck.source import Source, open_source
from fpcheck.source.local import INDEX


def open_checkpoint(word: str) -> Source:
    """The checkpoint that a word means: a path, else a Hub id.

    Raises CheckError for weights in a form that is not read; they are not opened.
    """
    if _is_json(word):
        raise UsageError(
            f"{word}: a JSON file, not a checkpoint",
            hint="name a checkpoint's folder; `fpcheck compare` takes signatures",
        )
    form = foreign(word)
    if form and _is_there(word):
        raise CheckError(f"{word}: {form.what}: {form.why}", hint=form.how)
    return open_source(word)


def open_base(word: str | None) -> AbstractContextManager[Source | None]:
    """The base of an adapter, where one is named."""
    return open_checkpoint(word) if word else nullcontext()


def measured(word: str, *, base: str | None = None, digest: bool = True) -> Signature:
    """A checkpoint's signature; a note tells of each part that could not be measured."""
    with progress() as shown, open_checkpoint(word) as source, open_base(base) as on:
        signature = fingerprint(source, base=on, digest=digest, progress=shown).signature
    require_measured(signature)
    for reason in signature.unmeasured:
        note(f"not measured: {reason}")
    return signature


def read_signature(word: str) -> Signature:
    """The signature in a signature's or reference's file, else that of a checkpoint."""
    if not _is_json(word):
        return measured(word)
    content = _content(Path(word))
    if parse_document(content, word).text("format") == reference.FORMAT:
        return reference.load(content, word, lambda: _arrays(word)).signature
    signature = load(content, word, lambda: _arrays(word))
    require_measured(signature)
    return signature


def read_policy(config: str | None) -> Policy:
    """The policy named, else the one found in the working directory, else the defaults."""
    if config:
        return load_policy(config)
    found = find_policy(Path())
    return load_policy(str(found)) if found else default_policy()


def read_library(folders: Iterable[str]) -> Library:
    """The built-in references and those of further folders."""
    return references.load_library([references.builtin_folder(), *folders])


def require_measured(signature: Signature) -> None:
    """Raises CheckError for a signature that says nothing."""
    if not signature.towers:
        raise CheckError(
            f"{signature.origin}: nothing could be measured: {'; '.join(signature.unmeasured)}"
        )


def _is_json(word: str) -> bool:
    is_index = INDEX.fullmatch(word) is not None
    return word.endswith(".json") and not is_index and os.path.isfile(word)  # noqa: PTH113 — never raises


def _is_there(word: str) -> bool:
    """Whether there is anything but a folder at a path."""
    return os.path.exists(word) and not os.path.isdir(word)  # noqa: PTH110, PTH112 — never raise


def _arrays(word: str) -> bytes:
    """The file of arrays beside a signature's."""
    return _content(Path(word.removesuffix(".json") + reference.ARRAYS), arrays_file.MAX_BYTES)


def _content(path: Path, limit: int = MAX_BYTES) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)  # one too many, so that the reader refuses it
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
