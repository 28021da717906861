"""Dropout: how much it drops, and where its random numbers come from."""

import pytest
import torch

from tui_gpt.models.dropout import Dropout


def test_the_dropped_fraction_is_p_and_the_mean_stays() -> None:
    dropped = Dropout(0.25, torch.Generator().manual_seed(3))(torch.ones(200_001))
    assert (dropped == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert dropped.unique().tolist() == pytest.approx([0, 4 / 3])
    assert dropped.mean().item() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("p", "training"), [(0.5, False), (0.0, True)])
def test_without_dropout_the_input_is_returned_and_nothing_is_drawn(p: float, training: bool) -> None:
    generator = torch.Generator().manual_seed(3)
    state, x = generator.get_state(), torch.ones(7)
    assert Dropout(p, generator).train(training)(x) is x
    assert torch.equal(generator.get_state(), state)


def test_gradients_flow_through_the_kept_activations_only() -> None:
    x = torch.ones(1000, requires_grad=True)
    y = Dropout(0.5, torch.Generator().manual_seed(3))(x)
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, y.detach())
