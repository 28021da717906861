"""Bad steps on a device whose values are read late. Here the CPU plays that device: it computes the same."""

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from tests.training.test_trainer import spoil_gradients
from tests.training.workbench import MODEL, TRAIN, Workbench, learning_log, same_weights
from tui_gpt.config import ModelConfig, TrainConfig
from tui_gpt.errors import DivergedError
from tui_gpt.events import Event, Finished, Progress, RolledBack, SettingChanged, StepSkipped
from tui_gpt.training.optim.adamw import AdamW, Optimizer
from tui_gpt.training.optim.muon import Muon

MODERN = ModelConfig(architecture="modern", block_size=16, n_layer=1, n_head=2, n_embd=16, induction=True, dropout=0.1)
MUON = dataclasses.replace(TRAIN, optimizer="muon", learning_rate=0.02)


class NoReading(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it unannotated
    """Counts how often Python reads a floating-point or boolean value, which waits for a GPU.

    Whole numbers are not counted: Muon keeps the numbers of its steps on the CPU. What the CPU's operators read inside
    is not seen.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # likewise
        self.reads = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default and args[0].dtype != torch.int64:
            self.reads += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.slow  # for two seconds of imports
@pytest.mark.parametrize(("model", "train"), [(MODEL, TRAIN), (MODERN, MUON)], ids=["adamw", "muon"])
def test_no_step_between_two_progress_events_reads_a_value_of_the_device(
    model: ModelConfig, train: TrainConfig
) -> None:
    bench = Workbench(model, dataclasses.replace(train, log_interval=5, grad_clip=1.0), is_asynchronous=True)
    events = bench.trainer.run()
    next(events)
    with NoReading() as mode:
        for step in range(1, 5):
            list(bench.trainer._make_step())
            assert (bench.state.step, mode.reads) == (step, 0)
        (progress,) = bench.trainer._make_step()
    assert isinstance(progress, Progress)
    assert mode.reads > 0
    events.close()


def test_a_run_whose_steps_are_good_is_the_same_to_the_bit() -> None:
    at_once, late = Workbench(), Workbench(is_asynchronous=True)
    assert learning_log(at_once.run()) == learning_log(late.run())
    assert same_weights(at_once.weights, late.weights)


def test_a_bad_step_leaves_the_weights_as_they_were_before_anyone_reads_it() -> None:
    bench = Workbench(train=dataclasses.replace(TRAIN, log_interval=100, eval_interval=100), is_asynchronous=True)
    spoil_gradients(bench, {1})
    events = bench.trainer.run()
    next(events)
    list(bench.trainer._make_step())
    before, optimizer = bench.weights, bench.trainer._tensors.copies().training
    list(bench.trainer._make_step())
    assert same_weights(bench.weights, before)
    after = bench.trainer._tensors.copies().training
    assert all(torch.equal(after[name], value) for name, value in optimizer.items() if name.startswith("optimizer"))
    assert bench.state.bad_steps == 0
    bench.trainer._checks.read()
    assert bench.state.bad_steps == 1
    events.close()


def test_a_skipped_step_is_reported_with_the_next_progress_and_counts_for_no_loss() -> None:
    at_once, late = Workbench(), Workbench(is_asynchronous=True)
    runs = []
    for bench in (at_once, late):
        spoil_gradients(bench, {2})
        runs.append(bench.run())
    assert StepSkipped(step=3) in runs[1]
    assert learning_log(runs[0]) == learning_log(runs[1])
    assert runs[1].index(StepSkipped(step=3)) + 1 == _first_progress(runs[1], 4)


def _first_progress(events: list[Event], step: int) -> int:
    return next(place for place, event in enumerate(events) if isinstance(event, Progress) and event.step == step)


def test_a_second_bad_step_rolls_back_when_it_is_read_and_the_steps_after_it_are_discarded() -> None:
    train = dataclasses.replace(TRAIN, log_interval=5)
    bench = Workbench(train=train, is_asynchronous=True)
    spoil_gradients(bench, {2, 6, 7})
    events = []
    for event in bench.trainer.run():
        events.append(event)
        if isinstance(event, RolledBack):
            assert same_weights(bench.weights, bench.checkpoints["best"][0].weights)
    assert RolledBack(step=7, to_step=5) in events
    assert SettingChanged(step=10, setting="learning_rate", value=5e-3, origin="trainer") in events
    assert isinstance(events[-1], Finished)


def test_a_third_bad_step_ends_the_run_and_every_checkpoint_is_finite() -> None:
    bench = Workbench(is_asynchronous=True)
    spoil_gradients(bench, set(range(7, 100)))
    with pytest.raises(DivergedError, match=r"third time, at step \d+"):
        bench.run()
    for snapshot in (*bench.checkpoints["last"], *bench.checkpoints["best"]):
        assert all(torch.isfinite(tensor).all() for tensor in snapshot.weights.values())


def test_a_checkpoint_counts_the_bad_steps_before_it_and_a_stopped_run_reports_them() -> None:
    bench = Workbench(train=dataclasses.replace(TRAIN, log_interval=100, eval_interval=100), is_asynchronous=True)
    spoil_gradients(bench, {2})
    events = bench.trainer.run()
    next(events)
    for _ in range(4):
        list(bench.trainer._make_step())
    bench.control.stop()
    assert [event for event in events if isinstance(event, StepSkipped)] == [StepSkipped(step=3)]
    last = bench.checkpoints["last"][-1].state
    assert (last.step, last.bad_steps, last.loss_count) == (4, 1, 3)


def test_a_resumed_run_is_the_one_that_was_not_interrupted() -> None:
    train = dataclasses.replace(TRAIN, max_iters=10)
    straight, first = Workbench(train=train, is_asynchronous=True), Workbench(train=train, is_asynchronous=True)
    before = list(first.run_until(5))
    resumed = Workbench(train=train, snapshot=first.checkpoints["last"][-1], is_asynchronous=True)
    assert learning_log(straight.run()) == learning_log(before) + learning_log(resumed.run())
    assert same_weights(straight.weights, resumed.weights)


@pytest.mark.parametrize("kind", [AdamW, Muon])
def test_an_optimizer_skips_a_step_on_the_device_and_makes_the_others_as_usual(kind: type[Optimizer]) -> None:
    parameters = [torch.ones(3, 3), torch.ones(3, 3)]
    optimizers = [kind([parameter], lr=0.1) for parameter in parameters]
    for step, gradient in enumerate((torch.eye(3), torch.full((3, 3), torch.nan), torch.eye(3) * 2)):
        is_good = step != 1
        parameters[0].grad = parameters[1].grad = gradient
        if is_good:
            optimizers[0].step()
        before = parameters[1].clone()
        optimizers[1].step(torch.tensor(is_good))
        assert torch.equal(parameters[1], before) is not is_good
    tolerance = 0.0 if kind is AdamW else 1e-3  # Muon's momentum rises by one step more
    assert torch.allclose(parameters[0], parameters[1], atol=tolerance, rtol=0.0)


@pytest.mark.parametrize("kind", [AdamW, Muon])
def test_the_state_of_an_optimizer_is_on_the_device_of_its_parameters(kind: type[Optimizer]) -> None:
    """The meta device has shapes and no values: an operation that reads one raises there."""
    parameter: Tensor = torch.ones(4, 6, device="meta")
    parameter.grad = torch.ones(4, 6, device="meta")
    optimizer = kind([parameter])
    optimizer.step(torch.ones((), dtype=torch.bool, device="meta"))
    state = optimizer.state[parameter]
    assert all(tensor.device.type == "meta" for tensor in state.values() if tensor.is_floating_point())
