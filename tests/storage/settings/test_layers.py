"""The precedence of settings, and the errors for a bad `config.toml`."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.storage.settings.helpers import write_config
from tui_gpt.config import PRESETS, SampleConfig
from tui_gpt.errors import ConfigError
from tui_gpt.storage import paths, settings


def test_without_a_file_the_preset_applies() -> None:
    assert settings.load("train") == {}
    assert settings.preferred_run_config().train == PRESETS["quick"].train
    assert settings.preferred_sample_config() == SampleConfig()


def test_the_environment_overrides_the_file_and_the_file_the_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    write_config('[train]\npreset = "nano"\nbatch_size = 3\nseed = 5\n[generate]\ntemperature = 1\n')
    monkeypatch.setenv("TUI_GPT_TRAIN_SEED", "6")
    monkeypatch.setenv("TUI_GPT_GENERATE_TOP_K", "9")
    config = settings.preferred_run_config()
    assert (config.preset, config.train.batch_size, config.train.seed) == ("nano", 3, 6)
    assert settings.preferred_sample_config() == SampleConfig(temperature=1.0, top_k=9)


def test_a_level_that_sets_one_end_of_a_run_replaces_both() -> None:
    weaker = {"max_seconds": 60.0, "max_iters": 10, "seed": 1}
    assert settings.merged({"max_iters": 5}, weaker) == {"max_iters": 5, "seed": 1}
    assert settings.merged({"seed": 2}, weaker) == {**weaker, "seed": 2}
    assert settings.merged({"val_file": "x"}, {"val_share": 0.2, "seed": 1}) == {"val_file": "x", "seed": 1}
    assert settings.merged({"val_share": 0.2}, {"val_file": "x"}) == {"val_share": 0.2}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[train]\nmax_itres = 5", "[train] has the unknown setting 'max_itres' (did you mean max_iters?): remove it"),
        ('[train]\nmax_iters = "many"', "[train] max_iters cannot be 'many': it takes a whole number"),
        ("[train]\nmax_iters = true", "[train] max_iters cannot be True: it takes a whole number"),
        ('[train]\npreset = "huge"', "[train] preset cannot be 'huge': it takes one of quick"),
        ('[train]\ndevice = "tpu"', "[train] device cannot be 'tpu': it takes one of auto, cpu, cuda, mps"),
        ("max_iters = 5", "'max_iters' is not a section: settings belong under [train] or [generate]"),
        ("[tain]\n", "'tain' is not a section: settings belong under [train] or [generate]"),
        ("train = 5", "'train' is not a section"),
        ("[train]\nmax_iters = ", "this is not TOML: invalid value (at "),
        (b"[train]\nname = '\xff'", "it cannot be read (it is not UTF-8 text): fix it, or move it away"),
    ],
)
def test_the_error_for_a_bad_file_is_one_line_that_names_file_and_key(text: str | bytes, problem: str) -> None:
    path = write_config(text)
    with pytest.raises(ConfigError, match=re.escape(f"{path}: {problem}")) as caught:
        settings.load("train")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_file_nested_too_deeply_is_an_error() -> None:
    """Python versions differ in how far they follow; none may end in a traceback."""
    write_config("x = " + "[" * 50_000)
    with pytest.raises(ConfigError, match="fix it"):
        settings.load("train")


def test_a_folder_in_place_of_the_file_is_an_error() -> None:
    paths.config_file().mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot be read"):
        settings.load("train")


def test_the_error_for_a_value_out_of_range_names_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_config("[train]\nbatch_size = 0\n")
    with pytest.raises(ConfigError, match="batch_size is 0: choose a whole number from 1") as caught:
        settings.preferred_run_config()
    assert str(caught.value).endswith(f"(set in {path})")
    path.unlink()
    monkeypatch.setenv("TUI_GPT_TRAIN_DROPOUT", "2")
    with pytest.raises(
        ConfigError,
        match=re.escape(
            "dropout is 2: choose a number from 0 to 0.9 (set by TUI_GPT_TRAIN_DROPOUT in the environment)"
        ),
    ):
        settings.preferred_run_config()


def test_the_effective_settings_name_their_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_config('[train]\npreset = "nano"\nseed = 5\n')
    monkeypatch.setenv("TUI_GPT_TRAIN_BATCH_SIZE", "3")
    found = {row.setting.name: (row.value, row.source) for row in settings.effective("train")}
    assert found["preset"] == ("nano", str(path))
    assert found["seed"] == (5, str(path))
    assert found["batch_size"] == (3, "the environment")
    assert found["n_layer"] == (4, "preset nano")
    assert found["corpus"] == ("tinyshakespeare", "default")
    assert {row.setting.name: row.value for row in settings.effective("generate")}["temperature"] == 0.8


ANY_FILE = st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("count", [40, pytest.param(300, marks=pytest.mark.slow)])
def test_any_file_is_read_or_refused_with_a_sentence(count: int) -> None:
    @hypothesis_settings(deadline=None, max_examples=count)
    @given(ANY_FILE)
    def read(data: bytes) -> None:
        write_config(data)
        with contextlib.suppress(ConfigError):
            settings.load("train")

    read()
