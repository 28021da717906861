"""What the app sends to its terminal besides the screen."""

from collections.abc import Mapping

import pytest

from tests.fakes import FakeSession, finished, progress, started
from tests.tui.driver import phase, running, start_and_hold
from tests.tui.fakes import wait_until
from tui_gpt.config import AlertConfig
from tui_gpt.events import Event, RolledBack, StorageProblem
from tui_gpt.tui.app.app import TuiGptApp
from tui_gpt.tui.app.run_alerts import RunAlerts
from tui_gpt.tui.train.feed import RunUpdate
from tui_gpt.tui.train.record import RunView

FOOT: Mapping[str, str] = {"TERM": "foot"}


def sent(*events: Event, error: Exception | None = None) -> list[str]:
    """Return what is written to the terminal for these events, all of which came at once."""
    written: list[str] = []
    record = RunView(name="one")
    record.apply_all(events)
    update = RunUpdate(RunView(), events, is_changed=True, ending="ended" if error else None, error=error)
    if error is not None:
        record.phase, record.failure = "failed", str(error)
    alerts = RunAlerts(AlertConfig(), FOOT, written.append)
    alerts.show(record, update)
    alerts.show(record, None)
    return written


def test_the_title_shows_the_progress_once() -> None:
    assert sent(started(), progress(10)) == ["\x1b[22;2t\x1b]2;25% one – tui-gpt\x07"]


@pytest.mark.parametrize(
    ("event", "heading"),
    [
        (finished(), "one finished"),
        (RolledBack(step=12, to_step=10), "one has diverged"),
        (StorageProblem(step=12, problem="the disk is full"), "one cannot be saved"),
    ],
)
def test_an_alert_rings_and_notifies(event: Event, heading: str) -> None:
    (codes,) = sent(started(), progress(10), event)
    assert f"\a\x1b]777;notify;{heading};" in codes


def test_a_failure_rings() -> None:
    (codes,) = sent(started(), progress(10), error=RuntimeError("no memory"))
    assert codes.endswith("\a\x1b]777;notify;one failed;no memory\x07")
    assert "failed one – tui-gpt" in codes


def test_a_run_that_the_user_stops_does_not_ring() -> None:
    (codes,) = sent(started(), finished(20, None, "stopped"))
    assert "777" not in codes


def test_nothing_is_sent_before_a_run_has_begun() -> None:
    assert sent() == []


async def test_the_app_sends_them_through_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(TuiGptApp, "write_to_terminal", lambda _, codes: written.append(codes))
    async with running(FakeSession(hold_at=300)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        await wait_until(pilot, lambda: any("30% fake-run" in codes for codes in written))
        session.gate.set()
        await wait_until(pilot, lambda: phase(main) == "finished")
        await wait_until(pilot, lambda: any("finished fake-run" in codes and "\a" in codes for codes in written))
        assert isinstance(main.app, TuiGptApp)
        assert main.app.alerts is not None
        assert main.app.alerts.restore_title() == "\x1b]2;\x07\x1b[23;2t"


async def test_a_wrong_setting_is_shown_and_the_default_applies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUI_GPT_ALERTS_BELL", "loud")
    async with running() as (_, main, _):
        assert any("TUI_GPT_ALERTS_BELL" in words for words in main.app.notices)  # type: ignore[attr-defined]
