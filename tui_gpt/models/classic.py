"""The seed's model: a decoder-only transformer as in "Attention Is All You Need" and GPT-2, with LayerNorm first.

Token and learned position embeddings are added; each block mixes positions by causal self-attention and then works on
each position alone by a feed-forward network, both as a correction added to the residual stream; a LayerNorm and a
linear head turn the stream into logits. Without blocks (`n_layer` 0) it is the lecture's first model, the bigram: each
character's embedding *is* the logits of the next one.

Shapes: B sequences, T positions, C = n_embd, H heads of D = C / H, V characters. Dropout acts on the embeddings and on
what attention and feed-forward add to the stream, deliberately not on the attention weights: the fused attention kernel
of the CPU cannot drop them.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tui_gpt.config import ModelConfig
from tui_gpt.models.dropout import Dropout
from tui_gpt.models.linear import Linear

INIT_STD = 0.02
"""Standard deviation of fresh weights (GPT-2)."""


class SelfAttention(nn.Module):
    """Multi-head causal self-attention: each position gathers from itself and those before it."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.n_head = config.n_head
        self.qkv = Linear(config.n_embd, 3 * config.n_embd, bias=False)
        self.projection = Linear(config.n_embd, config.n_embd)

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each (B, H, T, D), of x (B, T, C)."""
        B, T, C = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.n_head, C // self.n_head).unbind(2)  # (B, T, H, D)
        return q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)

    def merge_heads(self, y: Tensor) -> Tensor:
        """What the heads found (B, H, T, D), side by side and mixed: (B, T, C)."""
        B, H, T, D = y.shape
        return self.projection(y.transpose(1, 2).reshape(B, T, H * D))  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.heads(x)
        return self.merge_heads(F.scaled_dot_product_attention(q, k, v, is_causal=True))


class FeedForward(nn.Module):
    """Two linear layers, four times as wide between them, with ReLU."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.expand = Linear(config.n_embd, 4 * config.n_embd)
        self.contract = Linear(4 * config.n_embd, config.n_embd)

    def forward(self, x: Tensor) -> Tensor:
        return self.contract(F.relu(self.expand(x)))  # type: ignore[no-any-return]


class Block(nn.Module):
    """Communication, then computation: attention and feed-forward, each normalised before and added to the stream."""

    def __init__(self, config: ModelConfig, dropout: Dropout) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.n_embd)
        self.attention = SelfAttention(config)
        self.feed_forward_norm = nn.LayerNorm(config.n_embd)
        self.feed_forward = FeedForward(config)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.dropout(self.attention(self.attention_norm(x)))
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))  # type: ignore[no-any-return]


class Classic(nn.Module):
    """`forward(tokens, targets)` gives logits (B, T, V) and, with targets, the loss in nats per character."""

    def __init__(self, config: ModelConfig, vocab_size: int) -> None:
        super().__init__()
        self.config = config
        self.vocab_size = vocab_size
        self.dropout = Dropout(config.dropout, torch.Generator())
        self.token_embedding = nn.Embedding(vocab_size, config.n_embd if config.n_layer else vocab_size)
        if config.n_layer:
            self.position_embedding = nn.Embedding(config.block_size, config.n_embd)
            self.blocks = nn.ModuleList(Block(config, self.dropout) for _ in range(config.n_layer))
            self.norm = nn.LayerNorm(config.n_embd)
            self.head = Linear(config.n_embd, vocab_size)
        self.apply(self._initialise)

    def forward(
        self, tokens: Tensor, targets: Tensor | None = None, prior: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Logits (B, T, V) after each of `tokens` (B, T), T at most block_size; the loss when `targets` (B, T) are
        given.

        `prior` is there for the interface that both models share; this one takes none.
        """
        if prior is not None:
            raise ValueError("a classic model takes no prior")
        x = self.token_embedding(tokens)  # (B, T, C)
        if self.config.n_layer:
            x = self.dropout(x + self.position_embedding.weight[: tokens.shape[1]])
            for block in self.blocks:
                x = block(x)
        logits = self.logits(x)
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.view(-1, self.vocab_size), targets.reshape(-1))

    def logits(self, x: Tensor) -> Tensor:
        """(B, T, V) from what leaves the last block (B, T, C)."""
        if not self.config.n_layer:
            return x
        return self.head(self.norm(x))  # type: ignore[no-any-return]

    def _initialise(self, module: nn.Module) -> None:
        """GPT-2's: small normal weights, smaller still where many layers add to one stream; zero biases."""
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=INIT_STD)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
        if isinstance(module, Block):
            for added in (module.attention.projection, module.feed_forward.contract):
                nn.init.normal_(added.weight, std=INIT_STD / math.sqrt(2 * self.config.n_layer))
