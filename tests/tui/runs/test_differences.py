"""The settings in which runs differ."""

from dataclasses import replace

from tui_gpt.config import resolve
from tui_gpt.events import SettingChanged
from tui_gpt.progress import RunRecord
from tui_gpt.tui.runs.differences import Difference, differences, settings_of


def test_equal_runs_do_not_differ() -> None:
    assert differences([resolve("nano"), resolve("nano")]) == []


def test_only_the_settings_that_differ_are_listed_in_their_order() -> None:
    runs = [
        resolve("nano", "/books/faust.txt"),
        resolve("nano", "hamlet", dropout=0.2, learning_rate=3e-4, compile=True),
        resolve("nano", "hamlet", max_iters=12_000),
    ]
    assert differences(runs) == [
        Difference("text", ("faust.txt", "hamlet", "hamlet")),
        Difference("dropout", ("0", "0.2", "0")),
        Difference("max_iters", ("2,000", "2,000", "12,000")),
        Difference("learning_rate", ("1e-3", "3e-4", "1e-3")),
        Difference("compile", ("no", "yes", "no")),
    ]


def test_a_setting_without_a_value_is_a_dash() -> None:
    found = {row.setting: row.values for row in differences([resolve("nano"), resolve("quick")])}
    assert found["max_iters"] == ("2,000", "–")
    assert found["max_seconds"] == ("–", "60")
    assert found["preset"] == ("nano", "quick")


def test_texts_of_the_same_name_are_distinguished_by_their_folders() -> None:
    base = resolve("nano")
    runs = [replace(base, corpus="/german/faust.txt"), replace(base, corpus="/english/faust.txt")]
    assert differences(runs) == [Difference("text", ("/german/faust.txt", "/english/faust.txt"))]


def test_a_learning_rate_that_was_changed_during_a_run_is_a_difference() -> None:
    config = resolve("nano")
    change = SettingChanged(step=5, setting="learning_rate", value=2e-4, origin="user")
    runs = [settings_of(RunRecord.of(events), config) for events in ([], [change])]
    assert differences(runs) == [Difference("learning_rate", ("1e-3", "2e-4"))]
