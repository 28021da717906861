"""Training and generating in the app at the same time, without fakes."""

import asyncio
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tui_gpt.config import RunConfig, SampleConfig, resolve
from tui_gpt.events import Event, Saved
from tui_gpt.requests import TrainRequest
from tui_gpt.session import Session
from tui_gpt.storage.runs import RunStore
from tui_gpt.tui.app.app import TuiGptApp
from tui_gpt.tui.app.state import AppState
from tui_gpt.tui.generate.generate_pane import GeneratePane

TEXT = "the quick brown fox jumps over the lazy dog and runs back to the river bank\n" * 40
LoggedEvent = dict[str, Any]
CLOCKS = ("elapsed_seconds", "tokens_per_second")


async def until(predicate: Callable[[], bool]) -> None:
    """Wait without asking for an idle processor, as a pilot would."""
    for _ in range(6_000):
        if predicate():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came true")


async def trained(config: RunConfig, name: str, *, is_generating: bool) -> tuple[list[LoggedEvent], list[int]]:
    """Train in the app; return the log without what clocks and disks determine, and the steps of the live answers."""
    AppState(sampling=SampleConfig(max_new_tokens=100)).save()
    app = TuiGptApp(TrainRequest(config=config, name=name), session=Session())
    async with app.run_test(size=(100, 30)):
        await until(lambda: app.main is not None and app.main.control.is_training)
        main = app.main
        assert main is not None
        await main.generate_with("live")
        pane = main.query_one(GeneratePane)
        while main.control.is_training:
            if (
                is_generating
                and not pane.controller.is_generating
                and main.control.record is not None
                and main.control.record.step
            ):
                pane.box.put("the ")
                pane.box.action_submit()
            await asyncio.sleep(0.01)
        await until(lambda: not pane.controller.is_generating)
        steps = [answer.step for card in pane.controller.notebook.cards for answer in card.answers if answer.text]
    return [_as_dict(event) for event in RunStore().get(name).events() if not isinstance(event, Saved)], steps


def _as_dict(event: Event) -> LoggedEvent:
    logged = {"type": type(event).__name__, **dataclasses.asdict(event)}
    return {name: value for name, value in logged.items() if name not in CLOCKS}


async def test_generating_from_live_weights_does_not_change_the_log(tmp_path: Path) -> None:
    """Dropout, batches, evaluations and samples draw the same numbers, and every loss is equal to the last digit. The
    disk determines when a checkpoint saved in the background is reported, so `Saved` events are not compared.
    """
    text = tmp_path / "fox.txt"
    text.write_text(TEXT, encoding="utf-8")
    config = resolve(
        "quick", str(text), n_layer=1, n_head=2, n_embd=16, block_size=32, batch_size=4, max_iters=40, dropout=0.1,
        eval_interval=10, log_interval=5, sample_interval=15, device="cpu", threads=1,
    )  # fmt: skip
    quiet, nothing = await trained(config, "quiet", is_generating=False)
    watched, steps = await trained(config, "watched", is_generating=True)
    assert nothing == []
    assert len(steps) >= 2
    assert 0 < min(steps) < max(steps) <= 40
    for log in (watched, quiet):
        log.sort(key=lambda logged: (logged["step"], logged["type"]))
    assert watched == quiet
