"""The lines in the shell after the app."""

from dataclasses import replace
from pathlib import Path

from tests.fakes import FakeSession, evaluated, finished, progress, started
from tests.tui.driver import phase, running
from tests.tui.fakes import wait_until
from tui_gpt.config import resolve
from tui_gpt.events import Event, Saved
from tui_gpt.storage.runs import RunStore
from tui_gpt.tui.app.farewell import farewell
from tui_gpt.tui.train.record import RunView


def lines(*events: Event, name: str = "one") -> list[str]:
    return list(farewell(RunView.replay(name, resolve("nano"), events), RunStore()))


def saved(folder: Path, step: int = 40) -> Saved:
    return Saved(step=step, path=str(folder / "last"))


def test_a_finished_run_leaves_five_lines() -> None:
    folder = RunStore().root / "one"
    assert lines(started(), progress(40), evaluated(40, 1.8812), saved(folder), finished()) == [
        "one: done after 40 steps, 2 s",
        "best validation loss 1.8812 (2.714 bits per character, on 111,540 characters)",
        f"saved in {folder}",
        "generate:       tui-gpt generate --run one",
        "train further:  tui-gpt train --resume one --max-iters 80",
    ]


def test_a_stopped_run_leaves_the_command_that_resumes_it() -> None:
    folder = RunStore().root / "one"
    left = lines(started(), progress(20), saved(folder, 20), finished(20, None, "stopped"))
    assert left[0] == "one: stopped after 20 steps, 1 s"
    assert left[-1] == "resume:         tui-gpt train --resume one"


def test_a_run_in_another_folder_is_named_by_it(tmp_path: Path) -> None:
    left = lines(started(), progress(40), saved(tmp_path / "a b"), finished())
    assert left[-2] == f"generate:       tui-gpt generate --model-path '{tmp_path / 'a b'}'"


def test_a_failed_run_leaves_its_last_checkpoint() -> None:
    folder = RunStore().root / "one"
    record = RunView.replay("one", resolve("nano"), [started(), saved(folder, 20), progress(30)])
    record.phase = "failed"
    assert list(farewell(record, RunStore())) == [
        "one: failed at step 30",
        f"saved in {folder}",
        "generate:       tui-gpt generate --run one",
        "resume:         tui-gpt train --resume one",
    ]


def test_nothing_is_left_where_nothing_was_done() -> None:
    assert list(farewell(None, RunStore())) == []
    assert lines() == []
    assert lines(started()) == []
    assert lines(replace(started(), step=40), finished()) == []


def test_no_text_of_a_run_controls_the_terminal() -> None:
    left = lines(started(), progress(40), saved(RunStore().root / "a\x1b]0;b\x07"), finished(), name="a\x1b[2J")
    assert "\x1b" not in "".join(left[:3])


async def test_the_app_that_trained_reports_it() -> None:
    async with running(FakeSession()) as (pilot, main, _):
        assert main.app.farewell() == []  # type: ignore[attr-defined]  # of TuiGptApp
        await pilot.press("s")
        await wait_until(pilot, lambda: phase(main) == "finished")
        left = main.app.farewell()  # type: ignore[attr-defined]  # of TuiGptApp
        assert left[0].startswith("fake-run: done after 1,000 steps")
        assert len(left) == 5
