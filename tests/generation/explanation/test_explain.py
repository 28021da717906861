"""Explanations add up, and are about what the sampler draws from."""

import ctypes

import numpy as np
import pytest

from tests.generation.tiny_models import CONFIGS, TEXT, tiny_sampler
from tui_gpt.config import SampleConfig
from tui_gpt.generation import decoders
from tui_gpt.generation.explanation import Explanation
from tui_gpt.generation.explanation.shares import Probs
from tui_gpt.generation.sampler import Sampler
from tui_gpt.generation.sampling import filtered

WARM = SampleConfig(max_new_tokens=1, temperature=1.0, seed=1)
TEXTS = [TEXT[:n] for n in (1, 2, 30, 31, 33, 90, 32, 60, 59)] + [TEXT[40:70], ""]
"""The cursor moves forward, back, far, and into another text."""


def drawn_from(sampler: Sampler, text: str) -> Probs:
    """Return (V,): the probabilities that the next token is drawn from."""
    generator = sampler._decoders.generator(1)
    probs = filtered(generator.start(sampler._prompt_tokens(text))[0], WARM)
    return np.asarray(probs / probs.sum())


def assert_adds_up(explanation: Explanation, probs: Probs) -> None:
    """The three divisions of the distribution add up to it."""
    np.testing.assert_allclose(explanation.probs, probs, atol=1e-6, rtol=0)
    np.testing.assert_allclose(np.mean([one.probs for one in explanation.members], axis=0), probs, atol=1e-6)
    size = len(probs)
    np.testing.assert_allclose(np.exp(sum(explanation.shares.values())) / size, probs, atol=1e-6)
    for member in explanation.members:
        logits = np.sum(list(member.terms.values()), axis=0, dtype=np.float64)
        np.testing.assert_allclose(np.exp(logits) / np.exp(logits).sum(), member.probs, atol=1e-6)
    if explanation.prior is not None:
        np.testing.assert_allclose(explanation.prior.order_probs.sum(axis=0), explanation.prior.probs, atol=1e-6)
        assert explanation.prior.order_weights.sum() == pytest.approx(1, abs=1e-5)
        assert len(explanation.prior.order_weights) == explanation.prior.order
    weights = explanation.attention.weights
    np.testing.assert_allclose(weights.sum(axis=-1), np.ones(weights.shape[:3]), atol=1e-5)


@pytest.fixture(params=["numpy", "kernel"])
def decoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the samplers of a test generate with one decoder."""
    if request.param == "kernel":
        library: ctypes.CDLL = request.getfixturevalue("library")
        assert library
    else:
        monkeypatch.setattr(decoders, "library", lambda: None)
    return str(request.param)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_parts_add_up_to_what_the_sampler_draws_from(name: str, decoder: str) -> None:
    sampler = tiny_sampler(name)
    assert decoder
    for text in TEXTS:
        explanation = sampler.explain(text)
        assert_adds_up(explanation, drawn_from(sampler, text))
        (piece,) = sampler.stream(text, WARM, details=True)
        assert [explanation.texts[token] for token in explanation.most_likely()] == [t for t, _ in piece.alternatives]
