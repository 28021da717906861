"""Zoom, pan, tail window and follow, as arithmetic on places of the x axis."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_gpt.tui.train.chart.viewport import TAILS, WHOLE, Extent, Viewport

EXTENT = Extent(end=1_000.0, newest=600.0)
ACTIONS = st.sampled_from(["in", "out", "left", "right", "follow", "tail"])


def after(viewport: Viewport, action: str, center: float = 300.0, extent: Extent = EXTENT) -> Viewport:
    match action:
        case "in":
            return viewport.zoomed(0.5, center, extent)
        case "out":
            return viewport.zoomed(2.0, center, extent)
        case "left":
            return viewport.panned(-0.25, extent)
        case "right":
            return viewport.panned(0.25, extent)
        case "follow":
            return viewport.followed(extent)
        case _:
            return viewport.next_tail()


def test_without_a_window_everything_is_visible() -> None:
    assert WHOLE.window(EXTENT) == (0.0, 1_000.0)
    assert WHOLE.words == ""


def test_zooming_keeps_the_place_under_the_cursor() -> None:
    low, high = WHOLE.zoomed(0.5, 300.0, EXTENT).window(EXTENT)
    assert high - low == 500.0
    assert (300.0 - low) / (high - low) == pytest.approx(0.3)


def test_zooming_out_as_often_as_in_shows_everything() -> None:
    assert after(after(WHOLE, "in"), "out") == WHOLE


def test_a_panned_window_ends_at_the_newest_value_and_follows_it() -> None:
    window = after(after(WHOLE, "in"), "left")
    assert window.window(EXTENT) == (25.0, 525.0)
    window = after(after(window, "right"), "right")
    assert window.window(EXTENT) == (100.0, 600.0)
    assert window.is_following
    assert window.window(Extent(1_000.0, 700.0)) == (200.0, 700.0)
    assert not after(window, "left").is_following


def test_following_is_switched_on_and_off() -> None:
    window = after(after(WHOLE, "in"), "follow")
    assert window.window(Extent(1_000.0, 800.0)) == (300.0, 800.0)
    assert after(window, "follow").window(Extent(1_000.0, 800.0)) == (100.0, 600.0)
    assert after(WHOLE, "follow").tail == 0.2
    assert after(after(WHOLE, "follow"), "follow") == WHOLE


def test_the_tail_window_goes_through_its_sizes_and_back_to_everything() -> None:
    window, seen = WHOLE, []
    for _ in TAILS:
        window = window.next_tail()
        seen.append(window.window(EXTENT))
    assert seen == [pytest.approx((600.0 * (1 - tail), 600.0)) for tail in TAILS]
    assert window.next_tail() == WHOLE


def test_a_window_keeps_its_steps_on_another_axis() -> None:
    window = after(WHOLE, "in")
    low, high = window.window(EXTENT)
    mapped = window.mapped(EXTENT, lambda place: place * 64)
    assert mapped.window(Extent(64_000.0, 38_400.0)) == (low * 64, high * 64)


@given(actions=st.lists(ACTIONS, max_size=30), center=st.floats(0, 1_000), newest=st.floats(0, 1_000))
def test_no_action_leaves_the_axis(actions: list[str], center: float, newest: float) -> None:
    extent, window = Extent(1_000.0, newest), WHOLE
    for action in actions:
        window = after(window, action, center, extent)
        low, high = window.window(extent)
        assert -1e-6 <= low < high <= 1_000.0 + 1e-6
