"""Read `config.toml` and the environment, and merge the levels: command line, environment, file, preset, default."""

import dataclasses
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tui_gpt.config import DEFAULT_CORPUS, DEFAULT_PRESET, AlertConfig, RunConfig, SampleConfig, resolve
from tui_gpt.errors import ConfigError
from tui_gpt.key_table import KEY_ACTIONS
from tui_gpt.keys import Keymap
from tui_gpt.storage import paths
from tui_gpt.storage.names import did_you_mean
from tui_gpt.storage.plain_files import read_plain_file
from tui_gpt.storage.settings.table import RUN_HELP, SAMPLE_HELP, SETTINGS, Section, SettingSpec

Values = Mapping[str, Any]
Levels = list[tuple[str, dict[str, Any]]]
"""Settings by their source, highest precedence first."""

COMMAND_LINE = "the command line"
ENVIRONMENT = "the environment"

_SIZE_LIMIT = 1 << 20
_GROUPS = (frozenset({"max_iters", "max_seconds"}), frozenset({"val_share", "val_file"}))
"""Settings that replace each other: the end of a run, and its validation text."""


def load(section: Section) -> dict[str, Any]:
    """Return the settings of a section of `config.toml`; none when there is no file.

    Raises ConfigError, which names file and key, for anything that is not a setting of the right type.
    """
    path = paths.config_file()
    if not os.path.lexists(path):
        return {}
    try:
        return _checked_section(_parsed(path), section)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_plain_file(path, _SIZE_LIMIT).decode("utf-8-sig"))
    except RecursionError:
        raise ConfigError("it is nested too deeply: fix it, or move it away") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"this is not TOML: {str(error).lower()}: fix that line, or move the file away") from error
    except OSError as error:
        raise ConfigError(f"it cannot be read ({error.strerror}): fix it, or move it away") from error
    except ValueError as error:
        raise ConfigError("it cannot be read (it is not UTF-8 text): fix it, or move it away") from error


def _checked_section(document: Mapping[str, Any], section: Section) -> dict[str, Any]:
    """Return the settings of a section. Of the others only the names are checked."""
    for name, values in document.items():
        if name not in SETTINGS or not isinstance(values, dict):
            known = " or ".join(f"[{one}]" for one in SETTINGS)
            raise ConfigError(f"{name!r} is not a section: settings belong under {known}")
    values = document.get(section, {})
    settings = _joined(values) if section == "keys" else values
    return {key: _checked_setting(section, key, value) for key, value in settings.items()}


def _joined(values: Values) -> dict[str, Any]:
    """Return the settings of [keys] by id: TOML reads `run.pause` without quotes as a table in a table."""
    joined: dict[str, Any] = {}
    for name, value in values.items():
        joined |= {f"{name}.{inner}": one for inner, one in value.items()} if isinstance(value, dict) else {name: value}
    return joined


def _checked_setting(section: Section, name: str, value: Any) -> Any:
    setting = SETTINGS[section].get(name)
    if setting is None:
        suggestion = did_you_mean(name, SETTINGS[section])
        raise ConfigError(f"[{section}] has the unknown setting {name!r}{suggestion}: remove it")
    try:
        return setting.checked(value)
    except ConfigError as error:
        raise ConfigError(f"[{section}] {error}") from error


def environment(section: Section) -> dict[str, Any]:
    """Return the settings of a section in the environment. Raises ConfigError for a value of the wrong type."""
    return {
        name: setting.from_text(os.environ[setting.variable])
        for name, setting in SETTINGS[section].items()
        if os.environ.get(setting.variable)
    }


def config_layers(section: Section) -> Levels:
    """Return the settings of a section in the environment and in `config.toml`. Raises ConfigError."""
    return [(ENVIRONMENT, environment(section)), (str(paths.config_file()), load(section))]


def merged(*levels: Values) -> dict[str, Any]:
    """Merge the values of several levels, highest precedence first.

    A group counts as one setting: a level that sets max_iters or max_seconds replaces both of the lower levels.
    """
    result: dict[str, Any] = {}
    for level in reversed(levels):
        replaced = frozenset[str]().union(*(group for group in _GROUPS if group & level.keys()))
        result = {name: value for name, value in result.items() if name not in replaced} | dict(level)
    return result


def run_config(levels: Levels) -> RunConfig:
    """Make the config of a run from levels. Raises ConfigError, which names the level of the bad value."""
    values = merged(*(level for _, level in levels))
    preset, corpus = values.pop("preset", DEFAULT_PRESET), values.pop("corpus", DEFAULT_CORPUS)
    try:
        return resolve(preset, corpus, **values)
    except ConfigError as error:
        raise _with_source(error, "train", levels) from error


def sample_config(levels: Levels) -> SampleConfig:
    """Make the config of a generation from levels. Raises ConfigError, which names the level of the bad value."""
    values = merged(*(level for _, level in levels))
    try:
        return SampleConfig.from_dict({name: value for name, value in values.items() if name in SAMPLE_HELP})
    except ConfigError as error:
        raise _with_source(error, "generate", levels) from error


def _with_source(error: ConfigError, section: Section, levels: Levels) -> ConfigError:
    """Add the source of the bad value to an error, unless it is the command line."""
    source = next((source for source, level in levels if error.setting in level), COMMAND_LINE)
    if source == COMMAND_LINE:
        return error
    where = f"by {SETTINGS[section][error.setting].variable} in the environment" if source == ENVIRONMENT else ""
    return ConfigError(f"{error} (set {where or f'in {source}'})", error.setting)


def preferred_run_config() -> RunConfig:
    """Return the user's default config of a run. Raises ConfigError."""
    return run_config(config_layers("train"))


def preferred_sample_config() -> SampleConfig:
    """Return the user's default config of a generation. Raises ConfigError."""
    return sample_config(config_layers("generate"))


def alert_config() -> tuple[AlertConfig, str]:
    """Return how the user wants to be alerted, and what is wrong with these settings, which are then not used ("" if
    nothing)."""
    try:
        return AlertConfig.from_dict(merged(*(level for _, level in config_layers("alerts")))), ""
    except ConfigError as error:
        return AlertConfig(), str(error)


def keymap() -> Keymap:
    """Return the keys that the user wants. Raises ConfigError, which names the source of a key used twice."""
    return _keymap(config_layers("keys"))


def _keymap(levels: Levels) -> Keymap:
    try:
        return Keymap(merged(*(level for _, level in levels)))
    except ConfigError as error:
        raise _with_source(error, "keys", levels) from error


@dataclass(frozen=True)
class Effective:
    """The effective value of a setting, and its source."""

    setting: SettingSpec
    value: Any
    source: str


def effective(section: Section, levels: Levels | None = None) -> list[Effective]:
    """Return the value of every setting of a section, by default with the user's levels. Raises ConfigError."""
    levels = config_layers(section) if levels is None else levels
    values, fallback = _run_values(levels) if section == "train" else (_other_values(section, levels), "default")
    sources = merged(*(dict.fromkeys(level, source) for source, level in levels))
    return [
        Effective(setting, values[name], sources.get(name) or ("default" if name in RUN_HELP else fallback))
        for name, setting in SETTINGS[section].items()
    ]


def _run_values(levels: Levels) -> tuple[dict[str, Any], str]:
    config = run_config(levels)
    own = {"preset": config.preset, "corpus": config.corpus}
    return own | dataclasses.asdict(config.model) | dataclasses.asdict(config.train), f"preset {config.preset}"


def _other_values(section: Section, levels: Levels) -> dict[str, Any]:
    if section == "alerts":
        return dataclasses.asdict(AlertConfig()) | merged(*(level for _, level in levels))
    chosen = merged(*(level for _, level in levels))
    if section == "keys":
        _keymap(levels)
        return {name: action.keys for name, action in KEY_ACTIONS.items()} | chosen
    return {"run": None, "num_samples": 1, **chosen, **dataclasses.asdict(sample_config(levels))}
