"""The transformer of Karpathy's lecture "Let's build GPT": decoder-only, with a LayerNorm before each sublayer.

It follows "Attention Is All You Need" (Vaswani et al. 2017) and GPT-2 (Radford et al. 2019). Token and learned position
embeddings are added; each block adds causal self-attention and then a feed-forward network to the residual stream; a
final LayerNorm and a linear head give the logits. With `n_layer` 0 it is the lecture's first model, the bigram: the
embedding of a character is the logits of the next one.

Shapes: B sequences, T positions, C = n_embd, H heads of size D = C / H, V characters. Dropout acts on the embeddings
and on the output of each sublayer, but not on the attention weights: the CPU's fused attention kernel has no dropout.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tui_gpt.config import ModelConfig
from tui_gpt.models.dropout import Dropout
from tui_gpt.models.linear import Linear

INIT_STD = 0.02
"""Standard deviation of initial weights (GPT-2)."""


class SelfAttention(nn.Module):
    """Multi-head causal self-attention."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.n_head = config.n_head
        self.qkv = Linear(config.n_embd, 3 * config.n_embd, bias=False)
        self.projection = Linear(config.n_embd, config.n_embd)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, T, C) for x (B, T, C): each position attends to itself and those before it."""
        B, T, C = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.n_head, C // self.n_head).unbind(2)  # (B, T, H, D)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)  # (B, H, T, D)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        out: Tensor = self.projection(y.transpose(1, 2).reshape(B, T, C))
        return out


class FeedForward(nn.Module):
    """Two linear layers with ReLU or GELU (Hendrycks and Gimpel 2016) between them, four times as wide inside, at each
    position."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.activation = F.gelu if config.activation == "gelu" else F.relu
        self.expand = Linear(config.n_embd, 4 * config.n_embd)
        self.contract = Linear(4 * config.n_embd, config.n_embd)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, T, C) for x (B, T, C)."""
        out: Tensor = self.contract(self.activation(self.expand(x)))
        return out


class Block(nn.Module):
    """Attention, then feed-forward, each on the normalised stream and added to it."""

    def __init__(self, config: ModelConfig, dropout: Dropout) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.n_embd)
        self.attention = SelfAttention(config)
        self.feed_forward_norm = nn.LayerNorm(config.n_embd)
        self.feed_forward = FeedForward(config)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """Return the residual stream (B, T, C) after this block."""
        x = x + self.dropout(self.attention(self.attention_norm(x)))
        ff_out: Tensor = self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        return x + ff_out


class Classic(nn.Module):
    """The complete model; `dropout` is shared by its blocks and owns the random generator."""

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
        self.apply(self._init_weights)

    def forward(
        self, tokens: Tensor, targets: Tensor | None = None, prior: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Return logits (B, T, V) after each of `tokens` (B, T), T <= block_size, and the loss of `targets` (B, T).

        The loss is in nats per character, None without targets. `prior` exists for the interface that all models
        share: raises ValueError where it is given.
        """
        if prior is not None:
            raise ValueError("a classic model takes no prior")
        x = self.token_embedding(tokens)  # (B, T, C)
        if self.config.n_layer:
            x = self.dropout(x + self.position_embedding.weight[: tokens.shape[1]])
            for block in self.blocks:
                x = block(x)
            x = self.head(self.norm(x))
        logits: Tensor = x  # (B, T, V)
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.view(-1, self.vocab_size), targets.reshape(-1))

    def _init_weights(self, module: nn.Module) -> None:
        """Initialise as GPT-2: normal weights, scaled by 1 / sqrt(2 n_layer) where a sublayer adds to the stream."""
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=INIT_STD)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
        if isinstance(module, Block):
            for output in (module.attention.projection, module.feed_forward.contract):
                nn.init.normal_(output.weight, std=INIT_STD / math.sqrt(2 * self.config.n_layer))
