"""DATA: what is publicly known of the models whose published figures are imported.

Each row states one fact and why it is certain. What is not certain is left out: a missing parent
makes the measured background of unrelated models a little wider, a wrong one would accept a
resemblance that nobody declared.
"""

from __future__ import annotations

# Records that are not imported.
EXCLUDED = {
    "splade-mini": "the record names no repository, and several models bear the name",
    "PaddleNLP/prophetnet-large-uncased": "12 encoder layers and 12 cross-attentions of the "
    "decoder as one curve, and its position-based roles are out of order (q and k uncorrelated)",
}

# Ids that the record does not give, or gives otherwise than the Hub spells them.
IDS = {
    "karpathy/tinyllamas stories260K": "karpathy/tinyllamas-stories260K",  # a folder of that repo
    "TrustSafeAI_RADAR_Vicuna_7B": "TrustSafeAI/RADAR-Vicuna-7B",  # the Hub spells it with hyphens
}

# What each record cites, and how this library cites it: repository, commit, files, licence.
SOURCES = {
    "PaddlePaddle/GraphNet@1dcbd66 samples (MIT)": "PaddlePaddle/GraphNet@1dcbd66 samples (MIT)",
    "PaddlePaddle/GraphNet@1dcbd66 paddle_samples/PaddleNLP (MIT)": (
        "PaddlePaddle/GraphNet@1dcbd66 paddle_samples/PaddleNLP (MIT)"
    ),
    "charlesmartin14/SETOL_experiments@956b305 notebooks/*-details": (
        "charlesmartin14/SETOL_experiments@956b305 notebooks/*-details (MIT)"
    ),
    "plctlab/rvspoc-s2311-llama2@fca8a35 stories260K.bin": (
        "plctlab/rvspoc-s2311-llama2@fca8a35 stories260K.bin (MIT)"
    ),
}

# The remarks a record may carry: how this library words them, and whether all layers are there.
NOTES = {
    "": ("", True),
    "source prints 3 decimals only": ("source prints 3 decimals only", True),
    "q/k/v/o identified by position in the parameter list": (
        "q/k/v/o identified by position in the parameter list",
        True,
    ),
    "q/k/v/o identified by position in the parameter list (no layer names in this sample)": (
        "q/k/v/o identified by position in the parameter list (no layer names in this sample)",
        True,
    ),
    "only layers 0..55 of 60 (last shard missing in the source)": (
        "only layers 0..55 of 60 (last shard missing in the source)",
        False,
    ),
    "computed here from the real float32 weights": ("computed from the float32 weights", True),
}

# The base models that records with a documented or probable root name. A record that is itself the
# root gets no parent from this table.
ROOTS = {
    "MiniLM-L12-H384": "microsoft/MiniLM-L12-H384-uncased",  # base of the L12 models' cards
    "MiniLM-L6-H384": "nreimers/MiniLM-L6-H384-uncased",  # base of the L6 models' cards
    "bert-base-multilingual-uncased": "google-bert/bert-base-multilingual-uncased",
    "bert-base-uncased": "google-bert/bert-base-uncased",
    "bert-large-uncased": "google-bert/bert-large-uncased",
    "bge-small-en": "BAAI/bge-small-en",  # v1.5 is its publisher's update of it
    "distilroberta-base": "distilbert/distilroberta-base",
    "electra-base": "google/electra-base-discriminator",  # the half that is fine-tuned
    "ernie-2.0-base-en": "PaddleNLP/ernie-2.0-base-en",  # Baidu publishes ERNIE in PaddleNLP
    "ernie-2.0-large-en": "PaddleNLP/ernie-2.0-large-en",
    "ernie-3.0-base-zh": "PaddleNLP/ernie-3.0-base-zh",
    "ernie-3.0-medium-zh": "PaddleNLP/ernie-3.0-medium-zh",
    "ernie-3.0-micro-zh": "PaddleNLP/ernie-3.0-micro-zh",
    "ernie-3.0-mini-zh": "PaddleNLP/ernie-3.0-mini-zh",
    "ernie-3.0-nano-zh": "PaddleNLP/ernie-3.0-nano-zh",
    "mpnet-base": "microsoft/mpnet-base",
    "roberta-base": "FacebookAI/roberta-base",
    "roberta-large": "FacebookAI/roberta-large",
    "xlm-roberta-base": "FacebookAI/xlm-roberta-base",  # ERNIE-M starts from it, by its paper
    "xlm-roberta-large": "FacebookAI/xlm-roberta-large",
}

_CARD = "base model named on the model's card"
_CONFIG = "named in the config.json that the model was published with"
_PORT = "the same weights, converted for PaddleNLP"
_FLAN = "Flan-T5 instruction-tunes T5 v1.1, by its paper"
_GTR = "encoder of that T5, by the model's card"
_KEPT = "keeps every second layer of it, by the model's card"

# Parents that the records do not name: id -> (parent, why that is certain).
DERIVED = {
    "PaddleNLP/bart-base": ("facebook/bart-base", _PORT),
    "PaddleNLP/bert-base-cased": ("google-bert/bert-base-cased", _PORT),
    "PaddleNLP/bert-base-chinese": ("google-bert/bert-base-chinese", _PORT),
    "PaddleNLP/bert-base-multilingual-cased": ("google-bert/bert-base-multilingual-cased", _PORT),
    "PaddleNLP/bert-large-cased": ("google-bert/bert-large-cased", _PORT),
    "PaddleNLP/ernie-1.0": (
        "PaddleNLP/ernie-1.0-base-zh",
        "an older name of the same weights: all figures are equal",
    ),
    "PaddleNLP/gpt2-medium-en": ("openai-community/gpt2-medium", _PORT),
    "PaddleNLP/t5-small": ("google-t5/t5-small", _PORT),
    "cross-encoder/mmarco-mMiniLMv2-L12-H384-v1": (
        "nreimers/mMiniLMv2-L12-H384-distilled-from-XLMR-Large",
        _CARD,
    ),
    "cross-encoder/monoelectra-large": ("google/electra-large-discriminator", _CARD),
    "cross-encoder/ms-marco-MiniLM-L4-v2": ("cross-encoder/ms-marco-MiniLM-L12-v2", _CARD),
    "cross-encoder/ms-marco-TinyBERT-L4": ("nreimers/TinyBERT_L-4_H-312_v2", _CONFIG),
    "cross-encoder/ms-marco-TinyBERT-L6": ("nreimers/TinyBERT_L-6_H-768_v2", _CARD),
    "cross-encoder/msmarco-MiniLM-L12-en-de-v1": (
        "microsoft/Multilingual-MiniLM-L12-H384",
        _CARD,
    ),
    "cross-encoder/nli-MiniLM2-L6-H768": (
        "nreimers/MiniLMv2-L6-H768-distilled-from-RoBERTa-Large",
        _CONFIG,
    ),
    "cross-encoder/nli-deberta-v3-base": ("microsoft/deberta-v3-base", _CARD),
    "cross-encoder/nli-deberta-v3-small": ("microsoft/deberta-v3-small", _CARD),
    "cross-encoder/nli-deberta-v3-xsmall": ("microsoft/deberta-v3-xsmall", _CARD),
    "distilbert/distilroberta-base": (
        "FacebookAI/roberta-base",
        "distilled from it like DistilBERT, whose layers start as every second one of its teacher",
    ),
    "facebook/bart-large-cnn": ("facebook/bart-large", "bart-large fine-tuned, by its card"),
    "google/flan-t5-base": ("google/t5-v1_1-base", _FLAN),
    "google/flan-t5-large": ("google/t5-v1_1-large", _FLAN),
    "google/flan-t5-small": ("google/t5-v1_1-small", _FLAN),
    "google/pegasus-xsum": ("google/pegasus-large", "PEGASUS-large fine-tuned, by its paper"),
    "google/t5-base-lm-adapt": ("google/t5-v1_1-base", "initialised from it, by its card"),
    "nreimers/MiniLM-L6-H384-uncased": ("microsoft/MiniLM-L12-H384-uncased", _KEPT),
    "sentence-transformers/distiluse-base-multilingual-cased-v2": (
        "distilbert/distilbert-base-multilingual-cased",
        "the student that was trained, by its publisher's documentation",
    ),
    "sentence-transformers/gtr-t5-base": ("google-t5/t5-base", _GTR),
    "sentence-transformers/gtr-t5-large": ("google-t5/t5-large", _GTR),
    "sentence-transformers/gtr-t5-xl": ("google-t5/t5-3b", _GTR),
    "sentence-transformers/gtr-t5-xxl": ("google-t5/t5-11b", _GTR),
    "sentence-transformers/paraphrase-TinyBERT-L6-v2": (
        "nreimers/TinyBERT_L-6_H-768_v2",
        _CONFIG,
    ),
}

# Licence tag on the Hub -> ids, or patterns of ids. None: not known, or not stated for the weights.
LICENCES: dict[str | None, tuple[str, ...]] = {
    "apache-2.0": (
        "cross-encoder/mmarco-mMiniLMv2-L12-H384-v1",
        "cross-encoder/monoelectra-large",
        "cross-encoder/ms-marco-*",
        "cross-encoder/msmarco-MiniLM-L*-en-de-v1",
        "cross-encoder/nli-*",
        "cross-encoder/quora-roberta-large",
        "distilbert/distilbert-base-uncased",
        "distilbert/distilroberta-base",
        "google-bert/bert-*-uncased",
        "google-t5/t5-small",
        "google/bert_uncased_L-*",
        "google/byt5-small",
        "google/electra-*-discriminator",
        "google/flan-t5-*",
        "google/mobilebert-uncased",
        "google/rembert",
        "google/t5-base-lm-adapt",
        "google/t5-efficient-*",
        "google/t5-v1_1-small",
        "sentence-transformers/*",
        "studio-ousia/luke-base",
        "tiiuae/falcon-40b",
        "tiiuae/falcon-7b",
    ),
    "mit": (
        "BAAI/bge-*",
        "FacebookAI/roberta-base",
        "facebook/bart-large-cnn",
        "facebook/xglm-564M",
        "intfloat/multilingual-e5-large",
        "karpathy/tinyllamas-stories260K",
        "nlptown/bert-base-multilingual-uncased-sentiment",
        "nreimers/MiniLM-L6-H384-uncased",
    ),
    "other": (  # the Hub's tag for a licence of the publisher's own
        "Qwen/Qwen1.5-0.5B",
        "huggyllama/llama-*",
    ),
    None: (
        "PaddleNLP/*",
        "TrustSafeAI/RADAR-Vicuna-7B",
        "YituTech/conv-bert-base",
        "google/pegasus-xsum",
        "nghuyong/ernie-2.0-base-en",
        "perplexity-ai/pplx-embed-v1-0.6b",
    ),
}
