"""The user's own defaults: `config.toml`, environment variables, and the order in which they apply.

A setting has one name everywhere: `max_iters` in the file, `--max-iters` on the command line, `TUI_GPT_TRAIN_MAX_ITERS`
in the environment. Ranges are checked by the configs in `tui_gpt.config`; here their messages get the source of the
bad value added.
"""

from tui_gpt.storage.settings.layers import (
    COMMAND_LINE,
    ENVIRONMENT,
    Effective,
    Levels,
    alert_config,
    config_layers,
    effective,
    environment,
    keymap,
    load,
    merged,
    preferred_run_config,
    preferred_sample_config,
    run_config,
    sample_config,
)
from tui_gpt.storage.settings.table import (
    BOOL_WORDS,
    MODEL_HELP,
    SAMPLE_HELP,
    SETTINGS,
    TRAIN_HELP,
    Section,
    SettingSpec,
    non_optional,
)
from tui_gpt.storage.settings.toml import as_toml, template, write_template

__all__ = [
    "BOOL_WORDS",
    "COMMAND_LINE",
    "ENVIRONMENT",
    "MODEL_HELP",
    "SAMPLE_HELP",
    "SETTINGS",
    "TRAIN_HELP",
    "Effective",
    "Levels",
    "Section",
    "SettingSpec",
    "alert_config",
    "as_toml",
    "config_layers",
    "effective",
    "environment",
    "keymap",
    "load",
    "merged",
    "non_optional",
    "preferred_run_config",
    "preferred_sample_config",
    "run_config",
    "sample_config",
    "template",
    "write_template",
]
