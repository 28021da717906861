"""A character tokenizer as files of the libraries `tokenizers` and `transformers`.

It is a BPE model without merges, so each character is a token. Like this program, it leaves out characters that it does
not know. There are no special tokens, no normalisation, and decoding joins the characters without changing a space.
"""

from typing import Any


def tokenizer_json(characters: str) -> dict[str, Any]:
    """Return the content of `tokenizer.json`; token i is `characters[i]`."""
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {"type": "Fuse"},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {character: token for token, character in enumerate(characters)},
            "merges": [],
        },
    }


def tokenizer_config(block_size: int) -> dict[str, Any]:
    """Return the content of `tokenizer_config.json`."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "model_max_length": block_size,
    }
