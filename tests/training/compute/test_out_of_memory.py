"""When a device's memory runs out, a step is repeated in smaller passes, and so are the steps after it."""

import dataclasses

import pytest
import torch
from torch import Tensor, nn

from tests.training.workbench import MODEL, TRAIN, Workbench, learning_log, same_weights
from tui_gpt.config import ModelConfig
from tui_gpt.errors import DeviceMemoryError
from tui_gpt.events import Event, Finished, MemoryRanOut

BATCH = dataclasses.replace(TRAIN, batch_size=8, max_iters=6, eval_interval=3)
STILL = dataclasses.replace(MODEL, dropout=0.0)
MODERN = ModelConfig(architecture="modern", block_size=16, n_layer=1, n_head=2, n_embd=16, members=3)


def fit_only(bench: Workbench, windows: int, message: str = "CUDA out of memory. Tried to allocate 2 GiB") -> None:
    """Let memory run out in a training pass of more windows, after the random numbers of its dropout were drawn."""

    def allocate(_model: nn.Module, inputs: tuple[Tensor, ...], _output: object) -> None:
        if torch.is_grad_enabled() and len(inputs[0]) > windows:
            for generator in bench.parts.generators.values():
                torch.rand(3, generator=generator)
            raise torch.OutOfMemoryError(message)

    bench.model.register_forward_hook(allocate)


def smaller(events: list[Event]) -> list[MemoryRanOut]:
    return [event for event in events if isinstance(event, MemoryRanOut)]


@pytest.mark.parametrize(("fitting", "windows"), [(8, None), (3, 2), (1, 1)])
def test_the_run_is_the_undisturbed_one_up_to_the_order_of_summation(fitting: int, windows: int | None) -> None:
    undisturbed, small = Workbench(STILL, BATCH), Workbench(STILL, BATCH)
    fit_only(small, fitting)
    one, other = undisturbed.run(), small.run()
    reported = smaller(other)
    assert (reported[-1].windows if reported else None) == windows
    assert all(event.step == 1 for event in reported)
    for expected, got in zip(learning_log(one), learning_log(other), strict=True):
        assert got[1:] == pytest.approx(expected[1:], abs=2e-4)


def test_dropout_draws_the_numbers_of_a_run_that_began_with_the_smaller_passes() -> None:
    planned, reduced = Workbench(train=BATCH), Workbench(train=BATCH)
    planned.parts.replicas.limit_windows(2)
    fit_only(reduced, 2)
    assert learning_log(planned.run()) == learning_log(reduced.run())
    assert same_weights(planned.weights, reduced.weights)


def test_memory_that_runs_out_in_the_middle_of_a_run_is_reported_at_that_step() -> None:
    bench = Workbench(train=BATCH)
    events = []
    for event in bench.trainer.run():
        events.append(event)
        if event.step == 4:
            fit_only(bench, 5, "MPS backend out of memory (MPS allocated: 9 GB)")
    assert smaller(events) == [MemoryRanOut(step=5, windows=4)]
    assert isinstance(events[-1], Finished)


def test_a_resumed_run_starts_with_the_smaller_passes_and_reports_nothing_again() -> None:
    first = Workbench(train=BATCH)
    fit_only(first, 4)
    straight = first.run()
    again = Workbench(train=BATCH)
    fit_only(again, 4)
    before = list(again.run_until(4))
    resumed = Workbench(train=BATCH, snapshot=again.checkpoints["last"][-1])
    fit_only(resumed, 4)
    after = resumed.run()
    assert smaller(after) == []
    assert learning_log(before) + learning_log(after) == learning_log(straight)


def test_a_window_that_does_not_fit_ends_the_run_with_remedies() -> None:
    bench = Workbench(train=BATCH)
    fit_only(bench, 0)
    with pytest.raises(DeviceMemoryError, match=r"single window of 16 characters: .* smaller --block-size") as error:
        bench.run()
    assert "--device cpu" not in str(error.value)


def test_a_pass_of_an_ensemble_keeps_a_window_for_every_member() -> None:
    bench = Workbench(MODERN, dataclasses.replace(BATCH, max_iters=2, eval_interval=2))
    fit_only(bench, 4)
    assert [event.windows for event in smaller(bench.run())] == [3]


def test_another_error_of_the_device_is_not_repeated() -> None:
    bench = Workbench(train=BATCH)

    def fail(*_: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    bench.model.register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="illegal memory access"):
        bench.run()
