"""The user's own defaults: `config.toml`, the environment, and which of them wins.

A setting is known by one name everywhere: `max_iters` in the file, `--max-iters` on the command line,
`TUI_GPT_TRAIN_MAX_ITERS` in the environment. The tables here list them all, with a line of help each, so the file that
`config init` writes and the options that `--help` shows cannot drift apart. Ranges are not checked here: that is the
business of the configs in `config.py`, whose sentences are only completed with where the bad value came from.
"""

import dataclasses
import json
import os
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from tui_gpt.config import (
    DEFAULT_CORPUS,
    DEFAULT_PRESET,
    PRESETS,
    ModelConfig,
    RunConfig,
    SampleConfig,
    TrainConfig,
    checked_setting,
    resolve,
)
from tui_gpt.errors import ConfigError
from tui_gpt.storage import paths
from tui_gpt.storage.files import atomic_write, read_plain_file
from tui_gpt.storage.names import did_you_mean

Section = Literal["train", "generate"]
Values = Mapping[str, Any]

_SIZE_LIMIT = 1 << 20
_GROUPS = (frozenset({"max_iters", "max_seconds"}), frozenset({"val_share", "val_file"}))
"""Settings that count as one: a run's end, and what it is validated on."""

MODEL_HELP: Mapping[str, str] = MappingProxyType(
    {
        "architecture": "Kind of model.",
        "block_size": "Context, in characters.",
        "n_layer": "Transformer blocks.",
        "n_head": "Attention heads in a block.",
        "n_embd": "Width, a multiple of the heads.",
        "dropout": "Share of activations dropped in training.",
        "ngram_order": "Order of the n-gram prior under a modern model, at most; 0 is none.",
        "induction": "Tell a modern model where its window has gone on from the same characters before.",
        "members": "Networks of a modern model whose predictions are averaged; 0 is as many as the time allows.",
    }
)
"""One line for each field of ModelConfig."""

TRAIN_HELP: Mapping[str, str] = MappingProxyType(
    {
        "max_iters": "Stop after this many steps.",
        "max_seconds": "Fit the training into this time.",
        "batch_size": "Sequences in a batch.",
        "gradient_accumulation": "Batches to one step.",
        "optimizer": "Optimizer of the matrices inside a modern model's blocks.",
        "learning_rate": "Peak learning rate.",
        "min_lr_ratio": "Last learning rate, as a share of the peak.",
        "schedule": "How the learning rate falls.",
        "warmup_iters": "Steps in which the learning rate climbs.",
        "weight_decay": "Decay of the weight matrices.",
        "beta1": "AdamW's beta 1.",
        "beta2": "AdamW's beta 2.",
        "grad_clip": "Largest norm of the gradient; 0 is any.",
        "eval_interval": "Steps between evaluations.",
        "log_interval": "Steps between progress events.",
        "sample_interval": "Steps between written samples; 0 is none.",
        "patience": "Evaluations without a new best before stopping; 0 never stops.",
        "autosave_seconds": "Longest time between checkpoints.",
        "seed": "Equal seeds train equal models.",
        "device": "Where to compute.",
        "threads": "CPU threads; 0 is one a core.",
        "compile": "Try PyTorch's compiler on the blocks; half a minute to start, on a CPU it seldom pays.",
        "val_share": "Share of the text held out to validate, 0.001 to 0.5.",
        "val_file": "Validate on this text instead, and train on all of CORPUS.",
        "shuffle_documents": "Hold out random whole documents: files of a folder, else blocks between blank lines.",
    }
)
"""One line for each field of TrainConfig."""

SAMPLE_HELP: Mapping[str, str] = MappingProxyType(
    {
        "max_new_tokens": "Characters to write.",
        "temperature": "0 takes the likeliest; above 1 is wilder.",
        "top_k": "Keep the k likeliest characters; 0 keeps all.",
        "top_p": "Keep the likeliest that share this probability.",
        "min_p": "Keep those at least this share as likely as the likeliest.",
        "seed": "Equal seeds write equal texts.",
    }
)
"""One line for each field of SampleConfig."""

_RUN_HELP = {"preset": "The recipe that the other settings change.", "corpus": "The text to learn from."}
_GENERATE_HELP = {
    "run": "The run to write with: RUN, RUN@best, RUN@last or shipped; unset is the newest.",
    "num_samples": "Texts to write; the seed of each is that of the one before it plus 1.",
}
_EXAMPLES = {"max_iters": 2_000, "max_seconds": 180.0, "seed": 1337, "val_file": "held-out.txt", "run": "shipped"}


@dataclass(frozen=True)
class SettingSpec:
    """One thing that can be set."""

    name: str
    section: Section
    hint: Any
    """Its type, as in the config that holds it."""
    help: str

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return f"TUI_GPT_{self.section}_{self.name}".upper()

    def checked(self, value: Any) -> Any:
        """`value` if it is of the right type. Raises ConfigError."""
        return checked_setting(self.name, value, set_type(self.hint))

    def from_text(self, text: str) -> Any:
        """The value that a variable's text stands for. Raises ConfigError."""
        hint = set_type(self.hint)
        return checked_setting(self.variable, _from_text(text.strip(), hint), hint)


def set_type(hint: Any) -> Any:
    """The type of a setting that is set."""
    if isinstance(hint, types.UnionType):
        return next(option for option in typing.get_args(hint) if option is not types.NoneType)
    return hint


TRUTHS = dict.fromkeys(("1", "true", "t", "yes", "y", "on"), True) | dict.fromkeys(
    ("0", "false", "f", "no", "n", "off"), False
)
"""The words that click takes for a truth value."""


def _from_text(text: str, hint: Any) -> Any:
    """`text` as the type `hint`, or as it is where it cannot be."""
    if hint in (int, float):
        try:
            return hint(text)
        except ValueError:
            return text
    return TRUTHS.get(text.lower(), text) if hint is bool else text


def _table(section: Section, parts: Sequence[tuple[Mapping[str, str], Mapping[str, Any]]]) -> Mapping[str, SettingSpec]:
    return MappingProxyType(
        {name: SettingSpec(name, section, hints[name], text) for helps, hints in parts for name, text in helps.items()}
    )


SETTINGS: Mapping[Section, Mapping[str, SettingSpec]] = MappingProxyType(
    {
        "train": _table(
            "train",
            [
                (_RUN_HELP, {"preset": Literal[tuple(PRESETS)], "corpus": str}),
                (MODEL_HELP, typing.get_type_hints(ModelConfig)),
                (TRAIN_HELP, typing.get_type_hints(TrainConfig)),
            ],
        ),
        "generate": _table(
            "generate",
            [(_GENERATE_HELP, {"run": str, "num_samples": int}), (SAMPLE_HELP, typing.get_type_hints(SampleConfig))],
        ),
    }
)
"""Everything that `config.toml` may hold, by section and name."""


def load(section: Section) -> dict[str, Any]:
    """What `config.toml` says in that section; nothing where there is no file.

    Raises ConfigError, in one line that names file and key, for anything that is not a setting of the right type.
    """
    path = paths.config_file()
    if not os.path.lexists(path):
        return {}
    try:
        return _checked_document(_parsed(path))[section]
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_plain_file(path, _SIZE_LIMIT).decode("utf-8-sig"))
    except RecursionError:
        raise ConfigError("it is nested too deeply: mend it, or move it away") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"this is not TOML: {str(error).lower()}: mend that line, or move the file away") from error
    except OSError as error:
        raise ConfigError(f"it cannot be read ({error.strerror}): mend it, or move it away") from error
    except ValueError as error:
        raise ConfigError("it cannot be read (it is no plain UTF-8 text): mend it, or move it away") from error


def _checked_document(document: Mapping[str, Any]) -> dict[Section, dict[str, Any]]:
    checked: dict[Section, dict[str, Any]] = {section: {} for section in SETTINGS}
    sections: Mapping[str, Section] = {section: section for section in SETTINGS}
    for name, values in document.items():
        section = sections.get(name)
        if section is None or not isinstance(values, dict):
            raise ConfigError(f"{name!r} has no place here: settings stand under [train] or [generate]")
        checked[section] = {key: _checked_key(section, key, value) for key, value in values.items()}
    return checked


def _checked_key(section: Section, name: str, value: Any) -> Any:
    setting = SETTINGS[section].get(name)
    if setting is None:
        raise ConfigError(f"[{section}] knows no setting {name!r}{did_you_mean(name, SETTINGS[section])}: take it out")
    try:
        return setting.checked(value)
    except ConfigError as error:
        raise ConfigError(f"[{section}] {error}") from error


def environment(section: Section) -> dict[str, Any]:
    """What the environment says of that section's settings. Raises ConfigError for a value of the wrong type."""
    return {
        name: setting.from_text(os.environ[setting.variable])
        for name, setting in SETTINGS[section].items()
        if os.environ.get(setting.variable)
    }


def merged(*levels: Values) -> dict[str, Any]:
    """The values of several levels, the strongest first.

    A group counts as one setting: a level that sets max_iters or max_seconds replaces both of the weaker levels.
    """
    result: dict[str, Any] = {}
    for level in reversed(levels):
        replaced = frozenset[str]().union(*(group for group in _GROUPS if group & level.keys()))
        result = {name: value for name, value in result.items() if name not in replaced} | dict(level)
    return result


def run_config(section_levels: Sequence[tuple[str, Values]]) -> RunConfig:
    """A run from named levels, the strongest first. Raises ConfigError, saying which level holds the bad value."""
    values = merged(*(level for _, level in section_levels))
    preset, corpus = values.pop("preset", DEFAULT_PRESET), values.pop("corpus", DEFAULT_CORPUS)
    try:
        return resolve(preset, corpus, **values)
    except ConfigError as error:
        raise ConfigError(f"{error}{_blame(str(error), 'train', section_levels)}") from error


def sample_config(section_levels: Sequence[tuple[str, Values]]) -> SampleConfig:
    """How to write, from named levels, the strongest first. Raises ConfigError, saying which level is to blame."""
    values = merged(*(level for _, level in section_levels))
    try:
        return SampleConfig.from_dict({name: value for name, value in values.items() if name in SAMPLE_HELP})
    except ConfigError as error:
        raise ConfigError(f"{error}{_blame(str(error), 'generate', section_levels)}") from error


def _blame(sentence: str, section: Section, section_levels: Sequence[tuple[str, Values]]) -> str:
    """Where the value that a sentence begins with came from, unless it was the command line."""
    name = sentence.split(" ", 1)[0]
    source = next((source for source, level in section_levels if name in level), COMMAND_LINE)
    if source == ENVIRONMENT:
        return f" (set by {SETTINGS[section][name].variable} in the environment)"
    return "" if source == COMMAND_LINE else f" (set in {source})"


COMMAND_LINE = "the command line"
ENVIRONMENT = "the environment"


def config_layers(section: Section) -> list[tuple[str, Values]]:
    """What holds without a word on the command line: the environment, then `config.toml`. Raises ConfigError."""
    return [(ENVIRONMENT, environment(section)), (str(paths.config_file()), load(section))]


def preferred_run_config() -> RunConfig:
    """The run that the user would like by default. Raises ConfigError."""
    return run_config(config_layers("train"))


def preferred_sample_config() -> SampleConfig:
    """How the user would like text to be written by default. Raises ConfigError."""
    return sample_config(config_layers("generate"))


@dataclass(frozen=True)
class Effective:
    """The value that a setting has, and where it has it from."""

    setting: SettingSpec
    value: Any
    source: str


def effective(section: Section) -> list[Effective]:
    """Every setting of a section as it holds now, with its source. Raises ConfigError."""
    levels = config_layers(section)
    values, fallback = _run_values(levels) if section == "train" else (_sample_values(levels), "default")
    named = merged(*(dict.fromkeys(level, source) for source, level in levels))
    rows = []
    for name, setting in SETTINGS[section].items():
        source = named.get(name) or ("default" if name in _RUN_HELP else fallback)
        rows.append(Effective(setting, values[name], source))
    return rows


def _run_values(levels: Sequence[tuple[str, Values]]) -> tuple[dict[str, Any], str]:
    config = run_config(levels)
    own = {"preset": config.preset, "corpus": config.corpus}
    return own | dataclasses.asdict(config.model) | dataclasses.asdict(config.train), f"preset {config.preset}"


def _sample_values(levels: Sequence[tuple[str, Values]]) -> dict[str, Any]:
    own = {"run": None, "num_samples": 1}
    return (
        own
        | dataclasses.asdict(sample_config(levels))
        | {name: value for name, value in merged(*(level for _, level in levels)).items() if name in own}
    )


def write_template(*, replace: bool = False) -> Path:
    """Write a `config.toml` in which every setting stands as a comment; its path.

    Raises ConfigError when there is one already and it is not to be replaced, StorageError.
    """
    path = paths.config_file()
    if os.path.lexists(path) and not replace:
        raise ConfigError(f"{path} is there already: edit it, or write a fresh one with --force")
    atomic_write(path, template().encode("utf-8"))
    return path


def template() -> str:
    """A `config.toml` in which every setting stands as a comment, with its default."""
    lines = [
        "# Your own defaults for tui-gpt: take the # off a setting to use it.",
        "# The command line and the environment go before this file, this file goes before the preset.",
    ]
    for section in SETTINGS:
        lines += ["", f"[{section}]"]
        for row in _defaults(section):
            shown = _EXAMPLES.get(row.setting.name) if row.value is None else row.value
            lines += [f"# {_explained(row.setting)}", f"#{row.setting.name} = {toml_value(shown)}", ""]
        lines.pop()
    return "\n".join(lines) + "\n"


def _explained(setting: SettingSpec) -> str:
    hint = set_type(setting.hint)
    choices = typing.get_args(hint) if typing.get_origin(hint) is Literal else ()
    return f"{setting.help} {' | '.join(choices)}".rstrip()


def _defaults(section: Section) -> list[Effective]:
    values = _run_values([])[0] if section == "train" else _sample_values([])
    return [Effective(setting, values[name], "default") for name, setting in SETTINGS[section].items()]


def toml_value(value: Any) -> str:
    """A number, truth value or text as TOML writes it."""
    return json.dumps(value, ensure_ascii=False)


def as_toml(section: Section, rows: Sequence[Effective]) -> str:
    """A section as TOML, each setting with its source beside it; one that has no value stands as a comment."""
    left = [
        f"# {row.setting.name} is not set" if row.value is None else f"{row.setting.name} = {toml_value(row.value)}"
        for row in rows
    ]
    width = max(map(len, left))
    lines = [f"{text.ljust(width)}  # {row.source}" for text, row in zip(left, rows, strict=True)]
    return "\n".join([f"[{section}]", *lines])
