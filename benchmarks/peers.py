"""The peers: the same shapes written the plain way, as most tutorials and nanoGPT do, to be timed beside this program.

Written for comparison, with nanoGPT's choices: GELU, no biases, LayerNorm without bias, tied head, dropout modules,
AdamW as torch chooses it by default on a CPU, and one `.item()` a logged step.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    """Of a plain GPT."""

    vocab_size: int
    block_size: int
    n_layer: int
    n_head: int
    n_embd: int
    dropout: float = 0.0


class PlainBlock(nn.Module):
    """Attention and feed-forward, each behind a LayerNorm."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        C = shape.n_embd
        self.heads, self.drop_share = shape.n_head, shape.dropout
        self.norm_1, self.norm_2 = nn.LayerNorm(C, bias=False), nn.LayerNorm(C, bias=False)
        self.qkv, self.out = nn.Linear(C, 3 * C, bias=False), nn.Linear(C, C, bias=False)
        self.up, self.down = nn.Linear(C, 4 * C, bias=False), nn.Linear(4 * C, C, bias=False)
        self.drop_1, self.drop_2 = nn.Dropout(shape.dropout), nn.Dropout(shape.dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop_1(self.out(self.mixed(self.norm_1(x))))
        return x + self.drop_2(self.down(F.gelu(self.up(self.norm_2(x)))))  # type: ignore[no-any-return]

    def mixed(self, x: Tensor) -> Tensor:
        """(B, T, C): what attention gathers."""
        B, T, C = x.shape
        q, k, v = (part.view(B, T, self.heads, C // self.heads).transpose(1, 2) for part in self.qkv(x).split(C, dim=2))
        share = self.drop_share if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=share, is_causal=True)
        return y.transpose(1, 2).contiguous().view(B, T, C)


class PlainGPT(nn.Module):
    """`model(tokens, targets)` gives logits and loss."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.tokens = nn.Embedding(shape.vocab_size, shape.n_embd)
        self.positions = nn.Embedding(shape.block_size, shape.n_embd)
        self.drop = nn.Dropout(shape.dropout)
        self.blocks = nn.ModuleList(PlainBlock(shape) for _ in range(shape.n_layer))
        self.norm = nn.LayerNorm(shape.n_embd, bias=False)
        self.head = nn.Linear(shape.n_embd, shape.vocab_size, bias=False)
        self.tokens.weight = self.head.weight
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                scale = math.sqrt(2 * shape.n_layer) if name.endswith(("out.weight", "down.weight")) else 1.0
                nn.init.normal_(parameter, std=0.02 / scale)

    def forward(self, tokens: Tensor, targets: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        x = self.drop(self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1])))
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        if targets is None:
            return self.head(x[:, [-1]]), None
        logits = self.head(x)
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))

    @torch.no_grad()
    def generate(self, tokens: Tensor, count: int, temperature: float = 0.8) -> Tensor:
        """Append `count` characters the usual way: crop to the context, run everything again, draw."""
        for _ in range(count):
            logits, _ = self(tokens[:, -self.shape.block_size :])
            chosen = torch.multinomial(F.softmax(logits[:, -1] / temperature, dim=-1), 1)
            tokens = torch.cat((tokens, chosen), dim=1)
        return tokens


class PlainTraining:
    """nanoGPT's training step on random windows."""

    def __init__(self, model: nn.Module, data: Tensor, batch_size: int, block_size: int, learning_rate: float) -> None:
        self.model, self.data = model.train(), data
        self.batch_size, self.block_size = batch_size, block_size
        decayed = [p for p in model.parameters() if p.ndim >= 2]
        plain = [p for p in model.parameters() if p.ndim < 2]
        self.optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}],
            lr=learning_rate,
            betas=(0.9, 0.99),
        )
        self.number = 0

    def step(self) -> None:
        """One iteration: draw a batch, forward, backward, clip, update."""
        starts = torch.randint(len(self.data) - self.block_size, (self.batch_size,)).tolist()
        inputs = torch.stack([self.data[s : s + self.block_size].long() for s in starts])
        targets = torch.stack([self.data[s + 1 : s + 1 + self.block_size].long() for s in starts])
        _, loss = self.model(inputs, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.number += 1
        if self.number % 10 == 0:
            loss.item()
