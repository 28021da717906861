"""From what was typed to a run."""

import pytest

from tui_gpt.config import PRESETS, RunConfig, resolve
from tui_gpt.events import Setting
from tui_gpt.tui.form import FIELDS, FieldError, config_of, parsed, texts, with_samples


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
    ],
)
def test_numbers_may_be_typed_as_people_type_them(name: str, text: str, value: Setting) -> None:
    assert parsed(name, text) == value


@pytest.mark.parametrize(
    ("name", "text"), [("n_layer", ""), ("n_layer", "2.5"), ("n_layer", "six"), ("device", "tpu"), ("seed", "1e400")]
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


def test_settings_outside_the_form_stay_as_they_are() -> None:
    base = resolve("nano", min_lr_ratio=0.5)
    assert config_of(base, "tinyshakespeare", texts(base)).train.min_lr_ratio == 0.5


def test_samples_are_written_at_each_evaluation_unless_asked_otherwise() -> None:
    assert with_samples(resolve("nano", sample_interval=0)).train.sample_interval == resolve("nano").train.eval_interval
    assert with_samples(resolve("nano", sample_interval=7)).train.sample_interval == 7


def test_every_field_is_a_setting_of_a_run() -> None:
    run = RunConfig().to_dict()
    assert {field.name for field in FIELDS} <= run["model"].keys() | run["train"].keys()
