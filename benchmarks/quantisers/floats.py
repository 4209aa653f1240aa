"""FP8 and FP4 with their scales, and what bitsandbytes writes."""

from __future__ import annotations

import json

import numpy as np

from benchmarks.quantisers import Array, Coded, Matrix, Stored, grouped, nearest

NF4 = np.array(  # QLoRA, appendix E
    [
        *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
        *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
        *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
        *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
    ]
)
FP4 = np.array([0, 0.0625, 8, 12, 4, 6, 2, 3]) / 12


def small_floats(exponent: int, fraction: int, bias: int) -> Matrix:
    """What codes without a sign mean: 2^(e − bias) · (1 + f), and below it without the 1."""
    codes = np.arange(1 << (exponent + fraction))
    powers, parts = codes >> fraction, codes % (1 << fraction) / (1 << fraction)
    normal = powers > 0
    found: Matrix = (normal + parts) * 2.0 ** (np.maximum(powers, 1) - bias)
    return found


E4M3 = small_floats(4, 3, 7)[:-1]  # the last code is NaN
E5M2 = small_floats(5, 2, 15)[:-4]  # infinity, and three NaN
E2M1 = small_floats(2, 1, 1)
KINDS = {"F8_E4M3": E4M3, "F8_E5M2": E5M2}


def signed(table: Matrix, numbers: Matrix, sign: int) -> tuple[Array, Matrix]:
    """The codes nearest to numbers, with a bit for the sign, and what they mean."""
    places = nearest(table, np.abs(numbers))
    negative = numbers < 0
    codes = (places | np.where(negative, sign, 0)).astype(np.uint8)
    return codes, np.where(negative, -table[places], table[places])


def float8(
    matrix: Matrix,
    block: tuple[int, int] | None,
    *,
    scale: str = "weight_scale",
    dtype: str = "F8_E4M3",
    shape: tuple[int, ...] | None = None,
) -> Coded:
    """FP8 with a scale for each block, a width of 0 meaning the row's; or one scale for all."""
    rows, columns = matrix.shape
    height, width = block or matrix.shape
    width = width or columns
    padded = np.pad(matrix, ((0, -rows % height), (0, -columns % width)))
    parts = padded.reshape(padded.shape[0] // height, height, -1, width)
    scales = np.maximum(np.abs(parts).max(axis=(1, 3)) / KINDS[dtype][-1], 1e-9).astype("<f4")
    wide = np.repeat(np.repeat(scales.astype(np.float64), height, 0), width, 1)[:rows, :columns]
    codes, numbers = signed(KINDS[dtype], matrix / wide, 0x80)
    kept = scales.reshape(() if block is None else scales.shape if shape is None else shape)
    return Coded({"weight": Stored(dtype, codes), scale: Stored("F32", kept)}, numbers * wide)


def nvfp4(matrix: Matrix, *, divides: bool) -> Coded:
    """NVFP4: for 16 numbers a scale in E4M3, and one for all, which compressed-tensors divides by.

    ModelOpt multiplies by it.
    """
    groups = grouped(matrix, 16)
    overall = np.float32(np.abs(matrix).max() / (6 * E4M3[-1]))
    overall = np.float32(1 / overall) if divides else overall
    factor = 1 / float(overall) if divides else float(overall)
    scales = np.maximum(nearest(E4M3, np.abs(groups).max(2) / 6 / factor), 1).astype(np.uint8)
    steps = (E4M3[scales] * factor)[..., np.newaxis]
    codes, numbers = signed(E2M1, groups / steps, 8)
    names = ("weight_packed", "weight_global_scale") if divides else ("weight", "weight_scale_2")
    tensors = {
        names[0]: Stored("U8", two_a_byte(codes.reshape(matrix.shape))),
        "weight_scale": Stored("F8_E4M3", scales),
        names[1]: Stored("F32", overall.reshape((1,) if divides else ())),
    }
    return Coded(tensors, (numbers * steps).reshape(matrix.shape))


def mxfp4(matrix: Matrix, *, blocks: bool) -> Coded:
    """MXFP4: for 32 numbers a power of two; as gpt-oss stores it in blocks, or ct beside codes."""
    groups = grouped(matrix, 32)
    largest = np.maximum(np.abs(groups).max(2), 2.0**-100)
    exponents = (np.floor(np.log2(largest)) - 2 + 127).astype(np.uint8)
    steps = (2.0 ** (exponents.astype(np.float64) - 127))[..., np.newaxis]
    codes, numbers = signed(E2M1, groups / steps, 8)
    packed = two_a_byte(codes.reshape(matrix.shape))
    values = (numbers * steps).reshape(matrix.shape)
    if blocks:
        whole = Stored("U8", packed.reshape(*exponents.shape, 16))
        return Coded({"weight_blocks": whole, "weight_scales": Stored("U8", exponents)}, values)
    leaves = {"weight_packed": Stored("U8", packed), "weight_scale": Stored("U8", exponents)}
    return Coded(leaves, values)


def two_a_byte(codes: Array) -> Array:
    """Each row's codes in pairs, the first in the low half."""
    packed: Array = codes[:, ::2] | codes[:, 1::2] << 4
    return packed


def llm_int8(matrix: Matrix) -> Coded:
    """bitsandbytes' LLM.int8(): rows by their largest magnitude, which stands for 127."""
    largest = np.maximum(np.abs(matrix).max(1), 1e-9).astype("<f4")
    steps = largest.astype(np.float64)[:, np.newaxis] / 127
    codes = np.rint(matrix / steps).clip(-127, 127)
    tensors = {
        "weight": Stored("I8", codes.astype(np.int8)),
        "SCB": Stored("F32", largest),
        "weight_format": Stored("U8", np.array(0, np.uint8)),
    }
    return Coded(tensors, codes * steps)


def four_bits(
    matrix: Matrix, kind: str, *, size: int = 64, nested: int = 0, holder: str = "U8"
) -> Coded:
    """bitsandbytes' NF4 and FP4; with `nested`, scales have codes of 8 bits, in blocks of so many.

    `holder` is the dtype of the words that hold the codes.
    """
    table = NF4 if kind == "nf4" else np.concatenate([FP4, -FP4])
    flat = np.pad(matrix.reshape(-1), (0, -matrix.size % size)).reshape(-1, size)
    absmax = np.maximum(np.abs(flat).max(1), 1e-9).astype("<f4")
    state = {"quant_type": kind, "blocksize": size, "dtype": "float32", "shape": matrix.shape}
    scales: dict[str, Stored] = {"weight.absmax": Stored("F32", absmax)}
    means = absmax.astype(np.float64)
    if nested:
        scales, means, offset = _nested(absmax, nested)
        state |= {"nested_blocksize": nested, "nested_dtype": "float32", "nested_offset": offset}
    codes = nearest(table, flat / np.where(means == 0, 1, means)[:, np.newaxis])
    values = (table[codes] * means[:, np.newaxis]).reshape(-1)[: matrix.size]
    own = np.pad(codes.reshape(-1)[: matrix.size], (0, matrix.size % 2)).astype(np.uint8)
    content = own[::2] << 4 | own[1::2]
    kept = content.view({"U8": "u1", "BF16": "<u2", "F32": "<f4"}[holder]).reshape(-1, 1)
    text = np.frombuffer(json.dumps(state).encode(), np.uint8)
    tensors = {"weight": Stored(holder, kept), "weight.quant_map": Stored("F32", _single(table))}
    tensors |= {f"weight.quant_state.bitsandbytes__{kind}": Stored("U8", text)}
    return Coded(tensors | scales, values.reshape(matrix.shape))


def _nested(absmax: Array, size: int) -> tuple[dict[str, Stored], Matrix, float]:
    """Scales that are codes themselves: their tensors, what they mean, and what is added to all."""
    offset = float(np.float32(absmax.mean()))
    numbers = _single(np.linspace(-1, 1, 256))  # any table will do: it is stored
    rest = absmax.astype(np.float64) - offset
    block = np.arange(absmax.size) // size
    coarse = np.zeros(int(block[-1]) + 1)
    np.maximum.at(coarse, block, np.abs(rest))
    coarse = _single(np.maximum(coarse, 1e-9)).astype(np.float64)
    codes = nearest(numbers, rest / coarse[block])
    tensors = {
        "weight.absmax": Stored("U8", codes.astype(np.uint8)),
        "weight.nested_absmax": Stored("F32", _single(coarse)),
        "weight.nested_quant_map": Stored("F32", numbers),
    }
    return tensors, numbers[codes].astype(np.float64) * coarse[block] + offset, offset


def _single(array: Array) -> Array:
    return array.astype("<f4")
