"""A run on screen: chart, small charts, hint and sample with one cursor."""

from textual.widgets import Static

from tests.fakes import FakeSession, progress, training_script
from tests.tui.driver import WIDE, chart_text, notices, phase, running, shown, start_and_hold
from tests.tui.fakes import wait_until
from tui_gpt.events import Event, StepSkipped
from tui_gpt.tui.app.main_screen import MainScreen
from tui_gpt.tui.train.chart.loss_chart import LossChart
from tui_gpt.tui.train.chart.overlay import OverlayRun
from tui_gpt.tui.train.chart.small_charts import SmallCharts
from tui_gpt.tui.train.record import RunView


def small_text(main: MainScreen) -> str:
    charts = main.query_one(SmallCharts)
    return "\n".join(charts.render_line(y).text for y in range(charts.size.height))


async def test_on_a_wide_screen_one_cursor_reads_every_chart_and_the_sample_stands_beside_them() -> None:
    async with running(FakeSession(hold_at=1_000), size=WIDE) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        await pilot.pause()
        assert main.query_one("#sample").region.x > main.query_one(LossChart).region.right - 1
        assert "learning rate 0.001" in small_text(main)
        assert "as if choosing among" in shown(main, "#hint")
        await pilot.press("home")
        await wait_until(pilot, lambda: main.query_one(SmallCharts).cursor == 10.0)
        assert "│" in small_text(main)
        assert "step 10 " in chart_text(main)
        assert "sample at step 100" in shown(main, "#sample-heading")


async def test_the_keys_of_the_chart_change_axis_value_smoothing_and_window() -> None:
    async with running(FakeSession(hold_at=1_000)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        for key, words in (
            ("a", "characters read"),
            ("a", "seconds"),
            ("a", "steps"),
            ("right_square_bracket", "smoothed 5 %"),
            ("left_square_bracket", "smoothed 2.5 %"),
            ("t", "last 50%"),
            ("0", "loss  "),
            ("plus", "zoomed"),
            ("f", "zoomed, following"),
            ("comma", "zoomed"),
            ("v", "learning rate"),
            ("v", "gradient norm"),
            ("v", "chars/s"),
        ):
            await pilot.press(key)
            await pilot.pause()
            assert words in chart_text(main), key
        commands = [command.title for command in main.app.get_system_commands(main)]
        assert "Chart: zoom in" in commands


async def test_a_step_that_was_not_finite_is_a_banner() -> None:
    script: list[Event] = [*training_script()[:20], StepSkipped(step=161), progress(170, 2.0)]
    async with running(FakeSession(script, hold_at=170)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        await wait_until(pilot, lambda: "NaN: step 161 was skipped" in shown(main, "#failure"))
        assert "the rate may be too high" in shown(main, "#hint")


async def test_nothing_is_drawn_when_nothing_has_changed() -> None:
    async with running(FakeSession(hold_at=300), size=WIDE) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        await pilot.pause()
        chart, drawn = main.query_one(LossChart), []
        lines = chart.drawn

        def counted(width: int, height: int):  # type: ignore[no-untyped-def]  # as `drawn`
            drawn.append((width, height))
            return lines(width, height)

        chart.drawn = counted  # type: ignore[method-assign]  # counts the calls
        for _ in range(3):
            main.train_pane.refresh_run()
            await pilot.pause()
        assert drawn == []
        await pilot.press("a")
        await pilot.pause()
        assert len(drawn) == 1


async def test_an_overlay_is_drawn_with_the_keys_of_the_chart() -> None:
    async with running() as (pilot, main, _):
        await pilot.press("s")
        await wait_until(pilot, lambda: phase(main) == "finished")
        chart = main.query_one(LossChart)
        views = [RunView.replay(name, RunView().config, training_script()) for name in ("one", "two")]
        chart.show_overlay([OverlayRun(view, 2 * k) for k, view in enumerate(views)], pinned=1)
        await pilot.press("home", "a")
        await pilot.pause()
        assert all(words in chart_text(main) for words in ("one", "two", "characters", "▸"))
        chart.ascii = True
        await pilot.pause()
        assert chart_text(main).isascii()
        assert notices(main) == ""
        assert isinstance(main.query_one("#hint"), Static)
