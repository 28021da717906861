"""Plain implementations of the same shapes, as in most tutorials and nanoGPT, for comparison with this program.

They follow nanoGPT: GELU, no biases, LayerNorm without bias, tied head, dropout modules,
AdamW as torch chooses it by default on a CPU, one `.item()` and one line per iteration, and 20 batches of each split
measured every 250. `python benchmarks/peers.py ITERATIONS` is nanoGPT's CPU demo as a complete command.
"""

import math
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    """The shape of a plain GPT."""

    vocab_size: int
    block_size: int
    n_layer: int
    n_head: int
    n_embd: int
    dropout: float = 0.0


class PlainBlock(nn.Module):
    """Attention and feed-forward, each after a LayerNorm."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        C = shape.n_embd
        self.heads, self.dropout = shape.n_head, shape.dropout
        self.norm_1, self.norm_2 = nn.LayerNorm(C, bias=False), nn.LayerNorm(C, bias=False)
        self.qkv, self.out = nn.Linear(C, 3 * C, bias=False), nn.Linear(C, C, bias=False)
        self.up, self.down = nn.Linear(C, 4 * C, bias=False), nn.Linear(4 * C, C, bias=False)
        self.drop_1, self.drop_2 = nn.Dropout(shape.dropout), nn.Dropout(shape.dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop_1(self.out(self.mixed(self.norm_1(x))))
        return x + self.drop_2(self.down(F.gelu(self.up(self.norm_2(x)))))  # type: ignore[no-any-return]

    def mixed(self, x: Tensor) -> Tensor:
        """Return the output (B, T, C) of causal self-attention."""
        B, T, C = x.shape
        q, k, v = (part.view(B, T, self.heads, C // self.heads).transpose(1, 2) for part in self.qkv(x).split(C, dim=2))
        p = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=p, is_causal=True)
        return y.transpose(1, 2).contiguous().view(B, T, C)


class PlainGPT(nn.Module):
    """A GPT; `model(tokens, targets)` returns logits and loss."""

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
        """Append `count` characters: crop to the context, recompute everything, draw."""
        for _ in range(count):
            logits, _ = self(tokens[:, -self.shape.block_size :])
            chosen = torch.multinomial(F.softmax(logits[:, -1] / temperature, dim=-1), 1)
            tokens = torch.cat((tokens, chosen), dim=1)
        return tokens


class PlainTraining:
    """nanoGPT's training loop on random windows."""

    def __init__(self, model: nn.Module, data: Tensor, batch_size: int, block_size: int, learning_rate: float) -> None:
        """`data` (N,) are the tokens to train on."""
        self.model, self.data = model.train(), data
        self.batch_size, self.block_size = batch_size, block_size
        decayed = [p for p in model.parameters() if p.ndim >= 2]
        plain = [p for p in model.parameters() if p.ndim < 2]
        self.optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}],
            lr=learning_rate,
            betas=(0.9, 0.99),
        )

    def step(self) -> float:
        """Run one iteration: draw a batch, forward, backward, clip, update; return the loss."""
        _, loss = self.model(*self.drawn(self.data))
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return float(loss.item())

    def drawn(self, data: Tensor) -> tuple[Tensor, Tensor]:
        """Return random windows of `data`, inputs and targets (B, T)."""
        starts = torch.randint(len(data) - self.block_size, (self.batch_size,)).tolist()
        inputs = torch.stack([data[s : s + self.block_size].long() for s in starts])
        return inputs, torch.stack([data[s + 1 : s + 1 + self.block_size].long() for s in starts])

    def set_rate(self, step: int, steps: int, peak: float) -> None:
        """Return the learning rate: linear warm-up over 100 steps, then cosine decay to a tenth."""
        done = max(0.0, (step - 100) / max(1, steps - 100))
        rate = peak * min((step + 1) / 101, 0.1 + 0.45 * (1.0 + math.cos(math.pi * done)))
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    @torch.no_grad()
    def estimate(self, data: Tensor, batches: int) -> float:
        """Return the mean loss over a few random batches, in nats per character."""
        self.model.eval()
        losses = [float(self.model(*self.drawn(data))[1].item()) for _ in range(batches)]
        self.model.train()
        return sum(losses) / batches


def train_demo(iterations: int) -> None:
    """nanoGPT's CPU demo on TinyShakespeare: 4 x 128, context 64, batch 12."""
    text = (Path(__file__).parents[1] / "data" / "tinyshakespeare" / "input.txt").read_text(encoding="utf-8")
    numbers = {character: number for number, character in enumerate(sorted(set(text)))}
    tokens = torch.tensor([numbers[character] for character in text], dtype=torch.int16)
    train, val = tokens[: len(tokens) * 9 // 10], tokens[len(tokens) * 9 // 10 :]
    torch.manual_seed(1337)
    training = PlainTraining(PlainGPT(Shape(len(numbers), 64, 4, 4, 128)), train, 12, 64, 1e-3)
    for number in range(iterations + 1):
        training.set_rate(number, iterations, 1e-3)
        if number % 250 == 0:
            print(f"step {number}: train loss {training.estimate(train, 20):.4f}, ", end="")
            print(f"val loss {training.estimate(val, 20):.4f}", flush=True)
        print(f"iter {number}: loss {training.step():.4f}")


if __name__ == "__main__":
    train_demo(int(sys.argv[1]))
