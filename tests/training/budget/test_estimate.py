"""How long a step takes, and which budgets are too short, are found before a run starts."""

import dataclasses
from pathlib import Path

import pytest
import torch

from tui_gpt.config import RunConfig, resolve
from tui_gpt.control import Control
from tui_gpt.errors import ConfigError
from tui_gpt.prior.orders import validation_loss
from tui_gpt.text.corpora import CorpusText, read_corpus
from tui_gpt.text.dataset import Corpus
from tui_gpt.training.budget.calibration import time_step
from tui_gpt.training.budget.estimate import MIN_STEPS, estimate, size_run
from tui_gpt.training.compute.device import ComputeDevice

CPU = ComputeDevice(torch.device("cpu"), cores=2)


def text_of(characters: int, alphabet: int = 60) -> Corpus:
    text = "".join(chr(0x4E00 + (k * 7919 + k // 13) % alphabet) for k in range(characters))
    return Corpus.build(CorpusText(name="text", text=text, digest="", source="text"), 16)


def tiny(preset: str = "nano", **settings: object) -> RunConfig:
    shape = {"n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 16, "batch_size": 4, "threads": 2, "device": "cpu"}
    return resolve(preset, "text", **{**shape, **settings})


def test_a_calibration_times_whole_steps_only_if_they_fit() -> None:
    """A clock that is a second later at every look makes every pass take a second."""
    ticks = iter(range(1_000))
    config = tiny(batch_size=64)
    found = time_step(config, text_of(3_000), CPU, Control(), 0.5, clock=lambda: float(next(ticks)))
    assert found.seconds == pytest.approx(1.0 * 64 / 2 + 1.0)
    ticks = iter(range(1_000))
    found = time_step(config, text_of(3_000), CPU, Control(), 500.0, clock=lambda: float(next(ticks)))
    assert found.seconds == pytest.approx(2.0)


def test_a_calibration_ends_immediately_when_stopped() -> None:
    control = Control()
    control.stop()
    assert time_step(tiny(), text_of(3_000), CPU, control, 1e9).seconds == 1.0


def test_a_budget_that_holds_no_useful_number_of_steps_is_refused_with_one_that_does() -> None:
    config = tiny(max_iters=None, max_seconds=30.0)
    with pytest.raises(
        ConfigError, match=r"max_seconds is 30, and not one step fits .* choose --max-seconds \d+"
    ) as refusal:
        size_run(config, text_of(3_000), CPU, Control(), lambda: 29.9)
    seconds = float(str(refusal.value).split("--max-seconds ")[1].split()[0].rstrip(","))
    longer = tiny(max_iters=None, max_seconds=seconds)
    assert size_run(longer, text_of(3_000), CPU, Control(), lambda: 29.9)[0] == longer


def test_a_budget_with_a_small_max_iters_needs_no_more_steps() -> None:
    config = tiny(max_iters=2, max_seconds=30.0)
    assert size_run(config, text_of(3_000), CPU, Control(), lambda: 1.0)[0] == config
    assert MIN_STEPS > 2


def test_an_estimate_of_a_run_with_an_n_gram_prior_has_the_loss_of_that_prior(tmp_path: Path) -> None:
    """It bounds the loss of the run from above. Other models have no such bound."""
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat, and the dog slept.\n" * 40)
    modern = {"architecture": "modern", "ngram_order": 4, "members": 1}
    config = RunConfig(
        preset="quick", corpus=str(path), model=tiny("quick", **modern).model, train=tiny(max_iters=3).train
    )
    loss = estimate(config, Control()).ngram_loss
    assert loss is not None
    assert loss == pytest.approx(validation_loss(Corpus.build(read_corpus(str(path)), 16), 4))
    assert estimate(dataclasses.replace(tiny(max_iters=3), corpus=str(path)), Control()).ngram_loss is None
