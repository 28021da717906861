"""The form of the next run, and starting it."""

import gc
import threading
import time
from pathlib import Path

import pytest
from textual.widgets import Button, Input

from tests.fakes import FakeSession
from tests.tui.driver import notices, open_settings, phase, running, shown
from tests.tui.fakes import wait_until
from tui_gpt.config import PRESETS, SampleConfig, resolve
from tui_gpt.errors import ConfigError
from tui_gpt.requests import TrainRequest
from tui_gpt.storage import paths
from tui_gpt.tui.app.app import TuiGptApp
from tui_gpt.tui.app.main_screen import MainScreen
from tui_gpt.tui.app.state import AppState
from tui_gpt.tui.train.setting_row import SettingInput, SettingRow


async def test_the_form_offers_the_default_preset_and_says_how_long_it_takes() -> None:
    async with running() as (pilot, main, _):
        await wait_until(pilot, lambda: "about" in shown(main, "#estimate"))
        assert shown(main, "#estimate") == "about 1 min 02 s · 1,200 steps · 810 k parameters · 1.00 M characters"
        assert main.query_one("#setting-corpus", Input).value == "tinyshakespeare"


async def test_the_form_begins_with_the_users_settings_file() -> None:
    """Even after the menu of presets has reported every option that it highlighted on its way."""
    paths.config_file().parent.mkdir(parents=True, exist_ok=True)
    paths.config_file().write_text('[train]\npreset = "nano"\nmax_iters = 150\nn_layer = 2\n')
    async with running() as (pilot, main, session):
        await wait_until(pilot, lambda: "about" in shown(main, "#estimate"))
        await pilot.press("s")
        await wait_until(pilot, lambda: phase(main) == "finished")
        config = session.requests[0].config
        assert (config.preset, config.train.max_iters, config.model.n_layer) == ("nano", 150, 2)


async def test_an_invalid_setting_shows_its_error_in_place_of_its_meaning_and_cannot_start() -> None:
    async with running() as (pilot, main, session):
        await open_settings(pilot, main)
        heads = main.query_one("#setting-n_head", SettingInput)
        row = main.query_one("#row-n_head", SettingRow)
        meaning = row.explanation
        assert meaning == "Attention heads per block (1 to 256)."
        heads.focus()
        heads.value = "7"
        await pilot.pause()
        assert "multiple of n_head" in row.explanation
        assert heads.has_class("wrong")
        assert main.query_one("#start", Button).disabled
        await pilot.press("s")
        await pilot.pause()
        assert session.requests == []
        heads.value = "4"
        await pilot.pause()
        assert row.explanation == meaning
        await pilot.press("s")
        await wait_until(pilot, lambda: len(session.requests) == 1)


async def test_a_missing_text_is_reported_under_its_field_and_creates_no_run() -> None:
    async with running() as (pilot, main, session):
        main.query_one("#setting-corpus", Input).value = "/no/such/file.txt"
        main.query_one("#presets").focus()
        await pilot.press("s")
        await wait_until(pilot, lambda: "file" in shown(main, "#sentence"))
        assert session.requests == []


async def test_a_missing_validation_text_is_reported_under_its_own_field() -> None:
    async with running() as (pilot, main, session):
        await open_settings(pilot, main)
        main.query_one("#setting-val_file", Input).value = "/no/such/file.txt"
        main.query_one("#setting-seed").focus()
        await pilot.press("s")
        await wait_until(pilot, lambda: "no file" in main.query_one("#row-val_file", SettingRow).explanation)
        assert main.query_one("#setting-val_file").has_class("wrong")
        assert session.requests == []


async def test_choosing_a_preset_keeps_how_the_text_is_split(tmp_path: Path) -> None:
    (tmp_path / "poems.txt").write_text("a poem\nof two lines\n\n" * 100)
    async with running() as (pilot, main, session):
        main.query_one("#setting-corpus", Input).value = str(tmp_path / "poems.txt")
        await open_settings(pilot, main)
        main.query_one("#setting-val_share", Input).value = "0.2"
        main.query_one("#setting-shuffle_documents", Input).value = "yes"
        main.query_one("#setting-seed").focus()
        await pilot.press("a")
        assert main.query_one("#presets").has_focus
        await pilot.press(*["down"] * list(PRESETS).index("bigram"))
        assert main.query_one("#setting-val_share", Input).value == "0.2"
        await pilot.press("s")
        await wait_until(pilot, lambda: len(session.requests) == 1)
        train = session.requests[0].config.train
        assert (session.requests[0].config.preset, train.val_share, train.shuffle_documents) == ("bigram", 0.2, True)
        assert "validates on 20 of 100 documents" in notices(main)


async def test_choosing_a_preset_fills_the_form() -> None:
    async with running() as (pilot, main, session):
        main.query_one("#presets").focus()
        steps = list(PRESETS).index("bigram")
        await pilot.press(*["down"] * steps)
        await open_settings(pilot, main)
        assert main.query_one("#setting-n_layer", Input).value == "0"
        await pilot.press("s")
        await wait_until(pilot, lambda: len(session.requests) == 1)
        assert session.requests[0].config.preset == "bigram"


async def test_letters_are_typed_into_a_text_field() -> None:
    async with running() as (pilot, main, session):
        corpus = main.query_one("#setting-corpus", Input)
        corpus.focus()
        corpus.value = ""
        await pilot.press("s", "q")
        assert corpus.value == "sq"
        assert session.requests == []


async def test_a_failing_import_of_torch_is_reported() -> None:
    class NoTorch(FakeSession):
        def load_torch(self) -> None:
            raise ImportError("libtorch is missing")

    async with running(NoTorch()) as (pilot, main, _):
        await pilot.press("s")
        await wait_until(pilot, lambda: phase(main) == "failed")
        assert "doctor" in shown(main, "#failure")


async def test_torch_is_imported_and_the_garbage_collected_in_the_background() -> None:
    async with running() as (pilot, main, session):
        await wait_until(pilot, lambda: not main.control.loader.is_busy)
        assert session.has_loaded_torch
        assert session.has_collected_garbage
        assert gc.isenabled()


async def test_a_request_from_the_command_line_starts_at_once() -> None:
    request = TrainRequest(config=resolve("nano"), name="mine", began=5.0)
    async with running(request=request) as (pilot, main, session):
        await wait_until(pilot, lambda: phase(main) == "finished")
        assert session.requests == [request]


async def test_waiting_for_pytorch_counts_as_the_runs_time() -> None:
    class Slow(FakeSession):
        def load_torch(self) -> None:
            assert awake.wait(20)

    awake = threading.Event()
    session = Slow([])
    app = TuiGptApp(session=session)
    async with app.run_test(size=(120, 36)) as pilot:
        await wait_until(pilot, lambda: app.main is not None and app.main.active_tab == "train")
        main = app.main
        assert main is not None
        pressed = time.monotonic()
        await pilot.press("s")
        await wait_until(pilot, lambda: main.control.is_training)
        started = time.monotonic()
        awake.set()
        await wait_until(pilot, lambda: len(session.requests) == 1)
        assert pressed <= (session.requests[0].began or 0.0) <= started


async def test_skipped_files_of_a_folder_are_reported(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("to be or not to be\n")
    (tmp_path / "picture.bin").write_bytes(bytes(range(256)))
    request = TrainRequest(config=resolve("nano", str(tmp_path)))
    async with running(request=request) as (pilot, main, _):
        await wait_until(pilot, lambda: phase(main) == "finished")
        assert "picture.bin" in notices(main)


@pytest.mark.parametrize("sentence", ["batch_size is 64: that takes 40 GB", "this takes 40 GB of memory: train a nano"])
async def test_settings_that_the_session_refuses_are_reported_in_the_form(sentence: str) -> None:
    """Under the field that the error names, or in place of the estimate; the form keeps its values."""
    session = FakeSession([ConfigError(sentence)])
    async with running(session) as (pilot, main, _):
        await wait_until(pilot, lambda: "about" in shown(main, "#estimate"))
        await open_settings(pilot, main)
        main.query_one("#setting-seed", Input).value = "77"
        await pilot.press("s")
        await wait_until(pilot, lambda: sentence in said(main))
        assert main.train_pane.record is None
        assert main.query_one("#setting-seed", Input).value == "77"
        await wait_until(pilot, lambda: not main.control.is_training)
        await pilot.pause()
        assert not any(worker.group == "estimate" for worker in main.workers if worker.is_running)
        assert sentence in said(main)


def said(main: MainScreen) -> str:
    """Return the estimate, and what is beside the size of a batch."""
    return main.query_one("#row-batch_size", SettingRow).explanation + shown(main, "#estimate")


async def test_a_refused_estimate_is_reported_under_its_field() -> None:
    refusal = ConfigError("max_seconds is 1: the evaluation alone takes 20 s")
    async with running(FakeSession(refuse_estimate=refusal)) as (pilot, main, _):
        await wait_until(pilot, lambda: str(refusal) in shown(main, "#sentence"))
        assert "a: all settings" in shown(main, "#sentence")
        main.train_pane.setup.refuse(refusal)
        await open_settings(pilot, main)
        main.train_pane.setup.refuse(refusal)
        assert main.query_one("#setting-max_seconds").has_class("wrong")


async def test_the_generate_tab_begins_with_the_users_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment, then the file, then what is remembered; `config show` reports the first two."""
    AppState(sampling=SampleConfig(temperature=0.1, top_k=3, max_new_tokens=50), source="remembered").save()
    paths.config_file().write_text('[generate]\nmax_new_tokens = 77\ntop_k = 5\nrun = "shipped"\n')
    monkeypatch.setenv("TUI_GPT_GENERATE_TOP_K", "7")
    async with running() as (pilot, main, _):
        await pilot.press("2")
        await wait_until(pilot, lambda: main.generate_pane is not None and main.generate_pane.is_mounted)
        assert main.generate_pane is not None
        config = main.generate_pane.controls.config
        assert (config.max_new_tokens, config.top_k, config.temperature) == (77, 7, 0.1)
        assert main.state.source == "shipped"


async def test_invalid_settings_for_generation_are_reported() -> None:
    paths.config_file().parent.mkdir(parents=True, exist_ok=True)
    paths.config_file().write_text("[generate]\ntemperature = -1\n")
    async with running() as (pilot, main, _):
        await pilot.press("2")
        await wait_until(pilot, lambda: "temperature is -1" in notices(main))
        assert main.state.sampling == SampleConfig()
