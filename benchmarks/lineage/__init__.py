"""The lineage benchmark: small transformers trained from scratch, and what can be made of them.

    pip install torch transformers tokenizers accelerate safetensors
    python -m benchmarks.lineage train OUT [--only L1,L2]
    python -m benchmarks.lineage derive OUT [--only sft,L1,T1-rotated]

`train` trains the bases, each from its own random weights, on text that any machine with Python
and PyTorch has: Python's standard library, the prose of installed packages, the C++ headers of
PyTorch. The classes are those of transformers, so that names and configs are real: Llama with
grouped queries (tied and not), GPT-NeoX, GPT-2, BERT, Qwen 3, Gemma and Gemma 3, 8 to 16 layers
wide 96 or 128. Twins (L1 and L2; T1, T2 and T3; N1 and N2) differ in nothing but the seed. L1S has
the initial weights of L1 and was trained on other text: the one base that is not independent.
About forty minutes on two idle cores (from the time of a step); with CUDA on the accelerator.

`derive` makes each derivation of the table in rows.py of each base that it suits: training that
goes on, quantisation, pruning, noise, layers and neurons and tokens left out or added, merges, and
everything that leaves a model's function as it is. Whatever claims to leave it is loaded with
transformers beside its parent and fails unless the logits of real tokens agree within one
thousandth of their standard deviation, in float32; whatever does not claim it has to load whole
and to compute finite logits. Twenty-five minutes more, nearly all of them training.

Both go on where they were stopped: a folder is written whole or not at all. Each holds
model.safetensors (bfloat16; float32 where a function is to be preserved and rounding would be
felt), config.json, tokenizer.json and lineage.json:

- id, parents, and for merges the parents' weights;
- relation: base, same-seed, or the derivation's name; initialised_as;
- preserves: whether the function is the parent's, with the largest difference of logits that was
  found (logit_error);
- expected: derived, or undetectable where weights cannot tell;
- family, seed, corpus, tokenizer, layers, width, tied; a base's loss on held-out text
  and unigram_loss, that of one who knows how frequent each token is; trained_steps, trained_rate
  and trained_loss of what was trained further, on the other text.
"""
