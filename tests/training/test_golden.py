"""The validation loss after a few steps, for each kind of model.

A change of one of these numbers means that the program computes something else, and needs a reason. The tolerance
allows for processors that round differently: a relative change of 1e-6 in every layer norm moves the losses by 1e-5.
The modern runs are chosen so that every part of the recipe shows: the factors of AdamW's learning rates, the standard
deviation of the initial weights, and Muon's momentum warm-up move them by 2.4e-4 to 0.28.
"""

import dataclasses
import random

import pytest

from tests.training.workbench import TRAIN, Workbench
from tui_gpt.config import ModelConfig
from tui_gpt.events import Evaluated

CLASSIC = ModelConfig(block_size=16, n_layer=1, n_head=2, n_embd=16)
MODERN = ModelConfig(
    architecture="modern", block_size=16, n_layer=1, n_head=2, n_embd=16, dropout=0.1, ngram_order=1, induction=True
)
ENSEMBLE = dataclasses.replace(MODERN, members=3)
MUON = dataclasses.replace(TRAIN, optimizer="muon", learning_rate=0.1, warmup_iters=0, max_iters=16, eval_interval=16)


def random_words(count: int) -> str:
    """Return a text that an n-gram model cannot predict."""
    words = ("the", "quick", "brown", "fox", "jumps", "over", "lazy", "dogs", "and", "runs", "to", "a", "river", "bank")
    draw = random.Random(0)
    return " ".join(words[int(draw.random() * len(words))] for _ in range(count))


def val_loss(bench: Workbench) -> float:
    """Return the newest validation loss after a complete run."""
    return [event for event in bench.run() if isinstance(event, Evaluated)][-1].val_loss


def test_classic_with_adamw_has_the_golden_loss() -> None:
    assert val_loss(Workbench(CLASSIC)) == pytest.approx(2.36508, abs=2e-4)


@pytest.mark.parametrize(("model", "golden"), [(MODERN, 1.91631), (ENSEMBLE, 1.91178)], ids=["modern", "ensemble"])
def test_modern_with_prior_induction_and_muon_has_the_golden_loss(model: ModelConfig, golden: float) -> None:
    assert val_loss(Workbench(model, MUON, text=random_words(600))) == pytest.approx(golden, abs=2e-4)
