"""Weights in eight bits: close to what they were, and refused where they were tampered with."""

import pytest
import torch

from tui_gpt.storage.quantize import FACTORS, NUMBERS, dequantized, quantized


def weights() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    matrix = torch.randn(5, 40, generator=generator) * torch.tensor([[1e-4], [1.0], [30.0], [1.0], [0.0]])
    return {
        "matrix": matrix,
        "stack": torch.randn(2, 3, 8, generator=generator),
        "vector": torch.randn(7, generator=generator),
        "numbers": torch.arange(9),
        "exact": torch.randn(4, 4, generator=generator),
    }


def test_no_weight_moves_by_more_than_half_a_step_of_its_row() -> None:
    before = weights()
    after = dequantized(quantized(before, {"exact"}))
    assert after.keys() == before.keys()
    for name in ("matrix", "stack"):
        step = before[name].abs().amax(dim=-1, keepdim=True) / 127
        assert ((after[name] - before[name]).abs() <= 0.501 * step).all()
    torch.testing.assert_close(after["vector"].float(), before["vector"], rtol=1e-3, atol=1e-4)
    assert torch.equal(after["numbers"], before["numbers"])
    assert torch.equal(after["exact"], before["exact"])


def test_what_was_never_compacted_stays_as_it_is() -> None:
    before = weights()
    assert all(dequantized(before)[name] is tensor for name, tensor in before.items())


@pytest.mark.parametrize("factors", [None, torch.ones(3, 1), torch.ones(5), torch.ones(5, 1).int()])
def test_numbers_without_factors_that_fit_are_refused(factors: torch.Tensor | None) -> None:
    tensors = quantized({"matrix": weights()["matrix"]}, set())
    del tensors["matrix" + FACTORS]
    assert set(tensors) == {"matrix" + NUMBERS}
    if factors is not None:
        tensors["matrix" + FACTORS] = factors
    with pytest.raises(ValueError, match="'matrix' has no factors that fit"):
        dequantized(tensors)
