"""Compiled blocks, for real where there is a C++ compiler."""

import dataclasses
import shutil
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.workbench import MODEL, TRAIN, Workbench, learning_log
from tui_gpt.config import ModelConfig, PrecisionName
from tui_gpt.events import CompileFailed, Event
from tui_gpt.models import linear

COMPILED = dataclasses.replace(TRAIN, compile=True, threads=2, max_iters=6)
PLAIN = dataclasses.replace(COMPILED, compile=False)
MODERN = ModelConfig(architecture="modern", block_size=16, n_layer=2, n_head=2, n_embd=16, dropout=0.2)


def problems(events: list[Event]) -> list[str]:
    return [event.problem for event in events if isinstance(event, CompileFailed)]


CAN_COMPILE = shutil.which("c++") is not None and Path(sysconfig.get_path("include"), "Python.h").exists()


@pytest.mark.slow
@pytest.mark.skipif(not CAN_COMPILE, reason="needs a C++ compiler and Python's headers")
def test_a_compiled_run_learns_what_a_plain_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """With dropout, on two cores, and with oneDNN's products where there are any."""
    monkeypatch.setattr(linear, "MIN_ROWS", 1)
    plain, compiled = Workbench(MODERN, PLAIN), Workbench(MODERN, COMPILED)
    expected, events = plain.run(), compiled.run()
    assert problems(events) == []
    assert {"blocks.0", "blocks.1"} <= set(changed_modules(compiled))
    for one, other in zip(learning_log(expected), learning_log(events), strict=True):
        assert one[:2] == other[:2]
        assert one[2:4] == pytest.approx(other[2:4], rel=1e-3)


def broken(function: Callable[..., Any], **_: object) -> Callable[..., Any]:
    def fail(*_: object) -> None:
        raise RuntimeError("no working C++ compiler\n  at all")

    return fail


def wrong(function: Callable[..., Any], **_: object) -> Callable[..., Any]:
    return lambda x, *rest: x + 1.1 * (function(x, *rest) - x)


@pytest.mark.parametrize("model", [MODEL, MODERN], ids=["classic", "modern"])
@pytest.mark.parametrize(
    ("compiler", "reason"), [(broken, "RuntimeError: no working C++ compiler"), (wrong, "its gradients are")]
)
def test_a_failing_or_wrong_compiler_does_not_change_the_run(
    monkeypatch: pytest.MonkeyPatch, compiler: Callable[..., Any], reason: str, model: ModelConfig
) -> None:
    """Also one that is wrong in what fresh blocks multiply by zero."""
    monkeypatch.setattr(torch, "compile", compiler)
    expected, bench = Workbench(model, PLAIN).run(), Workbench(model, COMPILED)
    events = bench.run()
    (problem,) = problems(events)
    assert problem.startswith(reason)
    assert "\n" not in problem
    assert learning_log(events) == learning_log(expected)
    assert changed_modules(bench) == []


@pytest.mark.parametrize(("precision", "is_refused"), [("fp32", True), ("bf16", False)])
def test_a_compiler_may_round_as_much_as_bfloat16_does_where_the_run_does(
    monkeypatch: pytest.MonkeyPatch, precision: PrecisionName, is_refused: bool
) -> None:
    def inexact(function: Callable[..., Any], **_: object) -> Callable[..., Any]:
        return lambda x, *rest: x + 1.03 * (function(x, *rest) - x)

    monkeypatch.setattr(torch, "compile", inexact)
    train = dataclasses.replace(COMPILED, max_iters=1, precision=precision)
    assert bool(problems(Workbench(train=train).run())) is is_refused


def test_a_stop_during_the_trial_undoes_the_compilation(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Workbench(train=COMPILED)

    def stopping(function: Callable[..., Any], **_: object) -> Callable[..., Any]:
        def compiled(*inputs: Any) -> Any:
            bench.control.stop()
            return function(*inputs)

        return compiled

    monkeypatch.setattr(torch, "compile", stopping)
    assert problems(bench.run()) == []
    assert changed_modules(bench) == []


def changed_modules(bench: Workbench) -> list[str]:
    return [name for name, module in bench.model.named_modules() if "forward" in vars(module)]
