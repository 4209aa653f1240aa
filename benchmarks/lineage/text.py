"""The text to train on, found on any machine that has Python and PyTorch, and its tokenizers."""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from benchmarks.lineage.files import replaced

SIZE = 6_000_000  # characters of one corpus
VOCABULARY = 1024
SPECIAL = ["<unk>", "<s>", "</s>", "<pad>", "[MASK]"]
BREAK = "\n</s>\n"  # between documents
STDLIB = Path(sysconfig.get_paths()["stdlib"])
PACKAGES = Path(sysconfig.get_paths()["purelib"])
TRIPLE = re.compile(r'"""([^"]{200,})"""')
PROSE = ("*.rst", "*.md", "*.txt", "METADATA")


def shuffled(paths: list[Path]) -> list[Path]:
    """The paths in an order that depends on nothing but the paths."""
    order = np.random.default_rng(0).permutation(len(paths))
    ordered = sorted(paths)
    return [ordered[n] for n in order]


def sources() -> list[Path]:
    """The standard library's modules."""
    return [path for path in STDLIB.rglob("*.py") if "site-packages" not in path.parts]


def python() -> Iterator[str]:
    """Python source."""
    for path in shuffled(sources()):
        yield path.read_text("utf-8", "ignore")


def english() -> Iterator[str]:
    """English prose: documents of installed packages, then the docstrings of their modules."""
    for path in shuffled([path for name in PROSE for path in PACKAGES.rglob(name)]):
        yield path.read_text("utf-8", "ignore")[:50_000]
    for path in shuffled(sources() + list(PACKAGES.rglob("*.py"))):
        yield "\n\n".join(docstrings(path.read_text("utf-8", "ignore")))


def docstrings(source: str) -> Iterator[str]:
    """What a module says of itself in long texts."""
    for text in TRIPLE.findall(source):
        yield "\n".join(line.strip() for line in text.splitlines())


def cpp() -> Iterator[str]:
    """C++: the headers that PyTorch ships."""
    for path in shuffled(list((Path(torch.__file__).parent / "include").rglob("*.h"))):
        yield path.read_text("utf-8", "ignore")


CORPORA: dict[str, Callable[[], Iterator[str]]] = {"py": python, "en": english, "cpp": cpp}
OTHER = {"py": "en", "en": "py", "cpp": "py"}  # what a model goes on with


def corpus(name: str, cache: Path) -> Path:
    """The file that holds a corpus; made when it is first asked for."""
    path = cache / f"{name}.txt"
    if not path.exists():
        documents, size = [], 0
        for document in CORPORA[name]():
            documents.append(document)
            size += len(document)
            if size > SIZE:
                break
        with replaced(path) as partial:
            partial.write_text(BREAK.join(documents)[:SIZE], "utf-8")
    return path


def byte_level(vocabulary: int) -> tuple[Tokenizer, trainers.Trainer]:
    """Byte-level BPE, as GPT-2, NeoX, Llama 3 and Qwen have."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return tokenizer, trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=SPECIAL, initial_alphabet=alphabet
    )


def metaspace(vocabulary: int) -> tuple[Tokenizer, trainers.Trainer]:
    """BPE whose spaces are ▁, as SentencePiece writes them for Gemma and Llama 2."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))  # noqa: S106 — no password
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer, trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=SPECIAL, limit_alphabet=160
    )


def wordpiece(vocabulary: int) -> tuple[Tokenizer, trainers.Trainer]:
    """WordPiece in lower case, as BERT has."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))  # noqa: S106 — no password
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer, trainers.WordPieceTrainer(
        vocab_size=vocabulary, special_tokens=SPECIAL, limit_alphabet=160
    )


KINDS = {"bytes": byte_level, "spaces": metaspace, "words": wordpiece}


def tokenizer_of(name: str, cache: Path, vocabulary: int = VOCABULARY) -> Tokenizer:
    """The tokenizer of a name as `py-bytes`: of a corpus and of a kind."""
    path = cache / f"{name}-{vocabulary}.json"
    if not path.exists():
        of, kind = name.split("-")
        tokenizer, trainer = KINDS[kind](vocabulary)
        trainer.show_progress = False
        tokenizer.train([str(corpus(of, cache))], trainer)
        with replaced(path) as partial:
            tokenizer.save(str(partial))
    return Tokenizer.from_file(str(path))


def tokens(of: str, tokenizer: Tokenizer, label: str, cache: Path) -> torch.Tensor:
    """A corpus as token ids; `label` says which tokenizer it is, for the next time."""
    path = cache / f"{of}.{label}.npy"
    if not path.exists():
        text = corpus(of, cache).read_text("utf-8")
        pieces = [text[start : start + 20_000] for start in range(0, len(text), 20_000)]
        ids = [id_ for piece in tokenizer.encode_batch(pieces) for id_ in piece.ids]
        with replaced(path) as partial, partial.open("wb") as file:
            np.save(file, np.array(ids, np.int32))
    return torch.from_numpy(np.load(path).astype(np.int64))
