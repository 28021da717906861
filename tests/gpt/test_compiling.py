"""Compiled blocks, for real where there is a C++ compiler."""

import dataclasses
import shutil
from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.gpt.workbench import TRAIN, Workbench, learning_log
from tui_gpt.config import ModelConfig
from tui_gpt.events import Changed, Event
from tui_gpt.gpt import linear
from tui_gpt.progress import _news

COMPILED = dataclasses.replace(TRAIN, compile=True, threads=2, max_iters=6)
PLAIN = dataclasses.replace(COMPILED, compile=False)
MODERN = ModelConfig(architecture="modern", block_size=16, n_layer=2, n_head=2, n_embd=16, dropout=0.2)


def problems(events: list[Event]) -> list[object]:
    return [event.value for event in events if isinstance(event, Changed) and event.setting == "compile_problem"]


@pytest.mark.skipif(shutil.which("c++") is None, reason="needs a C++ compiler")
def test_a_compiled_run_learns_what_a_plain_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """With dropout, on two cores, and with oneDNN's products where there are any."""
    monkeypatch.setattr(linear, "LEAST_ROWS", 1)
    plain, compiled = Workbench(MODERN, PLAIN), Workbench(MODERN, COMPILED)
    expected, events = plain.run(), compiled.run()
    assert problems(events) == []
    assert all("forward" in vars(block) for block in compiled.model.blocks)  # type: ignore[union-attr]  # a list
    for one, other in zip(learning_log(expected), learning_log(events), strict=True):
        assert one[:2] == other[:2]
        assert one[2:4] == pytest.approx(other[2:4], rel=1e-3)


def broken(function: Callable[..., Any], **_: object) -> Callable[..., Any]:
    def fail(*_: object) -> None:
        raise RuntimeError("no working C++ compiler\n  at all")

    return fail


def wrong(function: Callable[..., Any], **_: object) -> Callable[..., Any]:
    return lambda *inputs: 2 * function(*inputs)


@pytest.mark.parametrize(
    ("compiler", "reason"), [(broken, "RuntimeError: no working C++ compiler"), (wrong, "its gradients are")]
)
def test_a_compiler_that_fails_or_is_wrong_leaves_the_run_as_it_would_be(
    monkeypatch: pytest.MonkeyPatch, compiler: Callable[..., Any], reason: str
) -> None:
    monkeypatch.setattr(torch, "compile", compiler)
    expected, events = Workbench(train=PLAIN).run(), Workbench(train=COMPILED).run()
    (problem,) = problems(events)
    assert str(problem).startswith(reason)
    assert "\n" not in str(problem)
    assert learning_log(events) == learning_log(expected)


def test_the_fallback_is_said() -> None:
    said = _news(Changed(step=0, setting="compile_problem", value="no working C++ compiler"))
    assert said == "warning: the run goes on without --compile (no working C++ compiler)"


def test_a_stop_during_the_trial_ends_the_run() -> None:
    bench = Workbench(train=COMPILED)
    bench.control.stop()
    events = bench.run()
    assert problems(events) == []
    assert all("forward" not in vars(block) for block in bench.model.blocks)  # type: ignore[union-attr]  # a list
