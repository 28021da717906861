"""Every setting by section and name, with its type and a line of help.

The command line's options, the environment variables and `config init` are all made from this table, so none of them
can know a setting that the others do not.
"""

import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from tui_gpt.character_sets import parse_stops
from tui_gpt.config import PRESETS, RANGES, AlertConfig, ModelConfig, SampleConfig, TrainConfig, range_words
from tui_gpt.key_table import KEY_ACTIONS
from tui_gpt.keys import checked_keys
from tui_gpt.records import check_value, field_types

Section = Literal["train", "generate", "alerts", "keys"]

MODEL_HELP: Mapping[str, str] = MappingProxyType(
    {
        "tokenizer": "What the model reads: characters, the bytes of any file, or frequent sequences of bytes.",
        "vocab_size": "Tokens of the tokenizer bpe; unset is 1,024.",
        "architecture": "Model architecture.",
        "block_size": "Context length in characters (tokens, with another tokenizer).",
        "n_layer": "Transformer blocks.",
        "n_head": "Attention heads per block.",
        "n_embd": "Embedding width, a multiple of n_head.",
        "dropout": "Dropout probability.",
        "activation": "Activation of a classic model's feed-forward layers; GELU is GPT-2's.",
        "ngram_order": "Maximum order of a modern model's n-gram prior; 0 disables it.",
        "induction": "Feed a modern model earlier matches of the current context (induction).",
        "members": "Ensemble members of a modern model; 0 chooses the number that the time allows.",
    }
)
"""One line for each field of ModelConfig."""

TRAIN_HELP: Mapping[str, str] = MappingProxyType(
    {
        "max_iters": "Stop after this many steps.",
        "max_seconds": "Fit the training into this many seconds.",
        "batch_size": "Sequences per batch.",
        "gradient_accumulation": "Batches per optimizer step.",
        "optimizer": "Optimizer of the matrices inside a modern model's blocks.",
        "learning_rate": "Peak learning rate.",
        "min_lr_ratio": "Final learning rate as a fraction of the peak.",
        "schedule": "Shape of the learning rate's decay.",
        "warmup_iters": "Steps of learning rate warm-up.",
        "weight_decay": "Weight decay of the matrices.",
        "beta1": "AdamW's beta 1.",
        "beta2": "AdamW's beta 2.",
        "grad_clip": "Maximum gradient norm; 0 disables clipping.",
        "eval_interval": "Steps between evaluations.",
        "log_interval": "Steps between progress events.",
        "sample_interval": "Steps between generated samples; 0 generates none.",
        "patience": "Evaluations without improvement before stopping early; 0 never stops early.",
        "autosave_seconds": "Maximum seconds between checkpoints.",
        "seed": "Random seed; equal seeds train equal models.",
        "device": "Device to train on.",
        "precision": "Precision of matrix products; auto is fp32, and measured on CUDA.",
        "threads": "CPU threads; 0 uses one per core.",
        "compile": "Try torch.compile on the blocks; takes half a minute to start and seldom pays on a CPU.",
        "val_share": "Fraction of the text held out for validation, 0.001 to 0.5.",
        "val_file": "Validate on this text instead, and train on all of CORPUS.",
        "shuffle_documents": "Hold out random whole documents: files of a folder, else blocks between blank lines.",
    }
)
"""One line for each field of TrainConfig."""

SAMPLE_HELP: Mapping[str, str] = MappingProxyType(
    {
        "max_new_tokens": "Characters to generate (tokens, with another tokenizer).",
        "temperature": "0 takes the most likely character; above 1 is more random.",
        "top_k": "Keep the k most likely characters; 0 keeps all.",
        "top_p": "Keep the most likely characters that add up to this probability.",
        "min_p": "Drop characters below this fraction of the highest probability.",
        "seed": "Random seed; equal seeds generate equal text.",
        "stop": "End before this string (repeat it for several); \\n is a line break, \\t a tab, \\\\ a backslash.",
        "until": "End with the line or sentence, or before a blank line or the next speaker.",
        "max_seconds": "End after this time.",
        "allow": "Generate only these characters, e.g. a-z, [:digit:], \\n.",
        "forbid": "Generate none of these characters.",
        "match": "The text must match this regular expression as a whole.",
        "repetition_penalty": "Make repetitions less likely; 1 does not.",
        "repetition_window": "Look for repetitions in this many newest characters (tokens).",
        "repetition_length": "Characters (tokens) of a repetition; 1 penalizes each one in the window.",
    }
)
"""One line for each field of SampleConfig."""

ALERT_HELP: Mapping[str, str] = MappingProxyType(
    {
        "title": "Show the progress of a run in the terminal's title.",
        "bell": "Ring the bell when a run ends, diverges or cannot be saved.",
        "notification": "Show a desktop notification then, in a terminal that has them.",
    }
)
"""One line for each field of AlertConfig."""

RUN_HELP = {"preset": "Preset that the other settings modify.", "corpus": "Text to train on."}
GENERATE_HELP = {
    "run": "Model to generate with: RUN, RUN@best, RUN@last or shipped; unset is the newest run.",
    "num_samples": "Texts to generate; the seed of each is that of the previous one plus 1.",
}

BOOL_WORDS = dict.fromkeys(("1", "true", "t", "yes", "y", "on"), True) | dict.fromkeys(
    ("0", "false", "f", "no", "n", "off"), False
)
"""The words for a truth value, as in click."""
_WITH_SPACES = frozenset({"stop", "allow", "forbid", "match"})
"""Settings in whose variables spaces at the beginning and the end count."""


@dataclass(frozen=True)
class SettingSpec:
    """A setting's name, type and help."""

    name: str
    section: Section
    hint: Any
    """Its type, as in the config that holds it."""
    help: str

    @property
    def variable(self) -> str:
        """Return the name of its environment variable."""
        return f"TUI_GPT_{self.section}_{self.name.replace('.', '_')}".upper()

    @property
    def allowed(self) -> str:
        """Return its range or its choices, e.g. `1 to 256` or `classic, modern`; "" for any text."""
        hint = non_optional(self.hint)
        if self.name in RANGES:
            return range_words(self.name)
        if hint is bool:
            return "yes or no"
        return ", ".join(typing.get_args(hint)) if typing.get_origin(hint) is Literal else ""

    def checked(self, value: Any) -> Any:
        """Return `value` if it has the right type. Raises ConfigError."""
        checked = check_value(self.name, value, non_optional(self.hint))
        return checked_keys(KEY_ACTIONS[self.name], checked) if self.section == "keys" else checked

    def from_text(self, text: str) -> Any:
        """Parse the value of its environment variable. Raises ConfigError."""
        hint = non_optional(self.hint)
        kept = text if self.name in _WITH_SPACES else text.strip()
        value = check_value(self.variable, _parsed(kept, hint), hint)
        return self.checked(value) if self.section == "keys" else value


def non_optional(hint: Any) -> Any:
    """Return a type without `None`."""
    if isinstance(hint, types.UnionType):
        return next(option for option in typing.get_args(hint) if option is not types.NoneType)
    return hint


def _parsed(text: str, hint: Any) -> Any:
    """Parse `text` as the type `hint`, or return it unchanged when it is not one."""
    if hint == tuple[str, ...]:
        return parse_stops(text)
    if hint in (int, float):
        try:
            return hint(text)
        except ValueError:
            return text
    return BOOL_WORDS.get(text.lower(), text) if hint is bool else text


def _table(section: Section, parts: Sequence[tuple[Mapping[str, str], Mapping[str, Any]]]) -> Mapping[str, SettingSpec]:
    return MappingProxyType(
        {name: SettingSpec(name, section, hints[name], text) for helps, hints in parts for name, text in helps.items()}
    )


SETTINGS: Mapping[Section, Mapping[str, SettingSpec]] = MappingProxyType(
    {
        "train": _table(
            "train",
            [
                (RUN_HELP, {"preset": Literal[tuple(PRESETS)], "corpus": str}),
                (MODEL_HELP, field_types(ModelConfig)),
                (TRAIN_HELP, field_types(TrainConfig)),
            ],
        ),
        "generate": _table(
            "generate",
            [(GENERATE_HELP, {"run": str, "num_samples": int}), (SAMPLE_HELP, field_types(SampleConfig))],
        ),
        "alerts": _table("alerts", [(ALERT_HELP, field_types(AlertConfig))]),
        "keys": _table(
            "keys", [({name: action.help for name, action in KEY_ACTIONS.items()}, dict.fromkeys(KEY_ACTIONS, str))]
        ),
    }
)
"""Every setting, by section and name."""
