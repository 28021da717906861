"""Make the README's pictures: `python benchmarks/pictures.py [FOLDER]` writes `train.svg` and `generate.svg`.

The first shows the recorded run that `tui-gpt demo` plays, the second what the shipped model generates with a fixed
seed. Nothing in them is invented.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from tui_gpt.config import RunConfig, SampleConfig
from tui_gpt.control import Control
from tui_gpt.errors import TuiGptError
from tui_gpt.requests import Estimate
from tui_gpt.session import Session
from tui_gpt.tui.app.app import TuiGptApp
from tui_gpt.tui.app.main_screen import MainScreen
from tui_gpt.tui.app.state import AppState
from tui_gpt.tui.demo.recording import Recording
from tui_gpt.tui.train.record import RunView

ROOT = Path(__file__).parent.parent
SIZE = (160, 48)
PROMPT = "ROMEO:"


class PictureSession(Session):
    """A session that trains nothing, and so needs no PyTorch."""

    def load_torch(self) -> None:
        """Do nothing."""

    def estimate(self, config: RunConfig, control: Control) -> Estimate:  # noqa: ARG002  # the signature of a session
        """Refuse: no picture shows an estimate, and it would need PyTorch."""
        raise TuiGptError("nothing is trained here")


def main() -> None:
    """Write both pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs"
    with tempfile.TemporaryDirectory() as home:
        os.environ["TUI_GPT_HOME"] = home
        AppState(source="shipped", sampling=SampleConfig(seed=1, max_new_tokens=600)).save()
        for name, picture in asyncio.run(pictures()).items():
            file = folder / f"{name}.svg"
            file.write_text("\n".join(line.rstrip() for line in picture.split("\n")), encoding="utf-8")
            print(file)


async def pictures() -> dict[str, str]:
    """Return both pictures by name."""
    app = TuiGptApp(session=PictureSession())
    async with app.run_test(size=SIZE) as pilot:
        app.animation_level = "none"
        await until(pilot, lambda: app.main is not None and app.main.is_mounted and bool(app.main.query("#estimate")))
        assert app.main is not None
        train = await train_tab(pilot, app.main)
        return {"train": train, "generate": await generate_tab(pilot, app.main)}


async def train_tab(pilot: Pilot[None], main: MainScreen) -> str:
    """Return a picture of the recorded run."""
    recording = Recording.load()
    main.train_pane.show_run(RunView.replay(recording.config.preset, recording.config, recording.events))
    await pilot.pause(0.5)
    return pilot.app.export_screenshot()


async def generate_tab(pilot: Pilot[None], main: MainScreen) -> str:
    """Return a picture of text from the shipped model, coloured by probability."""
    pane = await main.require_generate_pane()
    await pilot.press("2")
    await until(pilot, lambda: pane.box.has_focus)
    pane.box.cursor_blink = False
    pane.box.text = PROMPT
    await pilot.press("enter")
    await until(pilot, lambda: bool(pane.view.cards) and not pane.controller.is_generating)
    await pilot.press("escape", "p")
    await pilot.pause(0.5)
    return pilot.app.export_screenshot()


async def until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    """Let the app work until a condition holds."""
    while not condition():
        await pilot.pause(0.02)


if __name__ == "__main__":
    main()
