"""From what was typed to a run."""

import dataclasses

import pytest

from tui_gpt.config import PRESETS, RANGES, RunConfig, TrainConfig, range_words, resolve
from tui_gpt.errors import ConfigError, CorpusError
from tui_gpt.events import SettingValue
from tui_gpt.tui.train.form import (
    FIELDS,
    FieldError,
    changed_setting,
    config_of,
    field_of,
    later_step,
    meaning,
    parsed,
    texts,
    with_samples,
)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_form_that_nobody_touched_is_the_preset(preset: str) -> None:
    config = resolve(preset)
    assert config_of(config, config.corpus, texts(config)) == config


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("max_iters", "2,000", 2000),
        ("max_iters", "", None),
        ("learning_rate", "3e-4", 3e-4),
        ("learning_rate", "1", 1.0),
        ("n_layer", " 6 ", 6),
        ("device", "cpu", "cpu"),
        ("shuffle_documents", "Yes", True),
        ("shuffle_documents", "no", False),
        ("val_file", " held out.txt ", "held out.txt"),
        ("val_file", "", None),
        ("val_share", ".05", 0.05),
    ],
)
def test_numbers_may_be_typed_as_people_type_them(name: str, text: str, value: SettingValue) -> None:
    assert parsed(name, text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("n_layer", ""),
        ("n_layer", "2.5"),
        ("n_layer", "six"),
        ("device", "tpu"),
        ("seed", "1e400"),
        ("shuffle_documents", "maybe"),
        ("val_share", "a tenth"),
    ],
)
def test_what_cannot_be_a_value_is_blamed_on_its_field(name: str, text: str) -> None:
    with pytest.raises(FieldError, match=name) as caught:
        parsed(name, text)
    assert caught.value.field == name


def typed(**changes: str) -> dict[str, str]:
    return texts(resolve("nano")) | changes


@pytest.mark.parametrize(
    ("changes", "edited", "field"),
    [
        ({"dropout": "2"}, "dropout", "dropout"),
        ({"n_head": "7"}, "n_head", "n_head"),
        ({"max_iters": "", "max_seconds": ""}, "max_iters", "max_iters"),
        ({"batch_size": "0"}, "", "batch_size"),
        ({"val_share": "0.9"}, "", "val_share"),
        ({"val_share": "0.2", "val_file": "other.txt"}, "val_file", "val_file"),
    ],
)
def test_a_sentence_stands_at_the_field_that_was_edited(changes: dict[str, str], edited: str, field: str) -> None:
    with pytest.raises(FieldError) as caught:
        config_of(resolve("nano"), "tinyshakespeare", typed(**changes), edited)
    assert caught.value.field == field


def test_without_a_text_there_is_no_run() -> None:
    with pytest.raises(FieldError, match="which text") as caught:
        config_of(resolve("nano"), "  ", typed())
    assert caught.value.field == "corpus"


def test_how_the_text_is_split_is_typed_into_the_form() -> None:
    config = config_of(resolve("nano"), "x", typed(val_share="0.2", shuffle_documents="yes")).train
    assert (config.val_share, config.shuffle_documents, config.val_file) == (0.2, True, None)
    assert config_of(resolve("nano"), "x", typed(val_file="other.txt")).train.val_file == "other.txt"


def test_a_value_is_spelled_with_all_of_its_digits() -> None:
    base = resolve("nano", min_lr_ratio=0.123456789)
    assert config_of(base, "tinyshakespeare", texts(base)) == base


def test_every_setting_has_a_meaning_and_its_range_once() -> None:
    assert meaning("n_head") == "Attention heads per block (1 to 256)."
    assert meaning("device") == "Device to train on (auto, cpu, cuda, mps)."
    assert meaning("val_share").count("0.001 to 0.5") == 1
    for name in FIELDS:
        low_high = RANGES.get(name)
        assert low_high is None or range_words(name) in meaning(name), name


def test_samples_are_written_at_each_evaluation_unless_asked_otherwise() -> None:
    assert with_samples(resolve("nano", sample_interval=0)).train.sample_interval == resolve("nano").train.eval_interval
    assert with_samples(resolve("nano", sample_interval=7)).train.sample_interval == 7


def test_every_field_is_a_setting_of_a_run() -> None:
    run = RunConfig().to_dict()
    assert set(FIELDS) == run["model"].keys() | run["train"].keys()


@pytest.mark.parametrize("text", ["0,001", "0,5", "1,00", "10,5", ",5", "1,0000"])
def test_a_decimal_comma_is_refused_and_never_taken_for_another_number(text: str) -> None:
    """`0,001` without its comma would be 1."""
    with pytest.raises(FieldError, match="point and no comma") as refusal:
        parsed("learning_rate", text)
    assert refusal.value.field == "learning_rate"


@pytest.mark.parametrize(("text", "value"), [("1,000", 1_000), ("12,345,678", 12_345_678), ("1_000", 1_000)])
def test_digits_may_be_grouped(text: str, value: int) -> None:
    assert parsed("max_iters", text) == value


def test_a_changed_setting_is_checked_as_the_run_would() -> None:
    config = TrainConfig(max_iters=10)
    assert changed_setting(config, "learning_rate", "5e-4") == 5e-4
    for text, reason in (("50", "from 1e-09 to 10"), ("abc", "a number"), ("", "empty"), ("0,001", "no comma")):
        with pytest.raises(FieldError, match=reason):
            changed_setting(config, "learning_rate", text)


def test_a_run_is_trained_on_to_a_later_step() -> None:
    assert later_step(100, "1,000") == 1_000
    for text in ("100", "abc", "", "1.5", "-3", "200000000000"):
        with pytest.raises(FieldError):
            later_step(100, text)


@pytest.mark.parametrize(
    ("error", "field"),
    [
        (ConfigError("batch_size is 900: it takes 40 GB, and 8 GB are free"), "batch_size"),
        (ConfigError("the run takes 40 GB: choose fewer blocks"), None),
        (ConfigError(""), None),
        (CorpusError("it is empty"), "corpus"),
        (CorpusError("val_file: there is no file 'x': name a text file"), "val_file"),
        (CorpusError("shuffle_documents finds one document in x: leave it out"), "shuffle_documents"),
    ],
)
def test_a_refusal_belongs_to_the_field_that_it_names(error: ConfigError | CorpusError, field: str | None) -> None:
    assert field_of(error) == field


def test_the_tokenizer_is_a_setting_with_its_choices_and_range() -> None:
    base = resolve("quick")
    typed = {**texts(base), "tokenizer": "bpe", "vocab_size": "2,048"}
    assert config_of(base, base.corpus, typed).model == dataclasses.replace(
        base.model, tokenizer="bpe", vocab_size=2_048
    )
    assert "(character, byte, bpe)" in meaning("tokenizer")
    assert range_words("vocab_size") in meaning("vocab_size")
    with pytest.raises(FieldError, match="vocab_size is for the tokenizer bpe") as caught:
        config_of(base, base.corpus, {**texts(base), "vocab_size": "512"}, "vocab_size")
    assert caught.value.field == "vocab_size"
