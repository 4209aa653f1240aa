"""GPTQ: `qweight`, `qzeros`, `scales` and `g_idx`, as AutoGPTQ defined them and GPTQModel does.

Of a module with `in` × `out` channels and `groups` of input channels:
  qweight  I32 [in × bits / 32, out]      codes, packed along the input channels
  qzeros   I32 [groups, out × bits / 32]  zero points, packed along the output channels
  scales   F16 [groups, out]
  g_idx    I32 [in]                       the group of each input channel

Format "gptq" (the first) stores zero points less one, "gptq_v2" as they are. GPTQModel subtracts
and adds that one on whole words (`convert_gptq_v1_to_v2_format_module`), borrowing from the next
field where a zero point is 0; older readers differ there, among each other too. transformers loads
with GPTQModel.
"""

from __future__ import annotations

from collections.abc import Mapping

from fpcheck.checkpoint import Checkpoint
from fpcheck.encodings.found import Found
from fpcheck.encodings.groups import groups
from fpcheck.encodings.input_major import InputMajor
from fpcheck.encodings.modules import SCALES, UNQUANTISED, Module, UndecodableError, recognised
from fpcheck.encodings.packed import WORD, period, words_for
from fpcheck.encodings.qweights import Family, packing, qweights
from fpcheck.encodings.settings import Settings

BITS = (2, 3, 4, 8)
# Whether zero points are stored less one, by what the packing is called; silence means the first.
LESS_ONE: Mapping[str, bool] = {
    "": True,
    "gptq": True,
    "gptq_v2": False,
    "auto_round:auto_gptq": True,
    "auto_round:gptqmodel": False,
    "auto_round": False,
}


def gptq(checkpoint: Checkpoint) -> Found:
    """The matrices that GPTQ, or AutoRound in GPTQ's packing, has quantised."""
    found, said = qweights(checkpoint, Family.GPTQ)
    return recognised(found, lambda module: _coding(module, said))


def _coding(module: Module, said: Settings) -> InputMajor:
    less_one = _less_one(said)
    codes, zeros = (module.part(tail, ("I32",)) for tail in ("qweight", "qzeros"))
    scales, order = module.part("scales", SCALES), module.optional("g_idx", ("I32",))
    if said.stated("desc_act") is True and (order is None or not order.count):
        raise UndecodableError("desc_act says that channels are reordered, and g_idx is missing")
    if len(scales.shape) != 2 or codes.shape[1] != scales.shape[1]:
        raise UndecodableError(
            f"scales have shape {list(scales.shape)}, codes {list(codes.shape)}: not as in GPTQ"
        )
    count, out = scales.shape
    bits = _bits(module, said)
    channels = order.count if order and order.count else codes.shape[0] * WORD // bits
    if zeros.shape != (count, words_for(out, bits)) or codes.shape[0] != words_for(channels, bits):
        raise UndecodableError(
            f"qzeros have shape {list(zeros.shape)}: not that of {count} × {out} scales"
        )
    sizes = groups(count, channels, said.integer("group_size"), order)
    name = f"GPTQ, {bits} bits"
    return InputMajor(name, (out, channels), bits, sizes, codes, scales, zeros, less_one=less_one)


def _less_one(said: Settings) -> bool:
    name = packing(said, "checkpoint_format", "format")
    name = "marlin" if said.stated("is_marlin_format") is True else name
    if name not in LESS_ONE:
        raise UndecodableError(f"GPTQ as {name[:40]!r}, which fpcheck does not read: {UNQUANTISED}")
    return LESS_ONE[name]


def _bits(module: Module, said: Settings) -> int:
    """How many bits a code has: what the shapes allow, and of several what the settings say."""
    codes, zeros, scales = (module.tensors[tail] for tail in ("qweight", "qzeros", "scales"))
    order = module.tensors.get("g_idx")
    fitting = [
        bits
        for bits in BITS
        if zeros.shape[1:] == (words_for(scales.shape[1], bits),)
        and codes.shape[0] % period(bits)[0] == 0
        and (order is None or not order.count or codes.shape[0] == words_for(order.count, bits))
    ]
    stated = said.integer("bits", "w_bit")
    if stated in fitting:
        return stated
    if len(fitting) != 1:
        raise UndecodableError(
            f"the shapes of its tensors are those of no width, or of several: {fitting}"
        )
    return fitting[0]
