"""Makes the tokenizer that a run's settings ask for, and reads one from a checkpoint."""

from collections.abc import Callable, Mapping
from typing import Any

from tui_gpt.config import DEFAULT_VOCAB_SIZE, ModelConfig
from tui_gpt.errors import CheckpointError
from tui_gpt.text.tokenizer import CharTokenizer
from tui_gpt.text.tokenizers.bpe import BpeTokenizer
from tui_gpt.text.tokenizers.bpe_training import train_bpe
from tui_gpt.text.tokenizers.byte import ByteTokenizer
from tui_gpt.text.tokenizers.protocol import Tokenizer

_trained: dict[tuple[str, int, int], BpeTokenizer] = {}
"""The last one that was trained, by digest, length and vocabulary size: the form estimates at each change."""


def make_tokenizer(config: ModelConfig, text: str, train_length: int, digest: str) -> Tokenizer:
    """Return the tokenizer of a new run.

    The first `train_length` characters of `text` are trained on; BPE is learned from them alone, while the alphabet of
    a character tokenizer is that of the whole text. `digest` is that of the text and its split. Raises ConfigError
    where `tokenizers` is needed and not installed.
    """
    if config.tokenizer == "character":
        return CharTokenizer.from_text(text)
    if config.tokenizer == "byte":
        return ByteTokenizer()
    key = digest, train_length, config.vocab_size or DEFAULT_VOCAB_SIZE
    if key not in _trained:
        _trained.clear()
        _trained[key] = train_bpe(text[:train_length], key[2])
    return _trained[key]


def read_tokenizer(record: Mapping[str, Any], vocab_size: int) -> Tokenizer:
    """Return the tokenizer of a checkpoint for a model of `vocab_size` tokens.

    Raises CheckpointError unless the record is what `to_dict` returns of such a tokenizer.
    """
    kinds: dict[str, Callable[[Mapping[str, Any]], Tokenizer]]
    kinds = {"byte": ByteTokenizer.from_dict, "bpe": BpeTokenizer.from_dict}
    try:
        tokenizer = kinds.get(record.get("type", ""), CharTokenizer.from_dict)(record)
        if tokenizer.vocab_size != vocab_size:
            raise ValueError(f"it has {tokenizer.vocab_size:,} tokens and the model {vocab_size:,}")
        return tokenizer
    except ValueError as error:
        raise CheckpointError(f"the checkpoint's tokenizer is damaged ({error}): take another checkpoint") from error
