"""Where files live: below `TUI_GPT_HOME`, or else the platform's user data directory.

Nothing is created here; the code that writes into a folder creates it.
"""

import os
from importlib import resources
from pathlib import Path

import platformdirs

from tui_gpt.errors import UsageError

HOME_VARIABLE = "TUI_GPT_HOME"


def home() -> Path:
    """Return the folder that holds all of the user's data. Raises UsageError for an invalid `TUI_GPT_HOME`."""
    chosen = os.environ.get(HOME_VARIABLE)
    if chosen:
        return expanded(Path(chosen)).absolute()
    return Path(platformdirs.user_data_dir("tui-gpt", appauthor=False))


def runs_dir() -> Path:
    """Return the folder of the runs, each of which is a folder in it."""
    return home() / "runs"


def corpora_dir() -> Path:
    """Return the folder of the texts added with `tui-gpt data add`."""
    return home() / "corpora"


def prepared_dir() -> Path:
    """Return the folder of what was prepared of large texts, which can be removed at any time and is made again."""
    return home() / "prepared"


def config_file() -> Path:
    """Return the file of the user's defaults, written by hand or by `tui-gpt config init`."""
    return home() / "config.toml"


def state_file() -> Path:
    """Return the file of what the app remembers between launches: theme, latest choices, sampling settings."""
    return home() / "state.json"


def history_file() -> Path:
    """Return the file of the Generate tab's notebook, one JSON object per line."""
    return home() / "history.jsonl"


def logs_dir() -> Path:
    """Return the folder of crash reports and of the output of native libraries."""
    return home() / "logs"


def shipped_dir() -> Path:
    """Return the folder of the bundled data: the built-in corpus and the pretrained model."""
    installed = Path(str(resources.files("tui_gpt"))) / "data"
    return installed if installed.is_dir() else installed.parent.parent / "data"


def expanded(path: Path) -> Path:
    """Return a path given by the user with `~` and `~user` replaced by home folders. Raises UsageError."""
    if "\0" in str(path):
        raise UsageError(f"{path} cannot be a path: leave out the character with the code 0")
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise UsageError(f"{path} names the home of an unknown user: write the path without ~") from error


def real_path(path: Path) -> Path:
    """Return a path given by the user with `~` and links resolved. Raises UsageError."""
    return Path(os.path.realpath(expanded(path)))
