"""The models as the papers write them: explicit softmax, one head at a time, everything recomputed for every character.

Slow and plain on purpose: what is fast must agree with this. Nothing here is shared with the models but parameters.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tui_gpt.config import NGRAM_TABLES
from tui_gpt.models.build import LanguageModel
from tui_gpt.models.classic import Classic
from tui_gpt.models.ensemble import Ensemble
from tui_gpt.models.modern import Modern
from tui_gpt.prior.ngram import NgramPrior


def layer_norm(x: Tensor) -> Tensor:
    """Return rows with mean 0 and variance 1."""
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt((centred**2).mean(-1, keepdim=True) + 1e-5)


def gelu(x: Tensor) -> Tensor:
    """Return x times the probability that a normal variable is below x."""
    return x * (1 + torch.erf(x / 2**0.5)) / 2


def attention(q: Tensor, k: Tensor, v: Tensor, block_size: int) -> Tensor:
    """Return softmax(q kᵀ / √D) v of one head (T, D); each position sees itself and the block_size - 1 before it."""
    T, D = q.shape
    scores = q @ k.T / D**0.5
    unseen = torch.ones(T, T).triu(1) + torch.ones(T, T).tril(-block_size)
    scores = scores.masked_fill(unseen.bool(), float("-inf"))
    weights = scores.exp() / scores.exp().sum(-1, keepdim=True)
    result: Tensor = weights @ v
    return result


def rotated(x: Tensor) -> Tensor:
    """Return (T, D): the pairs (i, i + D / 2) of row t, as complex numbers, rotated by t · 10000^(-2i / D)."""
    T, D = x.shape
    speed = 10_000.0 ** (-2 * torch.arange(D // 2, dtype=torch.float64) / D)
    angles = torch.arange(T, dtype=torch.float64)[:, None] * speed
    pairs = torch.complex(x[:, : D // 2], x[:, D // 2 :]) * torch.polar(torch.ones_like(angles), angles)
    return torch.cat([pairs.real, pairs.imag], dim=-1)


def classic_logits(model: Classic, tokens: Sequence[int]) -> Tensor:
    """Return logits (T, V) after each of the tokens of one window."""
    w: dict[str, Tensor] = {name: value.double() for name, value in model.state_dict().items()}
    x = w["token_embedding.weight"][list(tokens)]
    if model.config.n_layer == 0:
        return x
    x = x + w["position_embedding.weight"][: len(tokens)]
    for n in range(model.config.n_layer):
        b = f"blocks.{n}."
        h = layer_norm(x) * w[b + "attention_norm.weight"] + w[b + "attention_norm.bias"]
        q, k, v = ((h @ matrix.T) for matrix in w[b + "attention.qkv.weight"].chunk(3))
        heads = zip(*(part.chunk(model.config.n_head, dim=-1) for part in (q, k, v)), strict=True)
        y = torch.cat([attention(q, k, v, len(tokens)) for q, k, v in heads], dim=-1)
        x = x + y @ w[b + "attention.projection.weight"].T + w[b + "attention.projection.bias"]
        h = layer_norm(x) * w[b + "feed_forward_norm.weight"] + w[b + "feed_forward_norm.bias"]
        h = h @ w[b + "feed_forward.expand.weight"].T + w[b + "feed_forward.expand.bias"]
        h = gelu(h) if model.config.activation == "gelu" else h.clamp(min=0)
        x = x + h @ w[b + "feed_forward.contract.weight"].T + w[b + "feed_forward.contract.bias"]
    return (layer_norm(x) * w["norm.weight"] + w["norm.bias"]) @ w["head.weight"].T + w["head.bias"]


def ngram_embedding(tables: Tensor, tokens: Sequence[int], vocab_size: int) -> Tensor:
    """Return (C,): the sum of the hashed embeddings of the last 2, 3 and 4 tokens; zeros precede the first token."""
    newest_first = [*reversed(tokens), 0, 0, 0]
    x, begin = torch.zeros(tables.shape[1], dtype=tables.dtype), 0
    for n, size in zip((2, 3, 4), NGRAM_TABLES, strict=True):
        key = 0
        for token in newest_first[:n]:
            key = key * vocab_size + token
        exact = n == 2 and vocab_size**2 <= size
        x = x + tables[begin + (key if exact else (key * 0x9E3779B1) % 2**48 // 2**16) % size]
        begin += size
    return x


@functools.cache
def prior_row(prior: NgramPrior, context: tuple[int, ...]) -> Tensor:
    """Return (V,): the prior's log-probabilities after `context`."""
    return torch.from_numpy(prior.rows(np.array([context]))[0, -1]).double()


def matches(tokens: Sequence[int], folded: Sequence[int]) -> tuple[int, int, dict[int, int]]:
    """Return the length of the longest match of the text's end, at most 8 characters, in the 1,024 before (the latest
    of equal length); the token that followed it; for each token the length of the longest match that it followed."""
    longest, follower, candidates = 0, 0, dict[int, int]()
    for end in range(max(1, len(tokens) - 1_024), len(tokens)):
        length = 0
        for mine, theirs in zip(reversed(tokens), reversed(tokens[:end]), strict=False):
            if folded[mine] != folded[theirs] or length == 8:
                break
            length += 1
        if length and length >= longest:
            longest, follower = length, tokens[end]
        candidates[tokens[end]] = max(length, candidates.get(tokens[end], 0))
    return longest, follower, candidates


def modern_logits(model: Modern, tokens: Sequence[int], prior: NgramPrior | None) -> Tensor:
    """Return logits (T, V) after each of the tokens of a text of any length."""
    w: dict[str, Tensor] = {name: value.double() for name, value in model.state_dict().items()}
    x = w["token_embedding.weight"][list(tokens)]
    if model.ngram_embedding is not None:
        x = x + torch.stack(
            [
                ngram_embedding(w["ngram_embedding.weight"], tokens[: t + 1], model.vocab_size)
                for t in range(len(tokens))
            ]
        )
    if prior is not None:
        contexts = [tuple(tokens[max(0, end - prior.order) : end]) for end in range(1, len(tokens) + 1)]
        rows = torch.stack([prior_row(prior, context) for context in contexts])
        x = x + rows @ w["prior_embedding"].T
    if model.config.induction:
        found = [matches(tokens[: t + 1], w["induction.folded"].long().tolist()) for t in range(len(tokens))]
        x = x + torch.stack([w["induction.embedding"][length, follower] for length, follower, _ in found])
    x = layer_norm(x)
    for n in range(model.config.n_layer):
        b = f"blocks.{n}."
        q, k, v = (layer_norm(x) @ matrix.T for matrix in w[b + "attention.qkv"])
        heads = zip(*(part.chunk(model.config.n_head, dim=-1) for part in (q, k, v)), strict=True)
        size = model.config.block_size
        y = torch.cat([attention(rotated(layer_norm(q)), rotated(layer_norm(k)), v, size) for q, k, v in heads], dim=-1)
        x = x + y @ w[b + "attention.projection"].T
        h = (layer_norm(x) @ w[b + "feed_forward.expand"].T).clamp(min=0) ** 2
        x = x + h @ w[b + "feed_forward.contract"].T
    x = layer_norm(x)
    logits = 15 * torch.tanh(x @ w["head"].T / 15)
    if model.config.induction:
        for t, (length, follower, candidates) in enumerate(found):
            gate = 1 + w["induction.gate"][0] @ x[t]
            for token in range(model.vocab_size):
                logits[t, token] += gate * w["induction.candidate_bias"][candidates.get(token, 0)]
            logits[t, follower] += gate * w["induction.follower_bias"][length] if length else 0
    return logits if prior is None else logits + (w["prior_gate"] + x @ w["prior_trust"].T) * rows


LONGEST_CONTEXT = 16
"""More context than any test's prior or n-gram embedding uses."""


def window(tokens: Sequence[int], block_size: int) -> Sequence[int]:
    """Return a classic model's window: when it is full only its newest quarter stays, and it grows again."""
    start = 0
    while len(tokens) - start > block_size:
        start += block_size - block_size // 4
    return tokens[start:]


def next_logits(model: LanguageModel, tokens: Sequence[int], prior: NgramPrior | None = None) -> Tensor:
    """Return logits (V,) after all of `tokens`, however many."""
    config = model.config
    if isinstance(model, Classic):
        return classic_logits(model, window(tokens, config.block_size))[-1]
    looks_up = len(tokens) if config.induction else LONGEST_CONTEXT
    seen = tokens[-(config.n_layer * config.block_size + looks_up) :]
    if isinstance(model, Ensemble):
        probs = [modern_logits(network, seen, prior)[-1].softmax(-1) for network in model.networks]
        return torch.stack(probs).mean(0).log()
    return modern_logits(model, seen, prior)[-1]


def written(
    model: LanguageModel, prompt: Sequence[int], count: int, choose: Callable[[Any], int], prior: NgramPrior | None
) -> list[int]:
    """Return the `count` tokens that `choose` picks from logits (V,), one after the other."""
    tokens = list(prompt)[-model.config.block_size :] if isinstance(model, Classic) else list(prompt)
    begin = len(tokens)
    for _ in range(count):
        tokens.append(choose(next_logits(model, tokens, prior)))
    return tokens[begin:]
