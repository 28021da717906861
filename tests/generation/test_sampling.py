"""Sampling from logits: what each filter keeps, and that draws follow the probabilities."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tui_gpt.config import SampleConfig
from tui_gpt.generation.sampling import choose, draw, filtered, keep_min_p, keep_top_k, keep_top_p, log_softmax, softmax

PLAIN = SampleConfig(temperature=1.0)
Array = npt.NDArray[np.float64]

logit_rows = hnp.arrays(np.float64, st.integers(1, 20), elements=st.floats(-8, 8, width=32))


def probabilities(*values: float) -> Array:
    return np.array(values)


def test_softmax_is_a_distribution_even_of_huge_logits() -> None:
    assert softmax(np.array([1000.0, 1000.0, -1000.0])).tolist() == pytest.approx([0.5, 0.5, 0.0])
    assert log_softmax(np.array([1000.0, 1000.0])).tolist() == pytest.approx([np.log(0.5)] * 2)


def test_top_k_keeps_the_k_most_likely() -> None:
    assert keep_top_k(probabilities(0.1, 0.4, 0.2, 0.3), 2).tolist() == [0, 0.4, 0, 0.3]


def test_of_equals_top_k_keeps_the_lower_ids() -> None:
    assert keep_top_k(probabilities(0.2, 0.3, 0.2, 0.3), 3).tolist() == [0.2, 0.3, 0, 0.3]


@pytest.mark.parametrize("k", [0, 3, 99])
def test_top_k_of_nothing_or_everything_keeps_all(k: int) -> None:
    assert keep_top_k(probabilities(0.5, 0.3, 0.2), k).tolist() == [0.5, 0.3, 0.2]


def test_top_p_keeps_the_fewest_that_reach_the_fraction() -> None:
    row = probabilities(0.125, 0.5, 0.25, 0.125)
    assert keep_top_p(row, 0.5).tolist() == [0, 0.5, 0, 0]
    assert keep_top_p(row, 0.6).tolist() == [0, 0.5, 0.25, 0]
    assert keep_top_p(row, 0.8).tolist() == [0.125, 0.5, 0.25, 0]
    assert keep_top_p(row, 1.0).tolist() == row.tolist()


def test_top_p_is_a_fraction_of_what_the_filter_before_it_left() -> None:
    assert keep_top_p(probabilities(0.25, 0.25, 0, 0), 0.5).tolist() == [0.25, 0, 0, 0]


def test_min_p_is_relative_to_the_most_likely() -> None:
    assert keep_min_p(probabilities(0.5, 0.26, 0.24), 0.5).tolist() == [0.5, 0.26, 0]
    assert keep_min_p(probabilities(0.5, 0.3, 0.2), 0.0).tolist() == [0.5, 0.3, 0.2]


@given(logit_rows, st.integers(0, 25), st.floats(1e-6, 1), st.floats(0, 1), st.floats(0.05, 5))
def test_the_most_likely_character_is_always_kept(
    logits: Array, top_k: int, top_p: float, min_p: float, temperature: float
) -> None:
    config = SampleConfig(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    kept = filtered(logits, config)
    assert kept[softmax(logits / temperature).argmax()] == kept.max() > 0
    assert (kept > 0).sum() <= (top_k or len(logits))


@given(logit_rows, st.floats(1e-6, 1))
def test_top_p_reaches_the_fraction_with_no_character_to_spare(logits: Array, p: float) -> None:
    """What is kept reaches p; without its least likely character it would not."""
    row = softmax(logits)
    kept = keep_top_p(row, p)
    assert kept.sum() >= p - 1e-9
    if (kept > 0).sum() > 1:
        assert kept.sum() - kept[kept > 0].min() < p + 1e-9


@given(hnp.arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 9)), elements=st.floats(-5, 5)), st.data())
def test_a_batch_is_filtered_row_by_row(logits: Array, data: st.DataObject) -> None:
    config = SampleConfig(
        temperature=data.draw(st.sampled_from([0.5, 1.0])),
        top_k=data.draw(st.integers(0, 4)),
        top_p=data.draw(st.sampled_from([0.3, 0.9, 1.0])),
        min_p=data.draw(st.sampled_from([0.0, 0.2])),
    )
    rows = np.stack([filtered(row, config) for row in logits])
    np.testing.assert_allclose(filtered(logits, config), rows)


@given(logit_rows, st.floats(0, 1, exclude_max=True), st.integers(1, 5))
def test_only_what_was_kept_is_drawn(logits: Array, uniform: float, k: int) -> None:
    kept = filtered(logits, SampleConfig(temperature=1.0, top_k=k))
    assert kept[int(draw(kept, np.array(uniform)))] > 0


@pytest.mark.parametrize(("uniform", "expected"), [(0.0, 1), (0.2499, 1), (0.25, 2), (0.9999999999999999, 2)])
def test_a_draw_inverts_the_cumulative_sum(uniform: float, expected: int) -> None:
    assert int(draw(probabilities(0, 1, 3, 0), np.array(uniform))) == expected


def test_draws_follow_the_probabilities() -> None:
    logits = np.log(probabilities(0.5, 0.3, 0.2))
    uniforms = np.random.default_rng(0).random(20_000)
    ids = choose(np.tile(logits, (20_000, 1)), PLAIN, uniforms)
    assert (np.bincount(ids) / 20_000).tolist() == pytest.approx([0.5, 0.3, 0.2], abs=0.015)


def test_a_low_temperature_sharpens_and_a_high_one_flattens() -> None:
    logits = np.array([0.0, 1.0])
    expected = [softmax(logits / t)[1] for t in (0.5, 1.0, 2.0)]
    kept = [filtered(logits, SampleConfig(temperature=t))[1] for t in (0.5, 1.0, 2.0)]
    assert kept == pytest.approx(expected)
    assert expected[0] > expected[1] > expected[2]


def test_temperature_zero_takes_the_most_likely_and_of_equals_the_lower_id() -> None:
    config = SampleConfig(temperature=0.0, top_k=3)
    assert choose(np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 0.0]]), config, np.array([0.9, 0.9])).tolist() == [1, 0]
