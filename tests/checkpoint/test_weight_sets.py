"""Several sets of weights in one folder: a choice that the report states, or a clear error."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fpcheck.cli import main
from tests.checkpoints import llama, safetensors, write, write_sharded

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
Build = Callable[[Path], Any]


def put(*names: str, content: bytes = b"") -> Build:
    """Files of these names, with folders around them."""

    def build(folder: Path) -> None:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)

    return build


def weights(*names: str, seed: int = 1) -> Build:
    return put(*names, content=safetensors(llama(seed=seed)))


def modules(*entries: tuple[str, str]) -> Build:
    """sentence-transformers' table: the class and the path of each module."""
    table = [
        {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for n, (kind, path) in enumerate(entries)
    ]
    return put("modules.json", content=json.dumps(table).encode())


HEADS = (("Pooling", "1_Pooling"), ("Dense", "2_Dense"))
BELOW = weights("0_Transformer/model.safetensors", "2_Dense/model.safetensors")


def model(folder: Path) -> None:
    write(folder, llama())


def sharded(folder: Path) -> None:
    write_sharded(folder, llama())


def without(*names: str) -> Build:
    return lambda folder: [(folder / name).unlink() for name in names]


def renamed(pattern: str, replacement: str) -> Build:
    def build(folder: Path) -> None:
        for path in folder.glob("*safetensors*"):
            if path.suffix == ".json":
                path.write_text(path.read_text().replace(f'"{pattern}-', f'"{replacement}-'))
            path.rename(folder / path.name.replace(pattern, replacement))

    return build


def index_of(*names: str) -> Build:
    """An index that has every tensor in the first of these files."""

    def build(folder: Path) -> None:
        weight_map = dict.fromkeys(llama(), names[0])
        (folder / INDEX).write_text(json.dumps({"weight_map": weight_map}))

    return build


def fp16_sharded(folder: Path) -> None:
    """As transformers writes `save_pretrained(variant="fp16")` in shards."""
    sharded(folder)
    for name in (FIRST, SECOND):
        (folder / name).rename(folder / name.replace("model-", "model.fp16-"))
    text = (folder / INDEX).read_text().replace("model-", "model.fp16-")
    (folder / "model.safetensors.index.fp16.json").write_text(text)
    (folder / INDEX).unlink()


def built(folder: Path, *steps: Build) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for step in steps:
        step(folder)
    return folder


def report(folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The JSON report of a checkpoint that can be checked."""
    code = main(["check", str(folder), "--format", "json"])
    output = capsys.readouterr()
    assert code == 0, output.err
    return dict(json.loads(output.out))


# What lies in the folder, a part of the note ("" for none), and the files not looked into.
CHOSEN: dict[str, tuple[tuple[Build, ...], str, tuple[str, ...]]] = {
    "one file": ((model,), "", ()),
    "shards and their index": ((sharded,), "", ()),
    "an index of one file": ((model, index_of(SINGLE)), "", ()),
    "a variant beside it": (
        (model, weights("model.fp16.safetensors")),
        "'model.safetensors' was checked, as transformers loads it; not 'model.fp16.safetensors', "
        "loaded where variant='fp16' is asked for",
        ("model.fp16.safetensors",),
    ),
    "a variant in shards beside shards": (
        (fp16_sharded, sharded),
        f"'{INDEX}' was checked, as transformers loads it; not 'model.safetensors.index.fp16.json'",
        ("model.fp16-00001-of-00002.safetensors", "model.fp16-00002-of-00002.safetensors"),
    ),
    "a variant alone": (
        (model, renamed("model.", "model.fp16.")),
        "loaded where variant='fp16' is asked for",
        (),
    ),
    "a variant alone, in shards": ((fp16_sharded,), "variant='fp16'", ()),
    "Mistral's own file beside shards": (
        (sharded, weights("consolidated.safetensors")),
        "not 'consolidated.safetensors', which vLLM loads instead",
        ("consolidated.safetensors",),
    ),
    "Meta's own files below": (
        (sharded, put("original/consolidated.00.pth", "original/params.json")),
        "",
        ("original/consolidated.00.pth",),
    ),
    "other frameworks' files": (
        (model, put("pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "rust_model.ot")),
        "",
        ("flax_model.msgpack", "pytorch_model.bin", "rust_model.ot", "tf_model.h5"),
    ),
    "exports below": (
        (model, put("onnx/model.onnx", "openvino/openvino_model.bin", "last.ckpt", "m.gguf")),
        "",
        ("last.ckpt", "m.gguf", "onnx/model.onnx", "openvino/openvino_model.bin"),
    ),
    "a checkpoint of the training below": (
        (model, weights("checkpoint-500/model.safetensors")),
        "",
        ("checkpoint-500/model.safetensors",),
    ),
    "a sentence transformer": (
        (model, modules(("Transformer", ""), *HEADS), weights("2_Dense/model.safetensors")),
        "",
        ("2_Dense/model.safetensors",),
    ),
    "a sentence transformer without weights of heads": (
        (model, put("modules.json", "1_Pooling/config.json", content=b"not looked at")),
        "",
        (),
    ),
    "a model that modules do not name, below": (
        (model, modules(("Transformer", "."), *HEADS), weights("0_Transformer/a.safetensors")),
        "",
        ("0_Transformer/a.safetensors",),
    ),
    "a variant beside a pickled variant": (
        (model, renamed("model.", "model.fp16."), put("pytorch_model.fp16.bin")),
        "variant='fp16'",
        ("pytorch_model.fp16.bin",),
    ),
    "a model of diffusers beside its pickle": (
        (model, renamed("model.", "diffusion_pytorch_model."), put("diffusion_pytorch_model.bin")),
        "",
        ("diffusion_pytorch_model.bin",),
    ),
    "a default below": (
        (model, renamed("model.", "mine."), put("old/pytorch_model.bin")),
        "",
        ("old/pytorch_model.bin",),
    ),
    "a model of diffusers": (
        (model, renamed("model.", "diffusion_pytorch_model.")),
        "",
        (),
    ),
    "a model of diffusers in shards": (
        (sharded, renamed("model", "diffusion_pytorch_model")),
        "",
        (),
    ),
    "shards that name themselves complete": (
        (sharded, without(INDEX)),
        "taken for one whole, as they are numbered",
        (),
    ),
    "older shards that the index does not name": (
        (sharded, weights("model-00001-of-00003.safetensors")),
        "",
        ("model-00001-of-00003.safetensors",),
    ),
    "numbered shards beside a whole file": (
        (model, weights(FIRST, SECOND)),
        "",
        (FIRST, SECOND),
    ),
    "a name of one's own": ((model, renamed("model.", "mine.")), "", ()),
}


@pytest.mark.parametrize("name", CHOSEN)
def test_a_choice_is_made_and_stated(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps, note, others = CHOSEN[name]

    signature = report(built(tmp_path / "release", *steps), capsys)["signature"]

    notes = [said for said in signature["notes"] if "no tokenizer" not in said]
    assert note in " ".join(notes)
    assert bool(note) == bool(notes)
    unread = "a weight file that was not looked into"
    assert signature["unmeasured"] == [f"{other}: {unread}" for other in others]
    assert [len(tower["layers"]) for tower in signature["towers"]] == [10]


def test_the_default_is_what_is_measured_not_its_variant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = report(built(tmp_path / "alone", model), capsys)
    both = report(
        built(tmp_path / "both", model, weights("model.fp16.safetensors", "a.safetensors")), capsys
    )

    assert both["signature"]["towers"] == alone["signature"]["towers"]


PIPELINE = ("transformer", "vae", "text_encoder", "text_encoder_2")


def pipeline(folder: Path) -> None:
    """A pipeline as diffusers saves it."""
    put("model_index.json", "scheduler/scheduler_config.json", content=b"{}")(folder)
    write(folder / "text_encoder", llama())
    for name in PIPELINE:
        if name != "text_encoder":
            file = "diffusion_pytorch_model.safetensors"
            weights(f"{name}/{file}", f"{name}/{file.replace('.', '.fp16.', 1)}")(folder)


# What lies in the folder, and parts of what is said.
REFUSED: dict[str, tuple[tuple[Build, ...], tuple[str, ...]]] = {
    "a file and an index of others": (
        (model, sharded, model),
        (f"both {SINGLE} and {INDEX}", "which one", "transformers loads the file", "vLLM"),
    ),
    "shards that are not all there": (
        (sharded, without(INDEX, FIRST)),
        ("1 of 2 shards; missing: number 1", "incomplete"),
    ),
    "two of many shards": (
        (weights("model-00002-of-00009.safetensors", "model-00007-of-00009.safetensors"),),
        ("2 of 9 shards; missing: number 1, 3, 4 and 4 more",),
    ),
    "shards without end": (
        (weights("model-1-of-999999.safetensors"),),
        ("1 of 999,999 shards; missing: number 2, 3, 4 and 999,995 more",),
    ),
    "shards of no total": (
        (weights("model-00001-of-00000.safetensors"),),
        ("1 of 0 shards",),
    ),
    "shards counted from zero": (
        (weights("model-00000-of-00002.safetensors", FIRST),),
        ("2 of 2 shards; missing: number 2",),
    ),
    "a number twice": (
        (weights("model-1-of-2.safetensors", FIRST, SECOND),),
        ("shards of more than one set",),
    ),
    "shards of two sets": (
        (weights(FIRST, SECOND, "model-00001-of-00003.safetensors"),),
        ("shards of more than one set",),
    ),
    "an index without shards": (
        (sharded, without(FIRST, SECOND)),
        ("is not in the checkpoint", "incomplete"),
    ),
    "two names of one's own": (
        (weights("a.safetensors", "b.safetensors"),),
        ("2 safetensors files", "'a.safetensors', 'b.safetensors'", "none is"),
    ),
    "two variants and no default": (
        (weights("model.fp16.safetensors", "model.fp32.safetensors"),),
        ("2 safetensors files", "none is what loaders take"),
    ),
    "the defaults of two loaders": (
        (weights(SINGLE, "diffusion_pytorch_model.safetensors"),),
        ("2 safetensors files", "two are what loaders take"),
    ),
    "a pipeline": (
        (pipeline,),
        (
            "a pipeline of several models: 'text_encoder', 'text_encoder_2', 'transformer', 'vae'",
            "check each one of them: fpcheck check ",
            "/text_encoder",
        ),
    ),
    "a pipeline with a file of all": (
        (pipeline, weights("sd_xl_base_1.0.safetensors")),
        ("a pipeline of several models",),
    ),
    "a model in a sub-folder": (
        (weights("inner/model.safetensors"),),
        (
            "/release: no safetensors file at its top, and no .gguf, which is read, too",
            "there is 'inner/model.safetensors': name that folder or file",
        ),
    ),
    "a sentence transformer below": (
        (modules(("Transformer", "0_Transformer"), *HEADS), BELOW),
        (
            "modules.json: sentence-transformers loads the model from a sub-folder: '0_Tr",
            "/release/0_Transformer",
        ),
    ),
    "a sentence transformer below a decoy": (
        (model, modules(("Transformer", "0_Transformer"), *HEADS), BELOW),
        ("loads the model from a sub-folder: '0_Transformer'\n",),
    ),
    "a sentence transformer below a decoy, in words of its own": (
        (model, modules(("Dense", "./x/../0_Transformer/"), *HEADS), BELOW),
        ("loads the model from a sub-folder: '0_Transformer'\n",),
    ),
    "a sentence transformer that comes second": (
        (model, modules(("Pooling", ""), ("Transformer", "0_Transformer")), BELOW),
        ("loads the model from a sub-folder: '0_Transformer'\n",),
    ),
    "a pickled sentence transformer below a decoy": (
        (model, modules(("CLIPModel", "0")), put("0/pytorch_model.bin")),
        ("loads the model from a sub-folder: '0'",),
    ),
    "heads below a decoy of one's own name": (
        (weights("a.safetensors"), modules(("Transformer", ""), *HEADS), BELOW),
        ("loads the model from a sub-folder: '2_Dense'",),
    ),
    "a module outside": (
        (model, modules(("Transformer", "../other")), BELOW),
        ("modules.json: entry 0: path: '../other' is no folder",),
    ),
    "a module at the root": (
        (model, modules(("Transformer", "/other")), BELOW),
        ("path: '/other' is no folder",),
    ),
    "modules that are no list": (
        (model, put("modules.json", content=b"{}"), BELOW),
        ("modules.json: expected a list",),
    ),
    "modules that are no JSON": (
        (model, put("modules.json", content=b"[" * 100_000), BELOW),
        ("modules.json: JSON nested too deeply",),
    ),
    "modules that two readers read differently": (
        (model, put("modules.json", content=b'[{"path": "", "path": "0_Transformer"}]'), BELOW),
        ("'path' stands twice",),
    ),
    "modules without a path": (
        (model, put("modules.json", content=b'[{"type": "Transformer"}]'), BELOW),
        ("entry 0: expected an object with a path",),
    ),
    "modules that are too many": (
        (model, put("modules.json", content=b" " * 1_000_001), BELOW),
        ("more than the 1,000,000",),
    ),
    "a name of one's own beside the default of another form": (
        (weights("weights.safetensors"), put("pytorch_model.bin")),
        (
            "pytorch_model.bin is what transformers loads unasked, as there is no model.safet",
            "'weights.safetensors' is loaded by those who ask",
            "remove pytorch_model.bin, or convert it to model.safetensors",
            "or name the file to check",
        ),
    ),
    "a variant beside the default of another form": (
        (weights("model.fp16.safetensors"), put("pytorch_model.bin.index.json")),
        ("pytorch_model.bin.index.json is what transformers loads unasked",),
    ),
    "a variant in shards beside the default of another form": (
        (fp16_sharded, put("tf_model.h5")),
        ("tf_model.h5 is what transformers loads unasked",),
    ),
    "Mistral's own file beside the default of another form": (
        (weights("consolidated.safetensors"), put("flax_model.msgpack")),
        ("flax_model.msgpack is what transformers loads unasked",),
    ),
    "a variant of diffusers beside the default of another form": (
        (weights("diffusion_pytorch_model.fp16.safetensors"), put("diffusion_pytorch_model.bin")),
        ("diffusion_pytorch_model.bin is what diffusers loads unasked",),
    ),
    "the default of one loader beside that of another": (
        (model, put("diffusion_pytorch_model.bin")),
        ("diffusion_pytorch_model.bin is what diffusers loads unasked",),
    ),
    "shards without an index beside the default of another form": (
        (sharded, without(INDEX), put("pytorch_model.bin")),
        ("pytorch_model.bin is what transformers loads", f"add {INDEX}"),
    ),
    "an adapter beside a model": (
        (model, put("adapter_config.json", "adapter_model.safetensors", content=b"{}")),
        ("adapter_config.json is there beside 'model.safetensors'", "PEFT"),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_leaves_the_choice_open_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps, words = REFUSED[name]

    assert main(["check", str(built(tmp_path / "release", *steps))]) == 3

    error = capsys.readouterr().err
    assert len(error.splitlines()) == 2, "one line what, one line what to do"
    for word in words:
        assert word in error


@pytest.mark.parametrize("part", PIPELINE)
def test_each_model_of_a_pipeline_can_be_checked(
    part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = report(built(tmp_path / "release", pipeline) / part, capsys)

    assert len(found["signature"]["towers"]) == 1


def test_a_shard_by_itself_is_no_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    built(tmp_path, sharded)

    assert main(["check", str(tmp_path / FIRST)]) == 3
    assert "1 of 2 shards; missing: number 2" in capsys.readouterr().err


@pytest.mark.parametrize("file", [SINGLE, INDEX])
def test_either_of_two_sets_can_be_named(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    built(tmp_path, sharded, model)

    found = report(tmp_path / file, capsys)["signature"]

    named = {item["name"] for item in found["files"]} - {"config.json"}
    assert named == ({SINGLE} if file == SINGLE else {INDEX, FIRST, SECOND})
    assert not found["unmeasured"]


def test_a_file_that_is_named_is_all_that_is_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    built(tmp_path, model, renamed("model.", "mine."), put("pytorch_model.bin"))

    assert not report(tmp_path / "mine.safetensors", capsys)["signature"]["unmeasured"]


def test_a_link_beside_a_named_index_may_not_leave_the_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = built(tmp_path / "release", sharded, without(FIRST))
    (tmp_path / "secret.safetensors").write_bytes(safetensors(llama()))
    (folder / FIRST).symlink_to(tmp_path / "secret.safetensors")

    assert main(["check", str(folder / INDEX)]) == 3
    assert "symbolic link" in capsys.readouterr().err
