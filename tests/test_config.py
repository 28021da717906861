"""A config that exists can run; an invalid one is refused with a sentence."""

import dataclasses
import json
from typing import Any

import pytest

from tui_gpt.config import PRESETS, ModelConfig, RunConfig, SampleConfig, TrainConfig, resolve
from tui_gpt.errors import ConfigError


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_survives_a_round_trip_through_json(name: str) -> None:
    config = resolve(name)
    assert RunConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_the_classic_preset_has_the_sizes_of_the_lecture() -> None:
    model, train = PRESETS["classic"].model, PRESETS["classic"].train
    assert (model.n_layer, model.n_head, model.n_embd, model.block_size, model.dropout) == (6, 6, 384, 256, 0.2)
    assert (train.batch_size, train.max_iters) == (64, 5_000)


def test_the_nano_preset_is_nanogpt_s_cpu_demo() -> None:
    model, train = PRESETS["nano"].model, PRESETS["nano"].train
    assert (model.n_layer, model.n_head, model.n_embd, model.block_size, model.dropout) == (4, 4, 128, 64, 0.0)
    assert (train.batch_size, train.max_iters) == (12, 2_000)


def test_an_override_replaces_the_preset_s_value_and_none_leaves_it() -> None:
    config = resolve("nano", n_layer=2, learning_rate=3e-4, batch_size=None)
    assert (config.model.n_layer, config.train.learning_rate, config.train.batch_size) == (2, 3e-4, 12)


def test_a_lone_number_of_steps_replaces_the_time_budget_and_vice_versa() -> None:
    assert resolve("quick", max_iters=7).train.max_seconds is None
    assert resolve("nano", max_seconds=9).train.max_iters is None
    both = resolve("nano", max_seconds=9, max_iters=7).train
    assert (both.max_iters, both.max_seconds) == (7, 9.0)


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"n_embd": 100, "n_head": 3}, "multiple of n_head"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"dropout": 1.0}, "dropout is 1"),
        ({"learning_rate": float("nan")}, "learning_rate cannot be nan: it takes a number"),
        ({"n_layer": "two"}, "takes a whole number"),
        ({"device": "tpu"}, "one of auto, cpu, cuda, mps"),
        ({"wings": 2}, "no setting 'wings'"),
        ({"max_iters": True}, "max_iters cannot be True"),
    ],
)
def test_a_setting_out_of_range_is_refused_with_a_sentence(overrides: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        resolve("nano", **overrides)


def test_the_error_for_an_unknown_preset_lists_the_presets() -> None:
    with pytest.raises(ConfigError, match=r"quick, best, classic, nano, bigram"):
        resolve("huge")


def test_a_run_without_an_end_is_refused() -> None:
    with pytest.raises(ConfigError, match="--max-iters or --max-seconds"):
        TrainConfig()


def test_a_prior_under_a_classic_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="ngram_order"):
        ModelConfig(architecture="classic", ngram_order=5)


@pytest.mark.parametrize("record", [{}, {"preset": 1}, {"preset": "nano", "corpus": "x", "model": [], "train": {}}])
def test_a_foreign_record_is_refused(record: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        RunConfig.from_dict(record)


def test_unknown_keys_in_a_stored_config_are_refused() -> None:
    record = {**dataclasses.asdict(SampleConfig()), "later": 1}
    with pytest.raises(ConfigError, match="later"):
        SampleConfig.from_dict(record)
