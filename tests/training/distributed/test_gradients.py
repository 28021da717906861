"""The gradients of a step of several ranks, with DistributedDataParallel and the network replaced by fakes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.training.workbench import MODEL, TRAIN, Workbench
from tui_gpt.config import changed
from tui_gpt.ranks import Ranks
from tui_gpt.training.compute.interruption import StepAbortedError
from tui_gpt.training.distributed import gradients as module
from tui_gpt.training.distributed.gradients import SharedGradients
from tui_gpt.training.step_gradients import Step


class FakeDDP(nn.Module):
    """Notes for every forward and backward pass whether it would exchange gradients."""

    def __init__(self, model: nn.Module, **_: Any) -> None:
        super().__init__()
        self.model = model
        self.exchanges = True
        self.passes: list[tuple[str, bool]] = []

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        self.exchanges = False
        yield
        self.exchanges = True

    def forward(self, *inputs: Tensor) -> Any:
        self.passes.append(("forward", self.exchanges))
        logits, loss = self.model(*inputs)
        loss.register_hook(lambda _: self.passes.append(("backward", self.exchanges)))
        return logits, loss


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Workbench:
    """A run of three batches per step, without a network."""
    monkeypatch.setattr(module, "DistributedDataParallel", FakeDDP)
    monkeypatch.setattr("torch.distributed.all_reduce", lambda *_: None)
    return Workbench(MODEL, changed(TRAIN, {"gradient_accumulation": 3}))


def shared(bench: Workbench) -> tuple[SharedGradients, FakeDDP]:
    gradients = SharedGradients(bench.parts.replicas, bench.parts.batches, bench.parts.device, Ranks().world)
    assert isinstance(gradients._model, FakeDDP)
    return gradients, gradients._model


def test_gradients_are_exchanged_once_per_step_around_forward_and_backward(bench: Workbench) -> None:
    gradients, model = shared(bench)
    gradients.accumulate(0, lambda: False)
    assert model.passes == [(name, number == 2) for number in range(3) for name in ("forward", "backward")]


def test_the_share_of_a_single_rank_has_the_gradients_of_one_process(bench: Workbench) -> None:
    state = bench.model.dropout.generator.get_state()
    expected = bench.parts.gradients.accumulate(Step(2, 0.1, 1.0))
    wanted = [parameter.grad for parameter in bench.model.parameters()]
    bench.model.zero_grad()
    bench.model.dropout.generator.set_state(state)
    loss = shared(bench)[0].accumulate(2, lambda: False)
    assert torch.allclose(loss, expected, atol=1e-6)
    for parameter, gradient in zip(bench.model.parameters(), wanted, strict=True):
        assert parameter.grad is not None
        assert gradient is not None
        assert torch.allclose(parameter.grad, gradient, atol=1e-6)


def test_a_stop_is_agreed_on_between_two_parts_of_a_step(bench: Workbench) -> None:
    gradients, model = shared(bench)
    answers = iter([False, True])
    with pytest.raises(StepAbortedError):
        gradients.accumulate(0, lambda: next(answers))
    assert [name for name, _ in model.passes].count("forward") == 2
