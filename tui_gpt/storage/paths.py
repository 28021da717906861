"""Where things live: one function a directory, each below `TUI_GPT_HOME` or the platform's user data directory, but for
the cache.

Only names are made here; whoever writes into a directory creates it.
"""

import os
from importlib import resources
from pathlib import Path

import platformdirs

HOME_VARIABLE = "TUI_GPT_HOME"


def home() -> Path:
    """The root of everything this program keeps for its user."""
    chosen = os.environ.get(HOME_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    return Path(platformdirs.user_data_dir("tui-gpt", appauthor=False))


def runs_dir() -> Path:
    """One folder a run."""
    return home() / "runs"


def corpora_dir() -> Path:
    """The texts that `tui-gpt data add` took in."""
    return home() / "corpora"


def config_file() -> Path:
    """The user's settings, written by hand or by `tui-gpt config init`."""
    return home() / "config.toml"


def state_file() -> Path:
    """What the app remembers between launches: theme, latest choices, sampling settings."""
    return home() / "state.json"


def history_file() -> Path:
    """The Generate tab's notebook, one JSON object a line."""
    return home() / "history.jsonl"


def logs_dir() -> Path:
    """Crash reports and the noise of native libraries."""
    return home() / "logs"


def cache_dir() -> Path:
    """What can be made again: the decoding kernel. It is code, so it lies in no home that others may share."""
    return Path(platformdirs.user_cache_dir("tui-gpt", appauthor=False))


def shipped_dir() -> Path:
    """The data that comes with the program: the built-in corpus and the pretrained model."""
    installed = Path(str(resources.files("tui_gpt"))) / "data"
    return installed if installed.is_dir() else installed.parent.parent / "data"
