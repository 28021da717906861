"""What a shell offers for each kind of argument, without torch or numpy."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.helpers import CommandLine
from tui_gpt.cli.main import COMPLETE_VARIABLE
from tui_gpt.config import PRESETS, RunConfig
from tui_gpt.storage.runs import RunStore
from tui_gpt.text import library


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(capsys, monkeypatch)


@pytest.fixture
def offered(command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> "Offered":
    for name, written in (("older", 100), ("newer", 200)):
        run = RunStore().create(
            RunConfig(preset="nano", model=PRESETS["nano"].model, train=PRESETS["nano"].train), name
        )
        for path in (*run.path.iterdir(), run.path):
            os.utime(path, (written, written))
    library.store_text("mine", "a text")
    return Offered(command, monkeypatch)


class Offered:
    """What Bash is offered, as `kind,value`, for the last word of a line."""

    def __init__(self, command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
        self._command, self._monkeypatch = command, monkeypatch

    def __call__(self, line: str) -> list[str]:
        self._monkeypatch.setenv("COMP_WORDS", line)
        self._monkeypatch.setenv("COMP_CWORD", str(line.count(" ")))
        self._monkeypatch.setenv(COMPLETE_VARIABLE, "bash_complete")
        result = self._command()
        assert (result.code, result.err) == (0, "")
        return result.out.splitlines()


def test_commands_and_options_are_completed(offered: Offered) -> None:
    assert offered("tui-gpt ge") == ["plain,generate"]
    assert offered("tui-gpt runs re") == ["plain,rename", "plain,resume"]
    assert "plain,--max-seconds" in offered("tui-gpt train --max-")


@pytest.mark.parametrize("line", ["runs show ", "runs export ", "runs rm older ", "runs attach ", "train --resume "])
def test_a_run_is_completed_by_the_names_of_all_runs_the_newest_first(line: str, offered: Offered) -> None:
    assert offered(f"tui-gpt {line}") == ["plain,newer", "plain,older"]
    assert offered(f"tui-gpt {line}o") == ["plain,older"]


@pytest.mark.parametrize("line", ["generate --run ", "eval --run ", "train --init-from "])
def test_a_model_may_also_be_the_shipped_one(line: str, offered: Offered) -> None:
    assert offered(f"tui-gpt {line}") == ["plain,newer", "plain,older", "plain,shipped"]


@pytest.mark.parametrize("line", ["train ", "data info ", "runs import model.pt --corpus "])
def test_a_text_is_completed_by_the_names_of_texts_and_by_files(line: str, offered: Offered) -> None:
    assert offered(f"tui-gpt {line}") == ["file,", "plain,tinyshakespeare", "plain,mine"]
    assert offered(f"tui-gpt {line}my") == ["file,my"]


def test_only_added_texts_are_offered_for_renaming_and_removal(offered: Offered) -> None:
    assert offered("tui-gpt data rename ") == offered("tui-gpt data rm ") == ["plain,mine"]


@pytest.mark.parametrize("line", ["train --val-file ", "generate --prompt-file ", "eval --file ", "data add "])
def test_a_file_is_completed_by_the_shell(line: str, offered: Offered) -> None:
    assert offered(f"tui-gpt {line}no") == ["file,no"]


def test_presets_and_choices_are_completed(offered: Offered) -> None:
    assert offered("tui-gpt train --preset ") == [f"plain,{name}" for name in PRESETS]
    assert offered("tui-gpt train --device c") == ["plain,cpu", "plain,cuda"]


def test_a_broken_settings_file_does_not_disturb_a_completion(offered: Offered, temporary_home: Path) -> None:
    (temporary_home / "config.toml").write_text("not TOML")
    assert offered("tui-gpt train --preset b") == ["plain,best", "plain,bigram"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_accepts_the_script_that_it_gets(
    shell: str, command: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed here")
    monkeypatch.setenv(COMPLETE_VARIABLE, f"{shell}_source")
    script = command().out
    assert COMPLETE_VARIABLE in script
    assert subprocess.run([found, "-n"], input=script, capture_output=True, text=True, check=True).stderr == ""
