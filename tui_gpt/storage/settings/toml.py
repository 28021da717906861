"""Write settings as TOML: the template of `config init`, and the listing of `config show`."""

import json
import os
import re
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from tui_gpt.errors import ConfigError
from tui_gpt.storage import paths
from tui_gpt.storage.files import atomic_write
from tui_gpt.storage.settings.layers import Effective, effective
from tui_gpt.storage.settings.table import SETTINGS, Section, SettingSpec, non_optional

_EXAMPLES = {
    "max_iters": 2_000,
    "max_seconds": 180.0,
    "seed": 1337,
    "vocab_size": 1_024,
    "val_file": "held-out.txt",
    "run": "shipped",
}
"""Shown in the template for settings without a default."""
_KEYS_HEADING = (
    "# Keys of the app, by action: one, or several with commas. A key is a character or one of e.g. space, enter, f6,",
    "# ctrl+k, shift+left, comma. The actions of one place need different keys.",
)


def write_template(*, replace: bool = False) -> Path:
    """Write the template to `config.toml` and return its path.

    Raises ConfigError when the file exists and is not to be replaced, StorageError.
    """
    path = paths.config_file()
    if os.path.lexists(path) and not replace:
        raise ConfigError(f"{path} exists already: edit it, or replace it with --force")
    atomic_write(path, template().encode("utf-8"))
    return path


def template() -> str:
    """Return a `config.toml` in which every setting is commented out, with its default."""
    lines = [
        "# Your own defaults for tui-gpt: uncomment a setting to use it.",
        "# The command line and the environment override this file, which overrides the preset.",
    ]
    for section in SETTINGS:
        lines += ["", f"[{section}]", *(_KEYS_HEADING if section == "keys" else ())]
        lines += [line for row in effective(section, []) for line in _commented_out(row)]
    return re.sub("\n{3,}", "\n\n", "\n".join(lines).rstrip()) + "\n"


def _commented_out(row: Effective) -> list[str]:
    shown = _EXAMPLES.get(row.setting.name) if row.value is None else row.value
    line = f"#{row.setting.name} = {_toml_value(shown)}"
    if row.setting.section == "keys":
        return [f"{line:<44}  # {row.setting.help}"]
    return [f"# {_explained(row.setting)}", line, ""]


def _explained(setting: SettingSpec) -> str:
    hint = non_optional(setting.hint)
    choices = typing.get_args(hint) if typing.get_origin(hint) is Literal else ()
    return f"{setting.help} {' | '.join(choices)}".rstrip()


def _toml_value(value: Any) -> str:
    """Return a number, truth value or text as TOML."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def as_toml(section: Section, rows: Sequence[Effective]) -> str:
    """Return a section as TOML with the source of each setting beside it; settings without a value are comments."""
    left = [
        f"# {row.setting.name} is not set" if row.value is None else f"{row.setting.name} = {_toml_value(row.value)}"
        for row in rows
    ]
    width = max(map(len, left))
    lines = [f"{text.ljust(width)}  # {row.source}" for text, row in zip(left, rows, strict=True)]
    return "\n".join([f"[{section}]", *lines])
