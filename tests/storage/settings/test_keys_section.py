"""The section [keys] of `config.toml`."""

import re

import pytest

from tests.storage.settings.helpers import write_config
from tui_gpt.errors import ConfigError
from tui_gpt.storage import settings


@pytest.mark.parametrize("line", ['"run.pause" = "space"', 'run.pause = "space"'])
def test_a_key_is_chosen_by_id_with_or_without_quotes(line: str) -> None:
    path = write_config(f"[keys]\n{line}\n")
    assert settings.keymap().shown("run.pause") == "Space"
    rows = {row.setting.name: (row.value, row.source) for row in settings.effective("keys")}
    assert rows["run.pause"] == ("space", str(path))
    assert rows["run.stop"] == ("x", "default")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            'run.pasue = "space"',
            "[keys] has the unknown setting 'run.pasue' (did you mean run.pause or ",
        ),
        ('run = "space"', "[keys] has the unknown setting 'run'"),
        ("run.pause = 5", "[keys] run.pause cannot be 5: it takes a text"),
        ('run.pause = "spcae"', "[keys] run.pause cannot be 'spcae': 'spcae' is not a key: write e.g. space, f6"),
        ('prompt.score = "p"', "[keys] prompt.score cannot be 'p': p types a character: choose e.g. a key with ctrl"),
    ],
)
def test_the_error_for_a_bad_key_is_one_line_that_names_the_file(line: str, problem: str) -> None:
    path = write_config(f"[keys]\n{line}\n")
    with pytest.raises(ConfigError, match=re.escape(f"{path}: {problem}")) as caught:
        settings.keymap()
    assert "\n" not in str(caught.value)


def test_a_clash_names_both_actions_and_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_config('[keys]\nrun.pause = "x"\n')
    sentence = "run.pause cannot be 'x', which is the key of run.stop: choose another key for one of them"
    with pytest.raises(ConfigError, match=re.escape(f"{sentence} (set in {path})")):
        settings.keymap()
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        settings.effective("keys")
    monkeypatch.setenv("TUI_GPT_KEYS_RUN_PAUSE", "space")
    assert settings.keymap().shown("run.pause") == "Space"


def test_the_template_names_every_action_with_its_default() -> None:
    lines = [
        line
        for line in settings.template().partition("[keys]\n")[2].splitlines()
        if line.startswith("#") and " = " in line
    ]
    assert len(lines) == len(settings.SETTINGS["keys"])
    assert any(line.split() == ["#run.pause", "=", '"p"', "#", "pause,", "continue"] for line in lines)


def test_a_wrong_key_does_not_keep_a_command_from_its_own_section() -> None:
    write_config('[train]\nmax_iters = 5\n[keys]\nrun.pause = "spcae"\n')
    assert settings.load("train") == {"max_iters": 5}
    with pytest.raises(ConfigError, match="spcae"):
        settings.load("keys")
