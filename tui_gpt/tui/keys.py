"""The bindings of the app, made from the table of keys, and the keys in use as sentences and buttons name them."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from textual.actions import parse
from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.dom import DOMNode
from textual.widget import Widget

from tui_gpt.key_table import KEY_ACTIONS
from tui_gpt.keys import DEFAULT_KEYMAP, Keymap, key_names
from tui_gpt.tui.textual_internals import GuardedApp


def key_binding(
    name: str,
    action: str,
    description: str,
    *,
    show: bool = True,
    key_display: str | None = None,
    priority: bool = False,
) -> Binding:
    """Return the binding of an action of the table to its default keys."""
    entry = KEY_ACTIONS[name]
    return Binding(
        ",".join(key_names(entry.keys)),
        action,
        description,
        show=show,
        key_display=key_display,
        priority=priority,
        tooltip=entry.help,
        id=name,
    )


def title_of(name: str) -> str:
    """Return the palette's title of an action without its group, e.g. `Zoom in`."""
    return KEY_ACTIONS[name].title.rpartition(": ")[2].capitalize()


def keymap_of(node: DOMNode) -> Keymap:
    """Return the keys in use by the app of a node."""
    app = node.app
    return app.keymap if isinstance(app, GuardedApp) else DEFAULT_KEYMAP


def button_label(node: DOMNode, label: str, name: str) -> str:
    """Return the label of a button with the key of the same action."""
    return f"{label}  {keymap_of(node).shown(name)}"


def key_commands(node: App[Any] | Widget) -> Iterable[SystemCommand]:
    """Yield the available actions of a node's bindings for the command palette."""
    for binding in type(node).BINDINGS:
        entry = KEY_ACTIONS.get(binding.id or "") if isinstance(binding, Binding) else None
        if isinstance(binding, Binding) and entry is not None and entry.title and _is_available(node, binding.action):
            help_text = entry.help[0].upper() + entry.help[1:]
            yield SystemCommand(entry.title, help_text, partial(node.run_action, binding.action))


def _is_available(node: DOMNode, action: str) -> bool:
    _, name, parameters = parse(action)
    return node.check_action(name, parameters) is True
