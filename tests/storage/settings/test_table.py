"""Every setting has a type, a line of help and a variable."""

import dataclasses

import pytest

from tui_gpt.config import ModelConfig, SampleConfig, TrainConfig
from tui_gpt.errors import ConfigError
from tui_gpt.storage import settings


def test_every_setting_of_every_config_has_a_line_of_help() -> None:
    assert list(settings.MODEL_HELP) == [field.name for field in dataclasses.fields(ModelConfig)]
    assert list(settings.TRAIN_HELP) == [field.name for field in dataclasses.fields(TrainConfig)]
    assert list(settings.SAMPLE_HELP) == [field.name for field in dataclasses.fields(SampleConfig)]


@pytest.mark.parametrize(("text", "value"), [("yes", True), ("False", False)])
def test_a_truth_value_is_read_from_the_environment(text: str, value: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUI_GPT_TRAIN_INDUCTION", text)
    assert settings.environment("train")["induction"] is value


def test_spaces_at_the_end_of_a_variable_count_where_they_are_characters_of_a_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = {"allow": "[:lower:] ", "forbid": " ", "match": "a ", "stop": " |b ", "top_k": " 9 ", "until": "line "}
    for name, text in values.items():
        monkeypatch.setenv(f"TUI_GPT_GENERATE_{name.upper()}", text)
    read = {**values, "stop": (" ", "b "), "top_k": 9, "until": "line"}
    assert settings.environment("generate") == read


@pytest.mark.parametrize("text", ["many", "1.5", "0x10"])
def test_a_variable_of_the_wrong_type_is_named(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUI_GPT_TRAIN_MAX_ITERS", text)
    with pytest.raises(ConfigError, match=f"TUI_GPT_TRAIN_MAX_ITERS cannot be '{text}': it takes a whole number"):
        settings.environment("train")
