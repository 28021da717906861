"""The entries of the command palette."""

from collections.abc import Iterable

from textual.app import SystemCommand

from tui_gpt.config import PRESETS
from tui_gpt.tui.app.main_screen import MainScreen
from tui_gpt.tui.train.run_actions import COMMANDS


def commands(screen: MainScreen) -> Iterable[SystemCommand]:
    """Yield the available actions, the presets and the tabs."""
    for action, (title, explanation) in COMMANDS.items():
        if screen.check_action("run", (action,)):
            yield SystemCommand(title, explanation, lambda action=action: screen.run_action(f"run('{action}')"))
    pane = screen.data_pane
    if pane is not None and screen.active_tab == "data":
        for name, (title, explanation) in pane.COMMANDS.items():
            yield SystemCommand(title, explanation, lambda name=name: pane.run_action(name))
    for name, preset in PRESETS.items():
        yield SystemCommand(f"Preset {name}", preset.summary, lambda name=name: screen.choose_preset(name))
    for name in ("train", "generate", "runs", "data"):
        yield SystemCommand(f"Go to {name.title()}", "Show that tab", lambda name=name: screen.action_tab(name))
