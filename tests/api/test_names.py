"""`import tui_gpt` costs nothing, and shows everything that the library offers."""

import importlib.resources
import subprocess
import sys
from dataclasses import fields

import pytest

import tui_gpt
from tui_gpt.api.settings import Filters, ResumeSettings, TrainSettings
from tui_gpt.config import LIVE_SETTINGS, ModelConfig, SampleConfig, TrainConfig


def run(code: str) -> str:
    """Return what a clean interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_the_library_imports_only_typing() -> None:
    code = (
        "import sys, typing; before = set(sys.modules); import tui_gpt; dir(tui_gpt); print(set(sys.modules) - before)"
    )
    assert run(code) == "{'tui_gpt'}"


def test_naming_everything_imports_neither_torch_nor_numpy() -> None:
    code = "from tui_gpt import *; import sys; print({'torch', 'numpy', 'click', 'textual'} & set(sys.modules))"
    assert run(code) == "set()"


def test_every_public_name_is_listed_and_documented() -> None:
    assert dir(tui_gpt) == sorted(tui_gpt.__all__)
    for name in set(tui_gpt.__all__) - {"__version__"}:
        assert getattr(tui_gpt, name).__doc__, name


def test_another_name_is_an_ordinary_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'tui_gpt' has no attribute 'lode'"):
        _ = tui_gpt.lode  # type: ignore[attr-defined]  # what is tested


def test_the_package_is_marked_as_typed() -> None:
    assert importlib.resources.files("tui_gpt").joinpath("py.typed").is_file()


def names(*configs: type) -> set[str]:
    return {field.name for config in configs for field in fields(config)}


def test_the_keyword_arguments_are_the_settings() -> None:
    """A new setting of a config must be added to tui_gpt/api/settings.py as well."""
    assert set(TrainSettings.__annotations__) == names(ModelConfig, TrainConfig)
    assert set(Filters.__annotations__) == names(SampleConfig) - {"max_new_tokens", "temperature", "seed"}
    assert set(ResumeSettings.__annotations__) > LIVE_SETTINGS
