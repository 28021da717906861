"""The entries of the command palette."""

from collections.abc import Iterable
from typing import Any

from textual.app import App, SystemCommand
from textual.widget import Widget

from tui_gpt.config import PRESETS
from tui_gpt.tui.app.main_screen import MainScreen
from tui_gpt.tui.keys import key_commands


def commands(screen: MainScreen) -> Iterable[SystemCommand]:
    """Yield the available actions of the app's keys, the presets, the demo and the lesson."""
    entries: dict[str, SystemCommand] = {}
    nodes: list[App[Any] | Widget] = [screen, *screen.visible_widgets(), screen.app]
    for node in nodes:
        for entry in key_commands(node):
            entries.setdefault(entry.title, entry)
    yield from entries.values()
    for name, preset in PRESETS.items():
        yield SystemCommand(f"Preset {name}", preset.summary, lambda name=name: screen.choose_preset(name))
    yield SystemCommand("Play the demo", "A recorded training in half a minute", lambda: screen.app.run_action("demo"))
    yield SystemCommand(
        "Take the lesson",
        "How a language model works, in eight screens and ten minutes",
        lambda: screen.app.run_action("lesson"),
    )
