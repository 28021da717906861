"""Conversion between the text of a form's fields and a `RunConfig`. Pure: no widget, no disk.

The config classes validate the settings; here an error is only assigned to the field that it is about.
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
from tui_gpt.storage.settings import BOOL_WORDS, MODEL_HELP, SETTINGS

_Config = TypeVar("_Config", ModelConfig, TrainConfig)


@dataclass(frozen=True)
class Section:
    """Settings about one subject, named as in the config."""

    title: str
    names: tuple[str, ...]


SECTIONS = (
    Section("End of the run", ("max_seconds", "max_iters", "patience")),
    Section("Text", ("val_share", "val_file", "shuffle_documents")),
    Section("Model", tuple(MODEL_HELP)),
    Section(
        "Optimizer",
        (
            "batch_size",
            "gradient_accumulation",
            "optimizer",
            "learning_rate",
            "min_lr_ratio",
            "schedule",
            "warmup_iters",
            "weight_decay",
            "beta1",
            "beta2",
            "grad_clip",
        ),
    ),
    Section("Progress", ("eval_interval", "log_interval", "sample_interval", "autosave_seconds")),
    Section("Machine", ("seed", "device", "threads", "compile")),
)
"""All settings of a run but preset and text, in reading order."""
FIELDS = tuple(name for section in SECTIONS for name in section.names)
SPLIT_FIELDS = ("val_file", "val_share", "shuffle_documents")
"""Fields that belong to the text rather than to a preset."""
_END_FIELDS = ("max_seconds", "max_iters")
"""Fields of which at least one must be filled in."""
_MOST_CHANGED = 3

_GROUPED = re.compile(r"[+-]?([1-9]\d{0,2}(,\d{3})+|\d+(_\d+)+|\d+)(\.\d*)?(e[+-]?\d+)?", re.ASCII)
"""A number with or without commas or underscores between groups of digits."""
_HINTS: dict[str, Any] = {**typing.get_type_hints(ModelConfig), **typing.get_type_hints(TrainConfig)}


class FieldError(ConfigError):
    """An invalid setting; `field` is the field that the sentence is about."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


def is_number(name: str) -> bool:
    """Return whether a setting accepts only numbers."""
    return not {int, float}.isdisjoint(_options(_HINTS.get(name, str)))


def _options(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) or (hint,)


def texts(config: RunConfig) -> dict[str, str]:
    """Return the text of each field for a run."""
    return {name: _spelled(_value_of(config, name)) for name in FIELDS}


def meaning(name: str) -> str:
    """Return what a setting means, and its range or choices."""
    setting = SETTINGS["train"][name]
    allowed = setting.allowed
    return setting.help if not allowed or allowed in setting.help else f"{setting.help.removesuffix('.')} ({allowed})."


def changed_words(config: RunConfig, usual: RunConfig) -> str:
    """Return the settings that differ from those of `usual`, apart from the run's end, e.g. `dropout 0.1 · seed 7`."""
    changed = [
        f"{name} {_spelled(_value_of(config, name)) or 'none'}"
        for name in FIELDS
        if name not in _END_FIELDS and _value_of(config, name) != _value_of(usual, name)
    ]
    rest = len(changed) - _MOST_CHANGED
    return " · ".join([*changed[:_MOST_CHANGED], *([f"{rest} more"] if rest > 0 else [])])


def with_samples(config: RunConfig) -> RunConfig:
    """Return `config` with a sample at each evaluation, unless it has a sample interval."""
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
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return str(value)


def parsed(name: str, text: str) -> SettingValue:
    """Parse the value of a setting: `1,000`, `3e-4`, or nothing. Raises FieldError."""
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
    """Return a number without separators between groups of digits; a decimal comma remains, as an error."""
    return text.replace(",", "").replace("_", "") if _GROUPED.fullmatch(text) else text


def _spelled_out(name: str, text: str, sentence: str) -> str:
    if not text:
        return f"{name} is empty: fill it in"
    return f"{sentence}, with a point and no comma" if "," in text and is_number(name) else sentence


def changed_setting(config: TrainConfig, name: str, text: str) -> SettingValue:
    """Parse a new value for one setting of a run. Raises FieldError, also if the run cannot use it."""
    value = parsed(name, text)
    try:
        TrainConfig.from_dict({**dataclasses.asdict(config), name: value})
    except ConfigError as error:
        raise FieldError(name, str(error)) from None
    return value


def later_step(made: int, text: str) -> int:
    """Parse the step at which a run of `made` steps is to end. Raises FieldError."""
    try:
        value = parsed("max_iters", text)
    except FieldError:
        value = None
    if not isinstance(value, int) or value <= made:
        raise FieldError(
            "max_iters", f"{text.strip() or 'nothing'} is not a step after {made:,}: choose a whole number"
        )
    changed_setting(TrainConfig(max_iters=1), "max_iters", text)
    return value


def config_of(base: RunConfig, corpus: str, typed: Mapping[str, str], edited: str = "") -> RunConfig:
    """Return `base` with the settings of the form. An error that names no field belongs to the field `edited`.

    Raises FieldError.
    """
    if not corpus.strip():
        raise FieldError("corpus", "which text? choose a file, a folder of text files, or tinyshakespeare")
    values = {name: parsed(name, text) for name, text in typed.items()}
    if values.get("max_iters") is None and values.get("max_seconds") is None:
        field = edited if edited in _END_FIELDS else _END_FIELDS[0]
        raise FieldError(field, "the run has no end: set max_seconds or max_iters")
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
    """Return the field that an error is about; None if that is unknown."""
    first = str(error).split()[0].rstrip(":") if str(error).strip() else ""
    if isinstance(error, CorpusError):
        return first if first in SPLIT_FIELDS else "corpus"
    return first if first in FIELDS else None


def _replaced(config: _Config, values: Mapping[str, Any]) -> _Config:
    return dataclasses.replace(config, **{name: value for name, value in values.items() if hasattr(config, name)})


def _blamed(sentence: str, edited: str) -> str:
    """Return the field that an error of the config is about: the one edited last, or the one in the sentence."""
    named = field_of(ConfigError(sentence))
    return edited if edited and edited != "corpus" else named or "max_iters"
