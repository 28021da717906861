"""The peer of contenders.py: GPT-2 from `transformers` in a preset's shape, trained with AdamW for some seconds.

    python benchmarks/gpt2.py PRESET SEED SECONDS

Prints JSON lines like `tui-gpt train --headless --json`: `started`, then `evaluated` at eight times evenly spaced in
its budget, the last at its end. AdamW (fused) at a peak rate of 1e-3, betas 0.9 and 0.99, weight decay 0.1, clipped at
1, linear warm-up over the first 2 % and linear decay to zero at the end of the budget; no dropout; random windows, the
preset's batch. Importing is not part of the budget, evaluating is, as in our own runs.
"""

import importlib
import json
import sys
import time
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tui_gpt.config import ModelConfig, resolve
from tui_gpt.text.corpora import read_corpus
from tui_gpt.text.dataset import Corpus
from tui_gpt.text.windows import gather, validation_windows

PEAK_RATE = 1e-3
EVALUATIONS = 8


def main() -> None:
    """Train, and print events."""
    preset, seed, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    config = resolve(preset)
    corpus = Corpus.build(read_corpus(config.corpus), config.model.block_size)
    torch.manual_seed(seed)
    model = built(config.model, corpus.tokenizer.vocab_size)
    print_event(type="started", parameters=sum(parameter.numel() for parameter in model.parameters()))
    train(model, corpus, config.model.block_size, config.train.batch_size, seconds)


def built(shape: ModelConfig, vocab_size: int) -> Any:
    """Return a GPT-2 of this shape, without dropout."""
    transformers = importlib.import_module("transformers")
    config = transformers.GPT2Config(
        vocab_size=vocab_size,
        n_positions=shape.block_size,
        n_layer=shape.n_layer,
        n_head=shape.n_head,
        n_embd=shape.n_embd,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
        use_cache=False,
    )
    return transformers.GPT2LMHeadModel(config).train()


def train(model: Any, corpus: Corpus, block_size: int, batch_size: int, seconds: float) -> None:
    """Train until the budget, including the last evaluation, is used up."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, betas=(0.9, 0.99), weight_decay=0.1, fused=True)
    began, step, evaluations, evaluation = time.monotonic(), 0, 0, 0.0
    while (spent := time.monotonic() - began) < seconds - evaluation:
        fraction = spent / (seconds - evaluation)
        for group in optimizer.param_groups:
            group["lr"] = PEAK_RATE * min(fraction / 0.02, 1.0 - fraction)
        starts = torch.randint(len(corpus.train) - block_size - 1, (batch_size,)).numpy()
        inputs, targets = gather(corpus.train, starts, block_size)
        loss: Any = loss_of(model, torch.from_numpy(inputs), torch.from_numpy(targets))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step += 1
        if fraction > (evaluations + 1) / EVALUATIONS:
            evaluations += 1
            asked = time.monotonic()
            evaluate(model, corpus, block_size, step)
            evaluation = time.monotonic() - asked
    evaluate(model, corpus, block_size, step)


def loss_of(model: Any, inputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean loss in nats per character."""
    logits = model(input_ids=inputs).logits
    return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.reshape(-1))


@torch.no_grad()
def evaluate(model: Any, corpus: Corpus, block_size: int, step: int) -> None:
    """Evaluate on the entire validation split, in separate windows of the context length."""
    model.eval()
    total, count = 0.0, 0
    for inputs, targets in validation_windows(corpus.val, block_size, len(corpus.val), 16_384):
        loss = loss_of(model, torch.from_numpy(inputs), torch.from_numpy(targets))
        total, count = total + float(loss) * targets.size, count + targets.size
    model.train()
    print_event(type="evaluated", step=step, val_loss=total / count)


def print_event(**event: object) -> None:
    """Print a JSON line and flush it."""
    print(json.dumps(event), flush=True)


if __name__ == "__main__":
    main()
