"""A model is only created from weights with the names and shapes of its configuration."""

import numpy as np
import pytest

from tests.generation.tiny_models import CONFIGS, V, tiny_model, tiny_prior
from tui_gpt.errors import IncompatibleError
from tui_gpt.generation.weights import Model, expected_shapes
from tui_gpt.training.checkpoints.tensors import arrays_of


@pytest.mark.parametrize("name", CONFIGS)
def test_the_shapes_are_those_of_the_models_state_dict(name: str) -> None:
    shapes = {key: tuple(tensor.shape) for key, tensor in tiny_model(name).state_dict().items()}
    assert expected_shapes(CONFIGS[name], V) == shapes


@pytest.mark.parametrize("name", ["classic", "induction", "ensemble", "bigram"])
def test_weights_of_another_shape_or_name_are_refused(name: str) -> None:
    """They could come from a stranger, and the decoders would read beyond their end."""
    weights, prior = arrays_of(tiny_model(name).state_dict()), tiny_prior(name)
    for key, array in weights.items():
        without = {other: value for other, value in weights.items() if other != key}
        for altered in (without, {**weights, key: array[..., :-1]}, {**weights, "more": array}):
            with pytest.raises(IncompatibleError, match="do not fit the model"):
                Model.of(CONFIGS[name], V, altered, prior)


def test_any_number_format_becomes_single_precision() -> None:
    weights = {key: array.astype(np.float16) for key, array in arrays_of(tiny_model("modern").state_dict()).items()}
    (network,) = Model.of(CONFIGS["modern"], V, weights, None).networks
    assert {array.dtype for array in network.values()} == {np.dtype(np.float32)}


def test_single_precision_is_not_copied() -> None:
    weights = arrays_of(tiny_model("modern").state_dict())
    (network,) = Model.of(CONFIGS["modern"], V, weights, None).networks
    assert np.shares_memory(network["head"], weights["head"])
