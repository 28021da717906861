"""The entries of the command palette."""

from collections.abc import Iterable

from textual.app import SystemCommand

from tui_gpt.config import PRESETS
from tui_gpt.tui.app.main_screen import MainScreen
from tui_gpt.tui.train.chart.state import CHART_ACTIONS
from tui_gpt.tui.train.run_actions import COMMANDS


def commands(screen: MainScreen) -> Iterable[SystemCommand]:
    """Yield the available actions, those of the chart and of the Data tab, the presets and the tabs."""
    for action, (title, explanation) in COMMANDS.items():
        if screen.check_action("run", (action,)):
            yield SystemCommand(title, explanation, lambda action=action: screen.run_action(f"run('{action}')"))
    pane = screen.data_pane
    if pane is not None and screen.active_tab == "data":
        for name, (title, explanation) in pane.COMMANDS.items():
            yield SystemCommand(title, explanation, lambda name=name: pane.run_action(name))
    if screen.active_tab == "train" and screen.train_pane.record is not None:
        chart = screen.train_pane.run_pane.chart
        for name, (_, title, explanation) in CHART_ACTIONS.items():
            yield SystemCommand(title, explanation, lambda name=name: chart.action_chart(name))
    for name, preset in PRESETS.items():
        yield SystemCommand(f"Preset {name}", preset.summary, lambda name=name: screen.choose_preset(name))
    yield SystemCommand("Play the demo", "A recorded training in half a minute", lambda: screen.app.run_action("demo"))
    for name in ("train", "generate", "runs", "data"):
        yield SystemCommand(f"Go to {name.title()}", "Show that tab", lambda name=name: screen.action_tab(name))
