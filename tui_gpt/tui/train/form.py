"""From what was typed into a form to a `RunConfig`, and back. Pure: no widget, no disk.

The config classes themselves are the judges of a setting; here it is only found out which field their sentence means.
"""

import dataclasses
import re
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, TypeVar

from tui_gpt.config import ModelConfig, RunConfig, TrainConfig
from tui_gpt.errors import ConfigError, CorpusError
from tui_gpt.events import SettingValue
from tui_gpt.records import check_value
from tui_gpt.storage.settings import BOOL_WORDS

_Config = TypeVar("_Config", ModelConfig, TrainConfig)


@dataclass(frozen=True)
class FormField:
    """One line of the form; `name` is the setting's own, as on the command line."""

    name: str
    unit: str


WIDE_FIELDS = (FormField("val_file", "instead of val_share"),)
"""Each in a line of its own."""
COLUMN_FIELDS = (
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
    FormField("val_share", "held out"),
    FormField("shuffle_documents", "yes or no"),
)
"""In reading order of two columns: how it is trained at the left, what is trained at the right."""
FIELDS = (*WIDE_FIELDS, *COLUMN_FIELDS)
SPLIT_FIELDS = ("val_file", "val_share", "shuffle_documents")
"""Those that belong to the text, and not to a preset."""

_GROUPED = re.compile(r"[+-]?([1-9]\d{0,2}(,\d{3})+|\d+(_\d+)+|\d+)(\.\d*)?(e[+-]?\d+)?", re.ASCII)
"""A number whose digits are grouped by commas or underscores, or not at all."""
_HINTS: dict[str, Any] = {**typing.get_type_hints(ModelConfig), **typing.get_type_hints(TrainConfig)}


class FieldError(ConfigError):
    """A setting that cannot be; `field` is the form's line that the sentence belongs to."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


def is_number(name: str) -> bool:
    """Whether the setting takes nothing but numbers."""
    return not {int, float}.isdisjoint(_options(_HINTS.get(name, str)))


def _options(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) or (hint,)


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


def _value_of(config: RunConfig, name: str) -> SettingValue:
    part = config.model if hasattr(config.model, name) else config.train
    value: SettingValue = getattr(part, name)
    return value


def _spelled(value: SettingValue) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def parsed(name: str, text: str) -> SettingValue:
    """The value of a setting as typed: `1,000`, `3e-4`, or nothing. Raises FieldError."""
    hint = _HINTS[name]
    options = _options(hint)
    text = text.strip()
    if not text and NoneType in options:
        return None
    plain = _without_separators(text)
    value: SettingValue = BOOL_WORDS.get(text.lower(), text) if hint is bool else text
    for kind in (int, float):
        if kind in options:
            try:
                value = kind(plain)
                break
            except (ValueError, OverflowError):
                continue
    try:
        checked: SettingValue = check_value(name, value, hint)
    except ConfigError as error:
        raise FieldError(name, _spelled_out(name, text, str(error))) from None
    return checked


def _without_separators(text: str) -> str:
    """A number without what only groups its digits; a decimal comma stays, for it is something else."""
    return text.replace(",", "").replace("_", "") if _GROUPED.fullmatch(text) else text


def _spelled_out(name: str, text: str, sentence: str) -> str:
    if not text:
        return f"{name} is empty: fill it in"
    return f"{sentence}, with a point and no comma" if "," in text and is_number(name) else sentence


def changed_setting(config: TrainConfig, name: str, text: str) -> SettingValue:
    """A new value for one setting of a run, as typed. Raises FieldError, also where the run cannot take it."""
    value = parsed(name, text)
    try:
        TrainConfig.from_dict({**dataclasses.asdict(config), name: value})
    except ConfigError as error:
        raise FieldError(name, str(error)) from None
    return value


def later_step(made: int, text: str) -> int:
    """The step up to which a run is to be trained that has made `made`, as typed. Raises FieldError."""
    try:
        value = parsed("max_iters", text)
    except FieldError:
        value = None
    if not isinstance(value, int) or value <= made:
        raise FieldError("max_iters", f"{text.strip() or 'nothing'} is no step above {made:,}: choose a whole number")
    changed_setting(TrainConfig(max_iters=1), "max_iters", text)
    return value


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


def field_of(error: ConfigError | CorpusError) -> str | None:
    """The field that a sentence is about, if it can be told."""
    first = str(error).split()[0].rstrip(":") if str(error).strip() else ""
    if isinstance(error, CorpusError):
        return first if first in SPLIT_FIELDS else "corpus"
    return first if any(first == field.name for field in FIELDS) else None


def _replaced(config: _Config, values: Mapping[str, Any]) -> _Config:
    return dataclasses.replace(config, **{name: value for name, value in values.items() if hasattr(config, name)})


def _blamed(sentence: str, edited: str) -> str:
    """The field that a sentence of the config's is about: the one it starts with, else the one edited last."""
    return edited or field_of(ConfigError(sentence)) or "max_iters"
