"""The linear layer: values and gradients agree with double precision, whichever library multiplies."""

import pytest
import torch
from torch import Tensor, nn

from tui_gpt.models import linear
from tui_gpt.models.linear import MIN_ROWS, Linear, batched_matmul_nt, uses_onednn

ROUNDING = 2e-5
"""Largest difference of sums of a few hundred products of order one, in single precision."""

SHAPES = [(MIN_ROWS, 8, 24), (MIN_ROWS + 5, 24, 8), (2 * MIN_ROWS, 16, 16)]


@pytest.fixture(params=[True, False], ids=["onednn", "plain"])
def layer_kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test with oneDNN, where this machine uses it, and without."""
    if request.param and not uses_onednn():
        pytest.skip("this machine does not use oneDNN")
    monkeypatch.setattr(linear, "uses_onednn", lambda: request.param)


def random_tensor(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator)


def layer_of(inputs: int, outputs: int, *, bias: bool) -> Linear:
    layer = Linear(inputs, outputs, bias=bias)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(random_tensor(*parameter.shape))
    return layer


@pytest.mark.usefixtures("layer_kind")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("rows", "inputs", "outputs"), SHAPES)
def test_values_and_gradients_agree_with_double_precision(rows: int, inputs: int, outputs: int, bias: bool) -> None:
    layer = layer_of(inputs, outputs, bias=bias)
    exact = nn.Linear(inputs, outputs, bias=bias, dtype=torch.float64)
    exact.load_state_dict(layer.state_dict())
    x = random_tensor(rows, inputs).requires_grad_()
    x64 = x.detach().double().requires_grad_()
    weighting = random_tensor(rows, outputs)
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
def test_non_contiguous_sequences_give_the_same_values() -> None:
    layer = layer_of(12, 20, bias=True)
    x = random_tensor(12, 64, 8).permute(2, 1, 0)
    y = layer(x)
    assert y.shape == (8, 64, 20)
    torch.testing.assert_close(y.view(-1, 20), layer(x.reshape(-1, 12)), rtol=1e-5, atol=ROUNDING)


@pytest.mark.usefixtures("layer_kind")
def test_an_expanded_gradient_is_accepted() -> None:
    """`sum` passes backward an expanded tensor, whose strides are 0."""
    layer = layer_of(6, 10, bias=True)
    x = random_tensor(MIN_ROWS, 6)
    layer(x).sum().backward()
    assert layer.weight.grad is not None
    torch.testing.assert_close(layer.weight.grad, x.sum(0).expand(10, 6), rtol=1e-5, atol=ROUNDING)


@pytest.mark.usefixtures("layer_kind")
@pytest.mark.parametrize(("inputs", "outputs"), [(8, 32), (32, 8)])
def test_gradients_have_the_strides_of_their_parameters(inputs: int, outputs: int) -> None:
    """Fused AdamW assumes that both have the same memory layout."""
    layer = layer_of(inputs, outputs, bias=True)
    layer(random_tensor(MIN_ROWS, inputs)).square().sum().backward()
    for parameter in layer.parameters():
        assert parameter.grad is not None
        assert parameter.grad.stride() == parameter.stride()


def test_names_and_initial_weights_are_those_of_nn_linear() -> None:
    torch.manual_seed(1)
    ours = Linear(5, 7).state_dict()
    torch.manual_seed(1)
    plain = nn.Linear(5, 7).state_dict()
    assert ours.keys() == plain.keys()
    assert all(torch.equal(ours[name], plain[name]) for name in plain)


def test_few_rows_are_multiplied_by_pytorchs_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Tensor:
        raise AssertionError("called for few rows")

    monkeypatch.setattr(linear, "_onednn_linear", refuse)
    layer = layer_of(6, 10, bias=True)
    few = random_tensor(MIN_ROWS - 1, 6)
    assert torch.equal(layer(few), nn.functional.linear(few, layer.weight, layer.bias))


@pytest.mark.parametrize("failure", [AttributeError, RuntimeError])
def test_onednn_is_not_used_without_pytorchs_operator(
    failure: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> Tensor:
        raise failure("no such operator")

    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(linear, "_onednn_linear", missing)
    assert not linear._check_onednn.__wrapped__()


def test_onednn_is_not_used_where_it_is_inaccurate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(linear, "_onednn_linear", lambda x, weight: (x @ weight.T).bfloat16().float())
    assert not linear._check_onednn.__wrapped__()


@pytest.mark.usefixtures("layer_kind")
@pytest.mark.parametrize("shape", [(3, 80, 80), (2, 64, 200), (5, 8, 12)])
def test_stacks_are_multiplied_matrix_by_matrix(shape: tuple[int, int, int]) -> None:
    left, right = random_tensor(*shape), random_tensor(shape[0], 2 * shape[1], shape[2])
    expected = torch.einsum("nmk,nlk->nml", left.double(), right.double())
    torch.testing.assert_close(batched_matmul_nt(left, right).double(), expected, rtol=1e-5, atol=ROUNDING)
