"""How much is counted, and of what order."""

import pytest

from tui_gpt.config import resolve
from tui_gpt.prior.sizing import FIT_LIMIT, MIN_COUNTED, capped_order, count_limit, counting_seconds, default_order


def test_a_time_budget_limits_what_is_counted() -> None:
    assert count_limit(None) == count_limit(3600) == FIT_LIMIT
    assert count_limit(60) == 1_800_000
    assert count_limit(1) == MIN_COUNTED


def test_counting_takes_time_in_proportion_to_the_tokens_counted() -> None:
    config = resolve("quick")
    assert counting_seconds(config, 1_000_000) == pytest.approx(2 * counting_seconds(config, 500_000))
    assert counting_seconds(config, 10**9) == counting_seconds(config, count_limit(config.train.max_seconds))
    assert counting_seconds(resolve("classic"), 1_000_000) == 0


@pytest.mark.parametrize(("vocab_size", "default", "capped"), [(65, 7, 9), (256, 7, 9), (257, 5, 5), (5_000, 4, 4)])
def test_a_larger_alphabet_has_a_lower_order(vocab_size: int, default: int, capped: int) -> None:
    assert default_order(vocab_size) == default
    assert capped_order(9, vocab_size) == capped
    assert capped_order(3, vocab_size) == 3
