"""Charts as text: curves, gaps, marks, axes, overlays, small charts, ASCII."""

import dataclasses
from collections.abc import Iterable, Sequence

import pytest

from tests.fakes import evaluated, finished, progress, started
from tui_gpt.config import TokenizerName, resolve
from tui_gpt.events import Event, Paused, Progress, RolledBack, Saved, StepSkipped
from tui_gpt.metrics import TokenSize
from tui_gpt.tui.train.chart.ascii import ascii_line
from tui_gpt.tui.train.chart.canvas import Canvas, Cell
from tui_gpt.tui.train.chart.curves import ChartSettings, clipped
from tui_gpt.tui.train.chart.legend import legend_lines, overlay_heading, overlay_value, run_heading
from tui_gpt.tui.train.chart.overlay import MAX_RUNS, OverlayRun, draw_overlay, legend_symbol
from tui_gpt.tui.train.chart.plot import draw_run
from tui_gpt.tui.train.chart.quantities import (
    BITS,
    GRAD_NORM,
    LEARNING_RATE,
    QUANTITIES,
    SPEED,
    X_AXES,
    place_of,
    place_words,
    step_at,
)
from tui_gpt.tui.train.chart.small_charts import small_chart
from tui_gpt.tui.train.chart.state import CHART_ACTIONS, SMOOTHINGS, ChartState
from tui_gpt.tui.train.chart.viewport import Viewport
from tui_gpt.tui.train.record import RunView

SIZE = (60, 12)


def run(steps: int = 400, *extra: Event, name: str = "one", offset: float = 0.0, pace: float = 1.0) -> RunView:
    """Return a run that has ended; its loss falls from 4 to 2."""
    record = RunView(name=name, config=resolve("nano", "my.txt"))
    record.apply(started(steps))
    for step in range(4, steps + 1, 4):
        record.apply(
            dataclasses.replace(progress(step, 4.0 - 2.0 * step / steps + offset), elapsed_seconds=step * pace)
        )
        if step % 100 == 0:
            record.apply(evaluated(step, 4.1 - 2.0 * step / steps + offset))
    record.apply_all([*extra, finished(steps)])
    return record


def text(lines: Iterable[Sequence[Cell]]) -> str:
    return "\n".join("".join(part for part, _ in line) for line in lines)


def drawn(canvas: Canvas, style: str) -> set[tuple[int, int]]:
    """Return the cells of one style, by row and column."""
    return {(y, x) for y, row in enumerate(canvas.cells) for x, (_, name) in row.items() if name == style}


def test_a_step_that_was_not_finite_is_a_gap_in_the_curve() -> None:
    whole = {x for _, x in drawn(draw_run(run(), ChartSettings(), *SIZE), "train")}
    record = run()
    record.train.add_gap(200)
    broken = draw_run(record, ChartSettings(viewport=Viewport(width=40.0, right=220.0)), *SIZE)
    columns = {x for y, x in drawn(broken, "train") | drawn(broken, "raw")}
    assert 30 in whole
    assert 30 not in columns
    assert {24, 36} <= columns


def test_problems_leave_a_gap() -> None:
    record = RunView()
    record.apply_all([started(10), progress(3), StepSkipped(step=4), RolledBack(step=6, to_step=1)])
    assert record.train.gaps == [4, 6]


def test_marks_stand_at_their_steps() -> None:
    record = run(400, Paused(step=200), Saved(step=100, path="last"), RolledBack(step=300, to_step=100))
    axis = "".join(symbol for symbol, _ in draw_run(record, ChartSettings(), *SIZE).axis_line)
    assert [axis.index(symbol) for symbol in "▪‖«"] == [15, 30, 44]


def test_an_early_stop_is_marked() -> None:
    record = run()
    record.apply(finished(400, reason="early_stop"))
    assert record.marks[-1].symbol == "■"


def test_the_loss_of_guessing_is_a_reference_for_any_text() -> None:
    assert [one.label for one in run().references] == ["guessing 4.17"]
    assert "guessing 4.17" in text(draw_run(run(), ChartSettings(), *SIZE).plot_lines(4))


@pytest.mark.parametrize("axis", X_AXES)
def test_places_on_every_axis_lead_back_to_their_steps(axis: str) -> None:
    record = run(400, pace=2.5)
    for step in (1.0, 4.0, 150.0, 400.0, 800.0):
        assert step_at(record, place_of(record, step, axis), axis) == pytest.approx(step)  # type: ignore[arg-type]  # one of X_AXES


def test_the_axis_is_named_and_numbered_in_its_unit() -> None:
    record = run(400, pace=2.5)
    shown = {axis: text([draw_run(record, ChartSettings(axis=axis), *SIZE).x_labels(axis)]) for axis in X_AXES}
    assert shown["step"].split() == ["0", "100", "200", "300", "steps"]
    assert shown["characters"].endswith("characters read")
    assert shown["seconds"].endswith("minutes")
    assert "10" in shown["seconds"].split()
    assert [place_words(7_200.0, axis) for axis in X_AXES] == ["step 7,200", "7.20 k characters", "2 h 00 min"]


def test_a_resumed_run_has_one_clock() -> None:
    record = RunView()
    for step, seconds in ((10, 5.0), (20, 10.0)):
        record.apply(dataclasses.replace(progress(step), elapsed_seconds=seconds))
    record.apply(started(40, step=20))
    for step, seconds in ((30, 4.0), (40, 9.0)):
        record.apply(dataclasses.replace(progress(step), elapsed_seconds=seconds))
    assert [record.train.seconds_at(step) for step in (10, 20, 30, 40)] == [5.0, 10.0, 10.0, 15.0]


def test_a_line_is_cut_where_it_leaves_the_window() -> None:
    assert clipped([0, 10, 20], [0.0, 1.0, 0.0], 5, 15) == ([5, 10, 15], [0.5, 1.0, 0.5])
    assert clipped([0, 10], [0.0, 1.0], 4, 6) == ([4, 6], [0.4, pytest.approx(0.6)])
    assert clipped([0, 10], [0.0, 1.0], 20, 30) == ([], [])
    assert clipped([], [], 0, 1) == ([], [])


def test_zoomed_in_only_the_window_is_drawn_and_scaled() -> None:
    canvas = draw_run(run(), ChartSettings(viewport=Viewport(width=100.0, right=300.0)), *SIZE)
    assert (canvas.x.low, canvas.x.high) == (200.0, 300.0)
    assert 2.3 < canvas.y.low < 2.5
    assert {x for _, x in drawn(canvas, "train")} == set(range(60))


def test_every_quantity_can_be_drawn() -> None:
    for quantity in (LEARNING_RATE, GRAD_NORM, SPEED):
        assert drawn(draw_run(run(), ChartSettings(quantity=quantity), *SIZE), "train"), quantity


def overlay(count: int = MAX_RUNS) -> list[OverlayRun]:
    return [OverlayRun(run(400, name=f"run-{k}", offset=0.2 * k, pace=1.0 + k), k) for k in range(count)]


def test_each_run_of_an_overlay_has_its_style_and_the_pinned_one_is_emphasised() -> None:
    runs = overlay()
    canvas = draw_overlay(runs, 2, ChartSettings(), *SIZE)
    assert all(drawn(canvas, f"run-{k}") for k in (0, 1, 3, 4, 5))
    assert drawn(canvas, "run-2-pinned")
    assert not drawn(canvas, "run-2")
    assert len({legend_symbol(k) for k in range(MAX_RUNS)}) == MAX_RUNS


def test_a_run_keeps_its_style_when_another_one_is_left_out() -> None:
    canvas = draw_overlay([overlay()[4], overlay()[1]], None, ChartSettings(), *SIZE)
    assert drawn(canvas, "run-4")
    assert drawn(canvas, "run-1")


def test_the_legend_reads_every_run_at_the_cursor() -> None:
    runs = overlay()
    lines = text(overlay_heading(runs, 0, ChartSettings(smoothing=0.0), 110, 200.0))
    assert "step 200" in lines
    assert all(f"run-{k} " in lines and f"{3.0 + 0.2 * k:.4f}" in lines for k in range(MAX_RUNS))
    assert lines.count("\n") == legend_lines(MAX_RUNS, 110) == 2


def test_runs_are_compared_at_the_same_place_of_the_axis() -> None:
    """After 400 seconds the second run, which is half as fast, has made 200 steps."""
    first, second = overlay(2)
    settings = ChartSettings(axis="seconds", smoothing=0.0)
    place = place_of(first.record, 400.0, "seconds")
    assert overlay_value(first.record, settings, place) == pytest.approx(2.0)
    assert overlay_value(second.record, settings, place) == pytest.approx(3.2)
    assert overlay_value(first.record, settings, 2 * place) is None


def test_a_chart_in_ascii_keeps_its_shape() -> None:
    canvas = draw_overlay(overlay(), 0, ChartSettings(), *SIZE)
    lines = [*canvas.plot_lines(4), canvas.x_labels("step"), *overlay_heading(overlay(), 0, ChartSettings(), 70, None)]
    shown = [ascii_line(line) for line in lines]
    assert all(part.isascii() for line in shown for part, _ in line)
    assert [len(text([line])) for line in shown] == [len(text([line])) for line in lines]
    assert set("*+ox#%") <= set(text(shown))


def test_the_heading_shows_smoothing_window_and_values() -> None:
    record, settings = run(), ChartSettings(viewport=Viewport(tail=0.2), log_y=True)
    canvas = draw_run(record, settings, *SIZE)
    legend = text([run_heading(record, settings, 110, None, canvas)])
    assert "loss in nats per character, log scale, last 20%" in legend
    assert "smoothed 2.5 %" in legend
    readout = text([run_heading(record, dataclasses.replace(settings, axis="seconds"), 110, 380.0, canvas)])
    assert "step 380  6 min 20 s  training 2.1000" in readout
    narrow = text([run_heading(record, dataclasses.replace(settings, axis="seconds"), 60, 380.0, canvas)])
    assert "step 380  6 min 20 s  training 2.1000" in narrow


def test_a_small_chart_shows_its_value_at_the_cursor() -> None:
    record = run()
    lines = small_chart(record, GRAD_NORM, ChartSettings(), (30, 5), 200.0)
    assert text(lines[:1]).startswith("gradient norm 0.5")
    assert all(len(text([line])) == 30 for line in lines)
    assert any(style == "cursor" for line in lines[1:] for _, style in line)


def test_every_action_changes_what_is_shown() -> None:
    record = run()
    for action in CHART_ACTIONS:
        state = ChartState()
        state.perform("zoom_in", [record], 200.0)
        before = state.settings
        state.perform(action, [record], 200.0)
        assert state.settings != before, action


def test_actions_go_through_axes_values_and_smoothings() -> None:
    state, record = ChartState(), run()
    seen = []
    for _ in X_AXES:
        state.perform("axis", [record])
        seen.append(state.settings.axis)
    assert seen == ["characters", "seconds", "step"]
    for _ in QUANTITIES:
        state.perform("value", [record])
    assert state.settings == ChartSettings()
    for _ in range(9):
        state.perform("rougher", [record])
    assert state.settings.smoothing == SMOOTHINGS[0]
    for _ in range(9):
        state.perform("smoother", [record])
    assert state.settings.smoothing == SMOOTHINGS[-1]


def test_the_visible_steps_stay_visible_on_another_axis() -> None:
    state, record = ChartState(), run(400, pace=2.5)
    state.perform("zoom_in", [record], 200.0)
    before = draw_run(record, state.settings, *SIZE)
    state.perform("axis", [record])
    state.perform("axis", [record])
    after = draw_run(record, state.settings, *SIZE)
    assert [after.x.low, after.x.high] == pytest.approx([before.x.low * 2.5, before.x.high * 2.5])


def test_a_run_without_values_can_be_drawn() -> None:
    for quantity in QUANTITIES:
        for smoothing in SMOOTHINGS:
            settings = ChartSettings(quantity=quantity, smoothing=smoothing, axis="seconds")
            assert draw_run(RunView(), settings, *SIZE).plot_lines(4)


def test_speed_is_shown_in_thousands() -> None:
    assert [SPEED.words(20_000.0), GRAD_NORM.words(0.51234)] == ["20.0 k", "0.512"]


def test_progress_fills_every_curve() -> None:
    record = RunView()
    record.apply(
        Progress(step=1, loss=2.0, learning_rate=1e-3, grad_norm=0.5, tokens_per_second=9.0, elapsed_seconds=1)
    )
    assert [next(iter(one.series(record))).mean for one in QUANTITIES] == [
        2.0,
        1e-3,
        0.5,
        9.0,
        pytest.approx(2.8854, abs=1e-4),
    ]


def test_losses_in_bits_per_character_compare_runs_with_different_tokenizers() -> None:
    """A run of tokens of four characters has four times the loss per token, and is as good."""
    characters, tokens = RunView(config=resolve("nano", "my.txt")), RunView(config=resolve("nano", "my.txt"))
    for record, size in ((characters, TokenSize()), (tokens, TokenSize(4.0, 4.0))):
        kind: TokenizerName = "character" if size.characters == 1 else "bpe"
        record.apply(dataclasses.replace(started(40), vocab_size=300, tokenizer=kind, token_size=size))
        loss = 1.2 * size.characters
        record.apply(progress(40, loss))
        record.apply(dataclasses.replace(evaluated(40, loss), bits_per_char=size.bits_per_char(loss)))
    bits = [overlay_value(record, ChartSettings(quantity=BITS), None) for record in (characters, tokens)]
    assert bits[0] == pytest.approx(bits[1])
    assert [BITS.validation(record.evaluations[0]) for record in (characters, tokens)] == bits
    heading = text(overlay_heading([OverlayRun(characters, 0), OverlayRun(tokens, 1)], 0, ChartSettings(), 120, None))
    assert heading.startswith("loss in nats per token")
    assert [one.label for one in BITS.references(tokens)] == ["guessing 2.06"]  # log2 300 / 4
    assert [one.label for one in tokens.references] == ["guessing 5.70"]
    assert tokens.characters_per_step == 4 * characters.characters_per_step


@pytest.mark.parametrize(("tokenizer", "nats"), [("character", 3), ("byte", 1)])
def test_published_losses_are_shown_per_character_only(tokenizer: TokenizerName, nats: int) -> None:
    record = RunView(config=resolve("nano", tokenizer=tokenizer))
    record.apply(dataclasses.replace(started(40), vocab_size=256, tokenizer=tokenizer))
    assert len(record.references) == nats
    assert [one.label for one in BITS.references(record)] == ["guessing 6.02", "nanoGPT 2.71", "7-gram 2.18"]
