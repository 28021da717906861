"""Copy the weights of a model into one with another vocabulary, character by character.

A tensor's dimension that has the size of the vocabulary is indexed by characters; its entries move to the numbers that
those characters have in the new vocabulary. Any other dimension must be equal in both models.
"""

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tui_gpt.errors import IncompatibleError
from tui_gpt.models.build import LanguageModel
from tui_gpt.models.modern import ngram_rows
from tui_gpt.text.dataset import Corpus
from tui_gpt.text.tokenizers.protocol import Ids, Tokenizer

MAX_NGRAM_TOKENS = 1_000_000
"""Tokens at the start of the training text whose n-gram embeddings are copied."""


def transfer_weights(model: LanguageModel, weights: Mapping[str, Tensor], old: Tokenizer, corpus: Corpus) -> None:
    """Copy `weights` of a model of the same shape, whose tokens `old` are among those of `corpus`, into `model`.

    Entries of characters that the old model lacks keep their initial values, as do embeddings of n-grams that contain
    one. Raises IncompatibleError where the shapes differ otherwise.
    """
    new = corpus.tokenizer
    new_ids = torch.from_numpy(_new_ids(old, new)).long()  # (V_old,)
    for name, target in model.state_dict().items():
        source = weights.get(name)
        if source is None or source.ndim != target.ndim:
            raise IncompatibleError("the run to start from has a model of another kind: leave --preset as it was there")
        source = source.to(target.dtype)
        if name.endswith("position_embedding.weight"):
            target.copy_(source[: len(target)])
        elif name.endswith("ngram_embedding.weight") and old != new:
            _copy_ngram_embeddings(target, source, old, corpus)
        elif not name.endswith("folded"):
            sizes = zip(source.shape, target.shape, strict=True)
            indices = [_target_indices(*size, new_ids, new.vocab_size) for size in sizes]
            target[torch.meshgrid(*indices, indexing="ij") if indices else ...] = source


def _new_ids(old: Tokenizer, new: Tokenizer) -> Ids:
    """Return (V_old,): the number in `new` of each token of `old`."""
    numbers = {text: number for number, text in enumerate(new.texts)}
    return np.array([numbers[text] for text in old.texts], np.int32)


def _target_indices(old_size: int, new_size: int, new_ids: Tensor, vocab_size: int) -> Tensor:
    """Return (old_size,): the index in the target of each entry of one dimension of the source."""
    if old_size == len(new_ids) and new_size == vocab_size:
        return new_ids
    if old_size != new_size:
        raise IncompatibleError("the run to start from has a model of another shape: leave its settings as they are")
    return torch.arange(new_size)


def _copy_ngram_embeddings(target: Tensor, source: Tensor, old: Tokenizer, corpus: Corpus) -> None:
    """Copy the embeddings (rows, C) of the n-grams in the training text; an n-gram's row depends on the vocabulary."""
    tokens = corpus.train[:MAX_NGRAM_TOKENS].astype(np.int64)
    old_ids = np.full(corpus.tokenizer.vocab_size, -1)
    old_ids[_new_ids(old, corpus.tokenizer)] = np.arange(old.vocab_size)
    old_tokens = old_ids[tokens]
    rows = ngram_rows(torch.from_numpy(tokens[None]), corpus.tokenizer.vocab_size)[0]  # (N, 3)
    old_rows = ngram_rows(torch.from_numpy(np.maximum(old_tokens, 0)[None]), old.vocab_size)[0]
    known_tokens = torch.from_numpy(old_tokens >= 0)
    is_known = known_tokens
    for n in range(1, 1 + rows.shape[1]):
        is_known = is_known & F.pad(known_tokens, (n, 0))[: len(tokens)]
        new_rows, first = np.unique(rows[is_known, n - 1].numpy(), return_index=True)
        target[torch.from_numpy(new_rows)] = source[old_rows[is_known, n - 1][torch.from_numpy(first)]]
