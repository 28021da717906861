"""From one sample of a run to the next."""

import pytest

from tests.tui.driver import open_runs, running, shown, stored
from tests.tui.fakes import wait_until
from tui_gpt.events import Sampled
from tui_gpt.tui.train.sample_strip import SampleStrip
from tui_gpt.tui.train.scrubbing import sample_step

SAMPLES = [Sampled(step=step, prompt="", text="To be") for step in (100, 200, 300)]


@pytest.mark.parametrize(
    ("cursor", "moves", "step"),
    [
        (None, -1, 200), (None, 1, 300), (300, -1, 200), (200, 1, 300), (250, -1, 100), (250, 1, 300), (100, -1, 100),
        (300, 1, 300), (5, -1, 100), (5, 1, 200), (None, -1_000_000, 100), (100, 1_000_000, 300),
    ],
)  # fmt: skip
def test_the_cursor_moves_from_sample_to_sample(cursor: float | None, moves: int, step: float) -> None:
    assert sample_step(SAMPLES, cursor, moves) == step


def test_without_samples_there_is_no_step() -> None:
    assert sample_step([], 5.0, 1) is None


async def test_keys_and_clicks_move_through_the_samples_with_the_cursor_of_the_chart() -> None:
    stored("first", steps=1_000)
    async with running() as (pilot, main, _):
        await open_runs(pilot, main, 1)
        await pilot.press("enter")
        await wait_until(pilot, lambda: main.train_pane.run_pane.chart.has_focus)
        chart = main.train_pane.run_pane.chart
        await pilot.press("less_than_sign")
        await wait_until(pilot, lambda: "sample at step 900" in shown(main, "#sample-heading"))
        assert chart.cursor == 900
        await pilot.press("less_than_sign", "less_than_sign", "greater_than_sign")
        await wait_until(pilot, lambda: "sample at step 800" in shown(main, "#sample-heading"))
        await pilot.click("#earlier-sample")
        await wait_until(pilot, lambda: chart.cursor == 700)
        main.query_one(SampleStrip).focus()
        await pilot.press("left", "left", "right")
        await wait_until(pilot, lambda: chart.cursor == 600)
        titles = {command.title for command in main.app.get_system_commands(main)}
        assert {"Previous sample", "Next sample"} <= titles
