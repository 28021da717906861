"""The C extension's weights are stored in half precision where that costs next to nothing."""

import ctypes

import numpy as np
import torch

from tests.generation.test_decoder import TOKENS, read_along
from tests.generation.tiny_models import tiny_model, tiny_weights, weights_of
from tui_gpt.generation.decoder import NumpyDecoder
from tui_gpt.generation.kernel.decoder import KernelDecoder
from tui_gpt.generation.kernel.packing import PackedModel, rounded_weights
from tui_gpt.generation.sampling import log_softmax
from tui_gpt.generation.weights import Floats, Model
from tui_gpt.models.build import LanguageModel


def trained_like() -> LanguageModel:
    """Return a model whose weights span many orders of magnitude, which half precision cannot represent exactly."""
    model = tiny_model("classic")
    for parameter in model.parameters():
        parameter.data += 1e-4
    model.state_dict()["head.weight"][3] = 1e-7
    return model


def logits_of(library: ctypes.CDLL, model: Model) -> Floats:
    return read_along(KernelDecoder(model, library, PackedModel(model)), TOKENS)


def test_half_precision_costs_less_than_a_thousandth_of_a_nat(library: ctypes.CDLL) -> None:
    model = weights_of(trained_like(), None)
    rows = (logits_of(library, model), read_along(NumpyDecoder(model), TOKENS))
    losses = [-log_softmax(row[:-1])[np.arange(len(TOKENS) - 1), TOKENS[1:]].mean() for row in rows]
    assert abs(losses[0] - losses[1]) < 1e-3
    assert losses[0] != losses[1]


def test_with_the_stored_weights_its_logits_are_those_of_the_reference(library: ctypes.CDLL) -> None:
    """So the two decoders differ only by half precision."""
    model = trained_like()
    fast = logits_of(library, weights_of(model, None))
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2 and "embedding" not in name:
            stored, scale = rounded_weights(parameter.detach().numpy())
            assert stored.dtype == np.float16
            parameter.data = torch.from_numpy(stored.astype(np.float32) * np.float32(scale))
    np.testing.assert_allclose(fast, read_along(NumpyDecoder(weights_of(model, None)), TOKENS), atol=1e-4)


def test_a_matrix_that_half_precision_would_damage_stays_in_single_precision(library: ctypes.CDLL) -> None:
    """An output whose weights are a billionth of another's would lose its digits; a millionth does no harm."""
    model = tiny_model("classic")
    weights = model.state_dict()["head.weight"]
    bytes_before = PackedModel(weights_of(model, None)).matrix_bytes
    weights[3] *= 1e-6
    assert PackedModel(weights_of(model, None)).matrix_bytes == bytes_before
    weights[3] *= 1e-5
    assert PackedModel(weights_of(model, None)).matrix_bytes > bytes_before
    model_now = weights_of(model, None)
    np.testing.assert_allclose(logits_of(library, model_now), read_along(NumpyDecoder(model_now), TOKENS), atol=1e-4)


def test_a_matrix_of_zeros_is_stored_as_zeros() -> None:
    stored, scale = rounded_weights(np.zeros((3, 4), np.float32))
    assert np.isfinite(scale)
    assert not stored.any()


def test_the_packed_weights_are_a_copy(library: ctypes.CDLL) -> None:
    """Training may continue while text is generated."""
    model = tiny_model("induction")
    decoder = KernelDecoder(tiny_weights("induction"), library, PackedModel(weights_of(model, None)))
    first = read_along(decoder, TOKENS[:20])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    np.testing.assert_array_equal(read_along(decoder, TOKENS[:20]), first)
