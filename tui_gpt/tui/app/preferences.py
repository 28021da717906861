"""The initial settings of both forms: those of `config.toml` and the environment, else those that the app remembers."""

import dataclasses

from tui_gpt.config import RunConfig, resolve
from tui_gpt.errors import ConfigError
from tui_gpt.keys import DEFAULT_KEYMAP, Keymap
from tui_gpt.storage import settings
from tui_gpt.tui.app.state import AppState


def chosen_keymap() -> tuple[Keymap, str]:
    """Return the keys that the user wants, and what is wrong with them ("" if nothing)."""
    try:
        return settings.keymap(), ""
    except ConfigError as error:
        return DEFAULT_KEYMAP, str(error)


def initial_run(state: AppState) -> tuple[RunConfig, str]:
    """Return the run to offer first, and what is wrong with the user's settings ("" if nothing)."""
    try:
        if any(layer for _, layer in settings.config_layers("train")):
            return settings.preferred_run_config(), ""
        return resolve(state.preset, state.corpus), ""
    except ConfigError as error:
        return RunConfig(), str(error)


def apply_generate_settings(state: AppState) -> str:
    """Replace remembered sampling settings by the user's own; return what is wrong with those ("" if nothing)."""
    try:
        layers = settings.config_layers("generate")
        settings.sample_config(layers)
    except ConfigError as error:
        return str(error)
    chosen = settings.merged(*(layer for _, layer in layers))
    sampling = {name: value for name, value in chosen.items() if name in settings.SAMPLE_HELP}
    state.sampling = dataclasses.replace(state.sampling, **sampling)
    state.source = chosen.get("run", state.source)
    return ""
