"""From what was typed into a form to a `RunConfig`, and back. Pure: no widget, no disk.

The config classes themselves are the judges of a setting; here it is only found out which field their sentence means.
"""

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, TypeVar

from tui_gpt.config import ModelConfig, RunConfig, TrainConfig, checked_setting
from tui_gpt.errors import ConfigError
from tui_gpt.events import Setting

_Config = TypeVar("_Config", ModelConfig, TrainConfig)


@dataclass(frozen=True)
class FormField:
    """One line of the form; `name` is the setting's own, as on the command line."""

    name: str
    unit: str


FIELDS = (
    FormField("max_seconds", "seconds"),
    FormField("n_layer", "blocks"),
    FormField("max_iters", "steps"),
    FormField("n_head", "per block"),
    FormField("batch_size", "sequences"),
    FormField("n_embd", "wide"),
    FormField("learning_rate", "peak"),
    FormField("block_size", "characters"),
    FormField("weight_decay", ""),
    FormField("dropout", "0 to 0.9"),
    FormField("eval_interval", "steps"),
    FormField("sample_interval", "steps"),
    FormField("seed", ""),
    FormField("device", "or cpu"),
)
"""In reading order of two columns: how it is trained at the left, what is trained at the right."""

_HINTS: dict[str, Any] = {**typing.get_type_hints(ModelConfig), **typing.get_type_hints(TrainConfig)}


class FieldError(ConfigError):
    """A setting that cannot be; `field` is the form's line that the sentence belongs to."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


def is_number(name: str) -> bool:
    """Whether the setting takes nothing but numbers."""
    return name not in ("corpus", "device")


def texts(config: RunConfig) -> dict[str, str]:
    """What the form's fields say for a run."""
    return {field.name: _spelled(_value_of(config, field.name)) for field in FIELDS}


def with_samples(config: RunConfig) -> RunConfig:
    """The app shows what the model writes while it learns: at each evaluation, if nothing else is asked for."""
    if config.train.sample_interval:
        return config
    return dataclasses.replace(
        config, train=dataclasses.replace(config.train, sample_interval=config.train.eval_interval)
    )


def _value_of(config: RunConfig, name: str) -> Setting:
    part = config.model if hasattr(config.model, name) else config.train
    value: Setting = getattr(part, name)
    return value


def _spelled(value: Setting) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def parsed(name: str, text: str) -> Setting:
    """The value of a setting as typed: `1,000`, `3e-4`, or nothing. Raises FieldError."""
    hint = _HINTS[name]
    options = typing.get_args(hint) or (hint,)
    text = text.strip()
    if not text and NoneType in options:
        return None
    plain = text.replace(",", "").replace("_", "")
    value: Setting = text
    for kind in (int, float):
        if kind in options:
            try:
                value = kind(plain)
                break
            except (ValueError, OverflowError):
                continue
    try:
        checked: Setting = checked_setting(name, value, hint)
    except ConfigError as error:
        raise FieldError(name, str(error) if text else f"{name} is empty: fill it in") from None
    return checked


def config_of(base: RunConfig, corpus: str, typed: Mapping[str, str], edited: str = "") -> RunConfig:
    """`base` with what the form says. `edited` is the field to blame where the sentence names none.

    Raises FieldError.
    """
    if not corpus.strip():
        raise FieldError("corpus", "which text? a file, a folder of text files, or tinyshakespeare")
    values = {name: parsed(name, text) for name, text in typed.items()}
    try:
        return RunConfig(
            preset=base.preset,
            corpus=corpus.strip(),
            model=_replaced(base.model, values),
            train=_replaced(base.train, values),
        )
    except ConfigError as error:
        raise FieldError(_blamed(str(error), edited), str(error)) from None


def _replaced(config: _Config, values: Mapping[str, Any]) -> _Config:
    return dataclasses.replace(config, **{name: value for name, value in values.items() if hasattr(config, name)})


def _blamed(sentence: str, edited: str) -> str:
    """The field that a sentence of the config's is about: the one it starts with, else the one edited last."""
    first = sentence.split()[0].rstrip(":")
    names = [field.name for field in FIELDS]
    return first if first in names and not edited else edited or "max_iters"
