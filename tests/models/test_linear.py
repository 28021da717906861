"""The linear layer: whichever library multiplies, values and gradients are those of the definition."""

import pytest
import torch
from torch import Tensor, nn

from tui_gpt.models import linear
from tui_gpt.models.linear import LEAST_ROWS, Linear, batched_matmul_nt, is_quick_product_available

ROUNDING = 2e-5
"""Largest difference of sums of a few hundred products of order one, in single precision."""

SHAPES = [(LEAST_ROWS, 8, 24), (LEAST_ROWS + 5, 24, 8), (2 * LEAST_ROWS, 16, 16)]


@pytest.fixture(params=[True, False], ids=["quick", "plain"])
def layer_kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once as this machine multiplies, once as one without the quick product."""
    if request.param and not is_quick_product_available():
        pytest.skip("this machine has no quick product")
    monkeypatch.setattr(linear, "is_quick_product_available", lambda: request.param)


def drawn(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator)


def layer_of(inputs: int, outputs: int, *, bias: bool) -> Linear:
    layer = Linear(inputs, outputs, bias=bias)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(drawn(*parameter.shape))
    return layer


@pytest.mark.usefixtures("layer_kind")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("rows", "inputs", "outputs"), SHAPES)
def test_values_and_gradients_are_those_of_double_precision(rows: int, inputs: int, outputs: int, bias: bool) -> None:
    layer = layer_of(inputs, outputs, bias=bias)
    exact = nn.Linear(inputs, outputs, bias=bias, dtype=torch.float64)
    exact.load_state_dict(layer.state_dict())
    x = drawn(rows, inputs).requires_grad_()
    x64 = x.detach().double().requires_grad_()
    weighting = drawn(rows, outputs)
    y, y64 = layer(x), exact(x64)
    (y * weighting).sum().backward()
    (y64 * weighting.double()).sum().backward()
    pairs = [(y, y64), (x.grad, x64.grad)]
    pairs += [(one.grad, other.grad) for one, other in zip(layer.parameters(), exact.parameters(), strict=True)]
    for one, other in pairs:
        assert one is not None
        assert other is not None
        torch.testing.assert_close(one.double(), other, rtol=1e-5, atol=ROUNDING)


@pytest.mark.usefixtures("layer_kind")
def test_sequences_and_unusual_strides_give_the_same_values() -> None:
    layer = layer_of(12, 20, bias=True)
    x = drawn(12, 64, 8).permute(2, 1, 0)
    y = layer(x)
    assert y.shape == (8, 64, 20)
    torch.testing.assert_close(y.view(-1, 20), layer(x.reshape(-1, 12)), rtol=1e-5, atol=ROUNDING)


@pytest.mark.usefixtures("layer_kind")
def test_a_gradient_that_is_the_same_everywhere_is_taken_as_it_comes() -> None:
    """`sum` gives backward an expanded tensor, without memory of its own for each entry."""
    layer = layer_of(6, 10, bias=True)
    x = drawn(LEAST_ROWS, 6)
    layer(x).sum().backward()
    assert layer.weight.grad is not None
    torch.testing.assert_close(layer.weight.grad, x.sum(0).expand(10, 6), rtol=1e-5, atol=ROUNDING)


@pytest.mark.usefixtures("layer_kind")
@pytest.mark.parametrize(("inputs", "outputs"), [(8, 32), (32, 8)])
def test_gradients_lie_in_memory_as_their_parameters_do(inputs: int, outputs: int) -> None:
    """Fused AdamW walks through both side by side and never asks for strides."""
    layer = layer_of(inputs, outputs, bias=True)
    layer(drawn(LEAST_ROWS, inputs)).square().sum().backward()
    for parameter in layer.parameters():
        assert parameter.grad is not None
        assert parameter.grad.stride() == parameter.stride()


def test_it_has_the_names_and_the_fresh_weights_of_the_plain_layer() -> None:
    torch.manual_seed(1)
    ours = Linear(5, 7).state_dict()
    torch.manual_seed(1)
    plain = nn.Linear(5, 7).state_dict()
    assert ours.keys() == plain.keys()
    assert all(torch.equal(ours[name], plain[name]) for name in plain)


def test_few_rows_are_multiplied_as_pytorch_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Tensor:
        raise AssertionError("not for so few rows")

    monkeypatch.setattr(linear, "_onednn_linear", refuse)
    layer = layer_of(6, 10, bias=True)
    few = drawn(LEAST_ROWS - 1, 6)
    assert torch.equal(layer(few), nn.functional.linear(few, layer.weight, layer.bias))


@pytest.mark.parametrize("failure", [AttributeError, RuntimeError])
def test_a_pytorch_without_the_operator_has_no_quick_product(
    failure: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> Tensor:
        raise failure("no such operator")

    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(linear, "_onednn_linear", missing)
    assert not linear._found_quick_product.__wrapped__()


def test_a_wrong_product_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(linear, "_onednn_linear", lambda x, weight: (x @ weight.T).bfloat16().float())
    assert not linear._found_quick_product.__wrapped__()


@pytest.mark.usefixtures("layer_kind")
@pytest.mark.parametrize("shape", [(3, 80, 80), (2, 64, 200), (5, 8, 12)])
def test_stacks_are_multiplied_matrix_by_matrix(shape: tuple[int, int, int]) -> None:
    left, right = drawn(*shape), drawn(shape[0], 2 * shape[1], shape[2])
    expected = torch.einsum("nmk,nlk->nml", left.double(), right.double())
    torch.testing.assert_close(batched_matmul_nt(left, right).double(), expected, rtol=1e-5, atol=ROUNDING)
