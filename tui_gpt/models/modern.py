"""A transformer with the refinements of the last decade, over an n-gram prior.

It has the plan of classic.py (embedding, blocks of attention and feed-forward on a residual stream, logits) with these
parts replaced: rotary positions (Su et al. 2021), normalised queries and keys (Henry et al. 2020), LayerNorm without
gains, squared ReLU (So et al. 2021), zero-initialised output projections, soft-capped logits (Gemma 2, 2024).

The decision that explains the rest is the prior: the log-probabilities of an n-gram model (tui_gpt/prior) enter as an
input and are added to the logits, so the network starts at the n-gram model's loss and learns only what counting
misses. With `ngram_order` 0 there is no prior, and embeddings of the last few characters are added instead. With
`induction`, matches of the current suffix earlier in the window enter too (induction.py).

Shapes: B sequences, T positions, C = n_embd, H heads of size D = C / H, V characters.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tui_gpt.config import LOGIT_CAP, NGRAM_TABLES, ROTARY_BASE, ModelConfig
from tui_gpt.models.dropout import Dropout
from tui_gpt.models.induction import Induction, Matches
from tui_gpt.models.linear import linear

Rotary = tuple[Tensor, Tensor]
"""Cosines and sines (T, 1, D / 2) of T positions."""


def layer_norm(x: Tensor) -> Tensor:
    """Normalise x (..., D) to mean 0 and variance 1; LayerNorm and not RMSNorm, as only its CPU kernel is fused."""
    return F.layer_norm(x, x.shape[-1:])


def rotary_table(length: int, head_size: int, device: torch.device | None = None) -> Rotary:
    """Return the cosines and sines of positions 0 to `length` - 1."""
    positions = torch.arange(length, dtype=torch.float32, device=device)
    pairs = torch.arange(head_size // 2, dtype=torch.float32, device=device)
    frequencies = ROTARY_BASE ** (-2 * pairs / head_size)  # (D / 2,), in radians per position
    angles = torch.outer(positions, frequencies)[:, None]  # (T, 1, D / 2)
    return angles.cos(), angles.sin()


def apply_rotary(x: Tensor, rotary: Rotary) -> Tensor:
    """Rotate each channel pair of x (B, T, H, D) by the angle of its position."""
    cos, sin = rotary
    left, right = x.chunk(2, dim=-1)
    return torch.cat([left * cos - right * sin, left * sin + right * cos], dim=-1)


class SquaredReLU(torch.autograd.Function):
    """Compute relu(x)², saving one tensor for the backward pass where autograd would save two."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        positive = x.relu()
        ctx.save_for_backward(positive)
        return positive * positive

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (positive,) = ctx.saved_tensors
        return torch.mul(gradients[0], positive).mul_(2.0)


def _init_matrix(*shape: int) -> nn.Parameter:
    """Return Gaussian weights of standard deviation sqrt(0.35 / fan_in); the last dimension is the fan-in."""
    return nn.Parameter(torch.randn(*shape) * (0.35 / shape[-1]) ** 0.5)


class Attention(nn.Module):
    """Multi-head causal self-attention with normalised, rotated queries and keys."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.n_head = config.n_head
        C = config.n_embd
        self.qkv = _init_matrix(3, C, C)
        self.projection = nn.Parameter(torch.zeros(C, C))

    def forward(self, x: Tensor, rotary: Rotary) -> Tensor:
        """Return (B, T, C) for x (B, T, C): each position attends to itself and those before it."""
        B, T, C = x.shape
        qkv = linear(x, self.qkv.flatten(0, 1))  # (B, T, 3C)
        q, k, v = qkv.view(B, T, 3, self.n_head, C // self.n_head).unbind(2)  # (B, T, H, D)
        q, k = apply_rotary(layer_norm(q), rotary), apply_rotary(layer_norm(k), rotary)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)  # (B, H, T, D)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return linear(y.transpose(1, 2).reshape(B, T, C), self.projection)


class FeedForward(nn.Module):
    """Two linear layers with squared ReLU between them, four times as wide inside, at each position."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        C = config.n_embd
        self.expand = _init_matrix(4 * C, C)
        self.contract = nn.Parameter(torch.zeros(C, 4 * C))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, T, C) for x (B, T, C)."""
        h: Tensor = SquaredReLU.apply(linear(x, self.expand))  # type: ignore[no-untyped-call]  # torch's apply; (B, T, 4C)
        return linear(h, self.contract)


class Block(nn.Module):
    """Attention, then feed-forward, each on the normalised stream and added to it."""

    def __init__(self, config: ModelConfig, dropout: Dropout) -> None:
        super().__init__()
        self.attention = Attention(config)
        self.feed_forward = FeedForward(config)
        self.dropout = dropout

    def forward(self, x: Tensor, rotary: Rotary) -> Tensor:
        """Return the residual stream (B, T, C) after this block."""
        x = x + self.dropout(self.attention(layer_norm(x), rotary))
        ff_out: Tensor = self.dropout(self.feed_forward(layer_norm(x)))
        return x + ff_out


def ngram_rows(tokens: Tensor, vocab_size: int) -> Tensor:
    """Return (B, T, 3): the embedding rows of the 2-, 3- and 4-grams that end at each of `tokens` (B, T).

    An n-gram's row is a hash of its tokens, so no list of n-grams is needed; where the alphabet is small enough, each
    pair has its own row. Tokens before the first one count as 0.
    """
    key, offset, rows = tokens, 0, []
    for n, size in enumerate(NGRAM_TABLES, 1):
        key = key * vocab_size + F.pad(tokens, (n, 0))[:, : tokens.shape[1]]
        is_exact = n == 1 and vocab_size**2 <= size
        hashed = key if is_exact else (key * 0x9E3779B1 & 0xFFFFFFFFFFFF) >> 16
        rows.append(hashed % size + offset)
        offset += size
    return torch.stack(rows, dim=-1)


class NgramEmbedding(nn.Module):
    """The sum of the embeddings of the last 2, 3 and 4 characters, used where `ngram_order` is 0."""

    def __init__(self, vocab_size: int, n_embd: int) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.weight = nn.Parameter(torch.randn(sum(NGRAM_TABLES), n_embd) * 0.1)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, T, C) for tokens (B, T)."""
        return F.embedding(ngram_rows(tokens, self.vocab_size), self.weight).sum(dim=2)


class Modern(nn.Module):
    """The model; `dropout`, which owns the random generator, may be shared with other members of an ensemble."""

    def __init__(self, config: ModelConfig, vocab_size: int, dropout: Dropout | None = None) -> None:
        super().__init__()
        self.config = config
        self.vocab_size = vocab_size
        C = config.n_embd
        self.dropout = dropout or Dropout(config.dropout, torch.Generator())
        self.token_embedding = nn.Embedding(vocab_size, C)
        self.blocks = nn.ModuleList(Block(config, self.dropout) for _ in range(config.n_layer))
        self.head = nn.Parameter(torch.zeros(vocab_size, C))
        self.ngram_embedding = None if config.ngram_order else NgramEmbedding(vocab_size, C)
        if config.ngram_order:
            self.prior_embedding = nn.Parameter(torch.randn(C, vocab_size) * 0.3 * vocab_size**-0.5)
            self.prior_gate = nn.Parameter(torch.ones(1))
            self.prior_trust = nn.Parameter(torch.zeros(vocab_size, C))
        self.induction = Induction(vocab_size, C) if config.induction else None

    def forward(
        self, tokens: Tensor, targets: Tensor | None = None, prior: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Return logits (B, T, V) after each of `tokens` (B, T), T <= block_size, and the loss of `targets` (B, T).

        The loss is in nats per character, None without targets. A model with `ngram_order` needs `prior` (B, T, V),
        the n-gram model's log-probabilities after each token.
        """
        rotary = rotary_table(tokens.shape[1], self.config.n_embd // self.config.n_head, tokens.device)
        matches = None if self.induction is None else self.induction.matches(tokens)
        x = self.dropout(self.embed(tokens, prior, matches))  # (B, T, C)
        for block in self.blocks:
            x = block(x, rotary)
        logits = self.logits(x, prior, matches)
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.view(-1, self.vocab_size), targets.reshape(-1))

    def embed(self, tokens: Tensor, prior: Tensor | None, matches: Matches | None) -> Tensor:
        """Return the input of the first block (B, T, C)."""
        x: Tensor = self.token_embedding(tokens)
        if self.ngram_embedding is not None:
            x = x + self.ngram_embedding(tokens)
        if prior is not None:
            x = x + linear(prior, self.prior_embedding)
        if self.induction is not None and matches is not None:
            x = x + self.induction.embed(matches)
        return layer_norm(x)

    def logits(self, x: Tensor, prior: Tensor | None, matches: Matches | None) -> Tensor:
        """Return (B, T, V) for the residual stream x (B, T, C): the network's logits plus the gated prior."""
        x = layer_norm(x)
        logits: Tensor = LOGIT_CAP * torch.tanh(linear(x, self.head).float() / LOGIT_CAP)
        if self.induction is not None and matches is not None:
            logits = logits + self.induction.logits(x, matches)
        if prior is None:
            return logits
        gate = self.prior_gate + linear(x, self.prior_trust)  # (B, T, V)
        return logits + gate * prior
