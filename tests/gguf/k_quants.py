"""ggml's Q4_K and Q6_K, which the package only reads."""

from benchmarks.quantisers.k_quants import q4_k, q6_k

__all__ = ["q4_k", "q6_k"]
