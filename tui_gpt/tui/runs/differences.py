"""The settings in which several runs differ, without a widget."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tui_gpt.config import RunConfig
from tui_gpt.events import SettingValue
from tui_gpt.formatting import format_setting, text_name
from tui_gpt.progress import RunRecord

_ABSENT = "–"


@dataclass(frozen=True)
class Difference:
    """A setting that is not the same in all runs."""

    setting: str
    values: tuple[str, ...]
    """The words for its value in each run."""


def differences(configs: Sequence[RunConfig]) -> list[Difference]:
    """Return the settings that differ, in the order of the configuration, with their values in each run."""
    texts = _texts([config.corpus for config in configs])
    tables = [_settings(config, text) for config, text in zip(configs, texts, strict=True)]
    names = dict.fromkeys(name for table in tables for name in table)
    rows = [(name, [table.get(name) for table in tables]) for name in names]
    return [Difference(name, tuple(map(_words, values))) for name, values in rows if _differ(values)]


def settings_of(record: RunRecord, config: RunConfig) -> RunConfig:
    """Return the settings of a run with the newest learning rate, if it was changed during the run."""
    if record.learning_rate is None:
        return config
    return dataclasses.replace(config, train=dataclasses.replace(config.train, learning_rate=record.learning_rate))


def _differ(values: Sequence[SettingValue]) -> bool:
    return any(value != values[0] for value in values[1:])


def _texts(corpora: Sequence[str]) -> list[str]:
    """Return the short names of the texts, or their paths where two of them have the same name."""
    names = [text_name(corpus) for corpus in corpora]
    return names if len(set(names)) == len(set(corpora)) else list(corpora)


def _settings(config: RunConfig, text: str) -> Mapping[str, SettingValue]:
    """Return the settings of a run by their names on the command line."""
    top: dict[str, SettingValue] = {"preset": config.preset, "text": text}
    return top | dataclasses.asdict(config.model) | dataclasses.asdict(config.train)


def _words(value: SettingValue) -> str:
    match value:
        case None | "":
            return _ABSENT
        case bool():
            return "yes" if value else "no"
        case _:
            return format_setting(value)
