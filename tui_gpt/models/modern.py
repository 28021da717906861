"""The fast model: a transformer with what a decade found out, over an n-gram prior.

It keeps the seed's plan (embed, then blocks of attention and feed-forward added to one stream, then logits) and
replaces the parts: rotary positions (Su et al. 2021), normalised queries and keys, normalisation without gains,
squared ReLU (So et al. 2021), zero-initialised output projections, soft-capped logits. The decision that explains
the rest is the prior: log-probabilities counted from the text (ngram.py) enter as an input and are added to the
logits, so that the network starts from what counting knows and learns only what counting cannot. With `ngram_order`
0 the network is alone, and embeddings of the last few characters speed it up instead. What the prior cannot know is
said in the window itself: earlier places like the present one are found by comparison (induction.py).

Shapes: B sequences, T positions, C = n_embd, H heads of D = C / H, V characters. The functions take rotary tables
explicitly, so that a decoder can call them for single positions; it keeps no cache itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tui_gpt.config import ModelConfig, TrainConfig
from tui_gpt.models.classic import Dropout
from tui_gpt.models.induction import Induction, Matches
from tui_gpt.models.linear import linear
from tui_gpt.training.optim.adamw import AdamW, Optimizer
from tui_gpt.training.optim.muon import Muon
from tui_gpt.training.replicas import Replicas

LOGIT_CAP = 15.0
"""The network's own logits stay within plus and minus this."""
ROTARY_BASE = 10_000.0
EMBEDDING_LR_SCALE = 0.15
"""AdamW's rate for embeddings as a multiple of the run's learning rate, which is Muon's."""
HEAD_LR_SCALE = 0.05
SCALAR_LR_SCALE = 0.25
NGRAM_TABLES = (2**13, 2**14, 2**15)
"""Rows for the last 2, 3 and 4 characters in a network that has no prior."""

Rotary = tuple[Tensor, Tensor]
"""Cosines and sines (T, 1, D / 2) of T positions."""


def layer_norm(x: Tensor) -> Tensor:
    """(..., D) with mean 0 and variance 1 over D: the kernel that is fused on every CPU, as RMSNorm's is not."""
    return F.layer_norm(x, x.shape[-1:])


def rotary_angles(head_size: int, dtype: torch.dtype = torch.float64, device: torch.device | None = None) -> Tensor:
    """(D / 2,): by how much each pair of channels is turned from one position to the next."""
    pairs = torch.arange(head_size // 2, dtype=dtype, device=device)
    return ROTARY_BASE ** (-2 * pairs / head_size)


def rotary_table(positions: Tensor, head_size: int) -> Rotary:
    """The angles of positions (T,), slower from each pair of channels to the next; computed as exactly as positions are
    given, which matters where they are large."""
    exact = positions if positions.is_floating_point() else positions.float()
    angles = torch.outer(exact, rotary_angles(head_size, exact.dtype, exact.device))  # (T, D / 2)
    return angles.cos().float()[:, None], angles.sin().float()[:, None]


def apply_rotary(x: Tensor, rotary: Rotary) -> Tensor:
    """(B, T, H, D): each pair of channels turned by its position's angle."""
    cos, sin = rotary
    left, right = x.chunk(2, dim=-1)
    return torch.cat([left * cos - right * sin, left * sin + right * cos], dim=-1)


class SquaredReLU(torch.autograd.Function):
    """relu(x)², keeping one tensor for the backward pass instead of two."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        positive = x.relu()
        ctx.save_for_backward(positive)
        return positive * positive

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (positive,) = ctx.saved_tensors
        return torch.mul(gradients[0], positive).mul_(2.0)


def _fresh(*shape: int) -> nn.Parameter:
    """A matrix, or several, whose outputs have about half the variance of its inputs."""
    return nn.Parameter(torch.randn(*shape) * (0.35 / shape[-1]) ** 0.5)


class Attention(nn.Module):
    """Causal self-attention; queries and keys are normalised, then turned to their positions."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.n_head = config.n_head
        C = config.n_embd
        self.qkv = _fresh(3, C, C)
        self.projection = nn.Parameter(torch.zeros(C, C))

    def heads(self, x: Tensor, rotary: Rotary) -> tuple[Tensor, Tensor, Tensor]:
        """q, k, v, each (B, H, T, D), of normalised x (B, T, C) at the positions of `rotary`."""
        B, T, C = x.shape
        qkv = linear(x, self.qkv.flatten(0, 1))  # (B, T, 3C)
        q, k, v = qkv.view(B, T, 3, self.n_head, C // self.n_head).unbind(2)  # (B, T, H, D)
        q, k = apply_rotary(layer_norm(q), rotary), apply_rotary(layer_norm(k), rotary)
        return q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)

    def merge_heads(self, y: Tensor) -> Tensor:
        """What the heads found (B, H, T, D), projected back to the stream (B, T, C)."""
        B, H, T, D = y.shape
        return linear(y.transpose(1, 2).reshape(B, T, H * D), self.projection)

    def forward(self, x: Tensor, rotary: Rotary) -> Tensor:
        q, k, v = self.heads(x, rotary)
        return self.merge_heads(F.scaled_dot_product_attention(q, k, v, is_causal=True))


class FeedForward(nn.Module):
    """Each position by itself: to four times the width, squared ReLU, and back."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        C = config.n_embd
        self.expand = _fresh(4 * C, C)
        self.contract = nn.Parameter(torch.zeros(C, 4 * C))

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = SquaredReLU.apply(linear(x, self.expand))  # type: ignore[no-untyped-call]  # (B, T, 4C)
        return linear(h, self.contract)


class Block(nn.Module):
    """Attention, then feed-forward, each reading a normalised stream and adding to it."""

    def __init__(self, config: ModelConfig, dropout: Dropout) -> None:
        super().__init__()
        self.attention = Attention(config)
        self.feed_forward = FeedForward(config)
        self.dropout = dropout

    def forward(self, x: Tensor, rotary: Rotary) -> Tensor:
        x = x + self.dropout(self.attention(layer_norm(x), rotary))
        ff_out: Tensor = self.dropout(self.feed_forward(layer_norm(x)))
        return x + ff_out


def ngram_rows(tokens: Tensor, vocab_size: int) -> Tensor:
    """Return (B, T, 3) row numbers for the n-grams that end at tokens (B, T); what lies before them counts as character
    0."""
    key, offset, rows = tokens, 0, []
    for n, size in enumerate(NGRAM_TABLES, 1):
        key = key * vocab_size + F.pad(tokens, (n, 0))[:, : tokens.shape[1]]
        spread = key if vocab_size**2 <= size and n == 1 else (key * 0x9E3779B1 & 0xFFFFFFFFFFFF) >> 16
        rows.append(spread % size + offset)
        offset += size
    return torch.stack(rows, dim=-1)


class NgramEmbedding(nn.Module):
    """An embedding for the last 2, 3 and 4 characters, added up: what a network without a prior has in its place.

    Each n-gram has its row by a hash of its characters, so that tables need no list of n-grams; where there are few
    enough characters, no two pairs share a row.
    """

    def __init__(self, vocab_size: int, n_embd: int) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.weight = nn.Parameter(torch.randn(sum(NGRAM_TABLES), n_embd) * 0.1)

    def rows(self, tokens: Tensor) -> Tensor:
        """`ngram_rows` of tokens (B, T)."""
        return ngram_rows(tokens, self.vocab_size)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, C) for tokens (B, T)."""
        return F.embedding(self.rows(tokens), self.weight).sum(dim=2)


class Modern(nn.Module):
    """`forward(tokens, targets, prior)` gives logits (B, T, V) and, with targets, the loss in nats per character."""

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
        """Logits (B, T, V) after each of `tokens` (B, T), T at most block_size, and the loss if there are `targets`
        (B, T).

        `prior` (B, T, V) holds the n-gram log-probabilities after each token, for a model with `ngram_order`.
        """
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        rotary = rotary_table(positions, self.config.n_embd // self.config.n_head)
        matches = self.matches(tokens, tokens.shape[1])
        x = self.dropout(self.embedded(tokens, prior, matches))
        for block in self.blocks:
            x = block(x, rotary)
        logits = self.logits(x, prior, matches)
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.view(-1, self.vocab_size), targets.reshape(-1))

    def adam_groups(self) -> list[dict[str, Any]]:
        """AdamW's parameters, with each group's rate as a multiple of the run's."""
        embeddings: list[Tensor] = [self.token_embedding.weight]
        if self.ngram_embedding is not None:
            embeddings.append(self.ngram_embedding.weight)
        groups: list[dict[str, Any]] = [
            {"params": embeddings, "lr_scale": EMBEDDING_LR_SCALE},
            {"params": [self.head], "lr_scale": HEAD_LR_SCALE},
        ]
        if self.config.ngram_order:
            embeddings.append(self.prior_embedding)
            groups[1]["params"].append(self.prior_trust)
            groups.append({"params": [self.prior_gate], "lr_scale": SCALAR_LR_SCALE})
        if self.induction is not None:
            biases = [self.induction.follower_bias, self.induction.candidate_bias]
            embeddings.append(self.induction.embedding)
            groups[1]["params"].append(self.induction.gate)
            groups.append({"params": biases, "lr_scale": SCALAR_LR_SCALE})
        return groups

    def matches(self, window: Tensor, last: int) -> Matches | None:
        """Earlier places like the `last` positions of windows (B, T), if the model is told of them."""
        return None if self.induction is None else self.induction.matches(window, last)

    def embedded(
        self, tokens: Tensor, prior: Tensor | None, matches: Matches | None, before: Tensor | None = None
    ) -> Tensor:
        """(B, T, C): what enters the first block; `before` (B, up to 3) are the characters before."""
        x: Tensor = self.token_embedding(tokens)
        if self.ngram_embedding is not None:
            read = tokens if before is None else torch.cat([before, tokens], dim=1)
            x = x + self.ngram_embedding(read)[:, -tokens.shape[1] :]
        if prior is not None:
            x = x + linear(prior, self.prior_embedding)
        if self.induction is not None and matches is not None:
            x = x + self.induction.embedded(matches)
        return layer_norm(x)

    def logits(self, x: Tensor, prior: Tensor | None, matches: Matches | None) -> Tensor:
        """(B, T, V) from what leaves the last block (B, T, C): the network's opinion on top of the prior's."""
        x = layer_norm(x)
        own: Tensor = LOGIT_CAP * torch.tanh(linear(x, self.head) / LOGIT_CAP)
        if self.induction is not None and matches is not None:
            own = own + self.induction.logits(x, matches)
        if prior is None:
            return own
        gate = self.prior_gate + linear(x, self.prior_trust)  # (B, T, V)
        return own + gate * prior


def modern_optimizers(
    networks: Sequence[Modern], config: TrainConfig, replicas: Replicas | None = None
) -> list[Optimizer]:
    """Muon for the matrices inside the blocks, shared out among the threads of `replicas`; AdamW for the rest.

    A group's `lr_scale` is its rate as a multiple of the run's learning rate, which is Muon's.
    """
    in_blocks = [parameter for network in networks for parameter in network.blocks.parameters()]
    groups = [group for network in networks for group in network.adam_groups()]
    matrices: list[dict[str, Any]] = [{"params": in_blocks, "lr_scale": 1.0}]
    threads: dict[str, Any] = {"parts": len(replicas.models), "run_parallel": replicas.run_parallel} if replicas else {}
    muon = Muon(matrices, lr=config.learning_rate, weight_decay=config.weight_decay, **threads)
    adam = AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.95), weight_decay=0.0)
    return [muon, adam]
