"""The doctor finds what is wrong and names a remedy."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.helpers import CommandLine
from tui_gpt.cli import doctor
from tui_gpt.cli.commands import doctor as doctor_command
from tui_gpt.cli.doctor import Check
from tui_gpt.storage import paths


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(capsys, monkeypatch)


def test_the_quick_checks_pass_here() -> None:
    for check in (doctor.check_python(), doctor.check_home(), doctor.check_config(), doctor.check_corpus()):
        assert check.status == "ok", check


def test_torch_device_and_speed_are_told() -> None:
    assert doctor.check_torch().status == "ok"
    assert "cpu" in doctor.check_device().detail
    assert "GFLOP/s" in doctor.check_speed().detail


def test_a_home_that_cannot_be_written_fails_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TUI_GPT_HOME", str(tmp_path / "file"))
    check = doctor.check_home()
    assert check.status == "failed"
    assert "TUI_GPT_HOME" in check.remedy


def test_looking_leaves_nothing_behind() -> None:
    doctor.check_home()
    assert list(paths.home().iterdir()) == []


def test_a_kernel_that_is_turned_off_is_a_warning_with_the_way_to_turn_it_on() -> None:
    check = doctor.check_kernel()
    assert (check.status, check.detail) == ("warning", "it is off")
    assert check.remedy.startswith("unset TUI_GPT_NO_KERNEL; ")


def test_a_kernel_that_is_not_built_yet_is_not_built_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUI_GPT_NO_KERNEL")
    monkeypatch.setattr("tui_gpt.gpt.kernel._compiler", lambda: "/usr/bin/cc")
    assert doctor.check_kernel().status == "ok"
    assert not paths.cache_dir().exists()


def test_a_bad_config_file_fails() -> None:
    paths.config_file().parent.mkdir(parents=True)
    paths.config_file().write_text("[train]\nn_layer = -1\n")
    check = doctor.check_config()
    assert check.status == "failed"
    assert "n_layer is -1" in check.detail


def test_an_altered_corpus_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "shipped_dir", lambda: tmp_path)
    assert "missing" in doctor.check_corpus().detail
    (tmp_path / "tinyshakespeare").mkdir()
    (tmp_path / "tinyshakespeare" / "input.txt").write_text("To be, or not.")
    check = doctor.check_corpus()
    assert check.status == "failed"
    assert "altered" in check.detail


def test_a_missing_model_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "shipped_dir", lambda: tmp_path)
    assert doctor.check_model().status == "warning"


def test_a_missing_compiler_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert doctor.check_compiler().status == "warning"


def test_without_a_terminal_the_app_cannot_open() -> None:
    check = doctor.check_terminal({"TERM": "xterm"})
    assert check.status == "warning"
    assert "no terminal" in check.detail


def test_a_torch_that_cannot_be_imported_fails_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "tui_gpt.training.compute.machine", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    check = doctor.check_torch()
    assert check.status == "failed"
    assert "pip install torch" in check.remedy


def test_a_check_that_stumbles_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble() -> Check:
        raise RuntimeError("who knows")

    monkeypatch.setattr(doctor, "check_python", stumble)
    first = next(doctor.examine({}))
    assert (first.name, first.status, first.detail) == ("python", "failed", "RuntimeError: who knows")


def findings(*checks: Check) -> Iterator[Check]:
    yield from checks


def test_a_failed_check_shows_in_the_exit_code_a_warning_does_not(
    command: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fine, odd, bad = Check("a", "ok", "fine"), Check("b", "warning", "odd", "mend"), Check("c", "failed", "bad", "mend")
    monkeypatch.setattr(doctor_command, "examine", lambda: findings(fine, odd))
    result = command("doctor")
    assert result.code == 0
    assert "→ mend" in result.out
    monkeypatch.setattr(doctor_command, "examine", lambda: findings(fine, bad))
    result = command("doctor", "--json")
    assert result.code == 1
    assert [json.loads(line)["status"] for line in result.out.splitlines()] == ["ok", "failed"]
