"""The command line as a user meets it, on a session without torch."""

import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.cli.helpers import CommandLine
from tests.fakes import FakeTextModel, evaluated
from tui_gpt import __version__
from tui_gpt.cli import main as cli
from tui_gpt.cli.commands import evaluate as evaluate_module
from tui_gpt.cli.commands import source as source_module
from tui_gpt.config import PRESETS, RunConfig, resolve
from tui_gpt.errors import CheckpointError, IncompatibleError
from tui_gpt.events import Saved, SettingValue
from tui_gpt.requests import TrainRequest
from tui_gpt.storage import paths, settings
from tui_gpt.storage.manifest import MANIFEST_FILE, MODEL_FILE, CheckpointInfo, FileRecord, Manifest
from tui_gpt.storage.runs import Run, RunStore
from tui_gpt.text import corpora, library
from tui_gpt.text.split import Split
from tui_gpt.tui.generate.notebook import Answer, Card, History


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(capsys, monkeypatch)


def make_run(name: str) -> Run:
    run = RunStore().create(RunConfig(preset="nano", model=PRESETS["nano"].model, train=PRESETS["nano"].train), name)
    run.set_state("finished")
    return run


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_gpt.cli.commands.terminal.fits_the_app", lambda: True)
    monkeypatch.setattr("tui_gpt.cli.main.fits_the_app", lambda: True)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[TrainRequest | None]:
    """What the app was opened with, instead of opening it."""
    requests: list[TrainRequest | None] = []

    def run_app(request: TrainRequest | None = None, model_path: Path | None = None) -> int:
        requests.append(request)
        return 0

    monkeypatch.setitem(sys.modules, "tui_gpt.tui.app.app", SimpleNamespace(run_app=run_app))
    return requests


# Help and usage


def test_help_names_every_command(command: CommandLine) -> None:
    result = command("--help")
    assert result.code == 0
    for name in ("train", "generate", "eval", "runs", "data", "config", "doctor"):
        assert f"\n  {name} " in result.out
    assert "..." not in result.out.split("Commands:")[1]


def test_a_mistyped_command_gets_a_suggestion(command: CommandLine) -> None:
    result = command("trian")
    assert (result.code, result.out) == (2, "")
    assert result.err == "error: there is no command 'trian' (did you mean train?): see `tui-gpt --help`\n"
    assert "there is no command 'xyzzy': see" in command("xyzzy").err


def test_every_option_is_accepted_with_underscores(command: CommandLine) -> None:
    """The names are those of the lecture and of nanoGPT."""
    result = command("train", "--headless", "--max_iters", "5", "--val_share=0.2", "--no_compile", "--preset", "nano")
    assert result.code == 0, result.err
    config = command.request.config
    assert config is not None
    assert (config.train.max_iters, config.train.val_share, config.train.compile) == (5, 0.2, False)
    assert command("generate", "--max_new_tokens", "3", "--with_prompt", "abc").out == "abcabc"


def test_the_version_is_printed(command: CommandLine) -> None:
    assert command("--version").out == f"tui-gpt {__version__}\n"


def test_the_help_of_train_reads_like_a_menu_of_presets(command: CommandLine) -> None:
    out = " ".join(command("train", "--help").out.split())
    for name, preset in PRESETS.items():
        assert name in out
        assert preset.summary in out


@pytest.mark.parametrize("section", ["train", "generate"])
def test_every_setting_is_an_option(command: CommandLine, section: settings.Section) -> None:
    out = command(section, "--help").out
    for name in settings.SETTINGS[section]:
        assert name == "corpus" or f"--{name.replace('_', '-')}" in out


def test_help_does_not_stumble_over_a_broken_config_file(command: CommandLine) -> None:
    paths.config_file().parent.mkdir(parents=True)
    paths.config_file().write_text("[[[")
    assert command("train", "--help").code == 0
    assert command("runs", "list").code == 0
    assert command("train", "--headless").code == 2


@pytest.mark.parametrize(
    "arguments",
    [["fly"], ["train", "--fly"], ["train", "--max-iters", "many"], ["train", "a", "b"], ["runs", "show"]],
)
def test_wrong_usage_is_one_line_on_stderr_that_names_the_help(command: CommandLine, arguments: list[str]) -> None:
    result = command(*arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1
    assert "--help`" in result.err


# The app


def test_without_a_terminal_the_app_prints_help_and_exits(command: CommandLine) -> None:
    result = command()
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("Usage: tui-gpt")
    assert result.err.endswith(
        "error: the app needs a terminal on stdin and stderr: use a command, e.g. `tui-gpt train --headless`\n"
    )


def test_without_arguments_the_app_opens(command: CommandLine, terminal: None, opened: list[Any]) -> None:
    assert command().code == 0
    assert opened == [None]


def test_train_opens_the_app_with_the_requested_run(
    command: CommandLine, terminal: None, opened: list[TrainRequest]
) -> None:
    assert command("train", "--preset", "nano", "--max-iters", "30", "--name", "mine").code == 0
    assert opened[0].name == "mine"
    assert opened[0].config.train.max_iters == 30
    assert command.session.requests == []


def test_the_time_budget_begins_with_the_process_also_in_the_app(
    command: CommandLine, terminal: None, opened: list[TrainRequest]
) -> None:
    assert cli.run(["train"], 5.0) == 0
    assert cli.run(["train", "--headless", "--quiet"], 6.0) == 0
    assert (opened[0].began, command.request.began) == (5.0, 6.0)


def test_train_needs_a_terminal_or_headless(command: CommandLine) -> None:
    result = command("train")
    assert result.code == 2
    assert "add --headless" in result.err


def test_json_is_refused_where_there_is_a_screen(command: CommandLine, terminal: None) -> None:
    assert "add --headless" in command("train", "--json").err


# The requests of train


def test_options_change_the_preset(command: CommandLine) -> None:
    result = command("train", "--headless", "--preset", "nano", "--n-layer", "2", "--learning-rate", "0.5")
    assert result.code == 0
    config = command.request.config
    assert (config.preset, config.model.n_layer, config.model.n_embd) == ("nano", 2, 128)
    assert (config.train.learning_rate, config.train.max_iters) == (0.5, 2_000)


def test_the_command_line_goes_before_the_environment_before_the_file(
    command: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths.config_file().parent.mkdir(parents=True)
    paths.config_file().write_text('[train]\npreset = "nano"\nseed = 1\nbatch_size = 11\nn_layer = 7\n')
    monkeypatch.setenv("TUI_GPT_TRAIN_SEED", "2")
    monkeypatch.setenv("TUI_GPT_TRAIN_BATCH_SIZE", "22")
    monkeypatch.setenv("TUI_GPT_TRAIN_HEADLESS", "1")
    assert command("train", "--seed", "3").code == 0
    config = command.request.config
    assert (config.train.seed, config.train.batch_size, config.model.n_layer, config.preset) == (3, 22, 7, "nano")


@pytest.mark.parametrize("section", ["train", "generate"])
def test_the_commands_and_the_app_read_the_same_variables(
    command: CommandLine, monkeypatch: pytest.MonkeyPatch, section: settings.Section
) -> None:
    """Every setting has a variable, which gives the same config in both."""
    examples = {int: "8", float: "0.5", str: "tinyshakespeare", bool: "yes"}
    special = {"preset": "classic", "architecture": "classic", "optimizer": "adamw", "schedule": "linear"}
    special |= {"stop": "end|END", "until": "line", "allow": "a-z", "forbid": "x", "match": "a*"}
    special |= {"repetition_penalty": "2"}
    special |= {"tokenizer": "bpe", "vocab_size": "512", "activation": "relu"}
    special |= {
        "device": "cpu",
        "precision": "fp32",
        "ngram_order": "0",
        "run": "shipped",
        "induction": "no",
        "members": "1",
        "val_share": "0.1",
    }
    for name, setting in settings.SETTINGS[section].items():
        value = special.get(name) or examples[settings.non_optional(setting.hint)]
        monkeypatch.setenv(setting.variable, "5" if name.endswith("_seconds") else value)
    if section == "train":
        assert command("train", "--headless").code == 0
        assert command.request.config == settings.preferred_run_config()
    else:
        assert command("generate", "--num-samples", "1").code == 0
        assert command.session.model.configs == [settings.preferred_sample_config()]


def test_what_is_true_or_false_is_a_flag(command: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "poem.txt").write_text("a poem\n" * 100)
    assert command("train", "--headless", "--compile", "--no-induction", str(tmp_path / "poem.txt")).code == 0
    config = command.request.config
    assert (config.train.compile, config.model.induction) == (True, False)


def test_a_lone_number_of_steps_on_the_command_line_lifts_the_time_limit_of_the_file(command: CommandLine) -> None:
    paths.config_file().parent.mkdir(parents=True)
    paths.config_file().write_text("[train]\nmax_seconds = 60\n")
    command("train", "--headless", "--max-iters", "5")
    assert (command.request.config.train.max_iters, command.request.config.train.max_seconds) == (5, None)


def test_a_setting_out_of_range_is_one_line(command: CommandLine) -> None:
    result = command("train", "--headless", "--n-embd", "100", "--n-head", "7")
    assert result.code == 2
    assert result.err.startswith("error: n_embd 100 is not divisible by n_head (7)")


@pytest.mark.parametrize(("name", "message"), [("one", "there is a run 'one' already"), ("a/b", "cannot be a name")])
def test_a_name_is_checked_before_anything_else(command: CommandLine, name: str, message: str) -> None:
    make_run("one")
    result = command("train", "/no/such/text", "--headless", "--name", name)
    assert (result.code, message in result.err) == (2, True), result.err
    assert command.session.requests == []


def test_a_wrong_value_in_the_environment_is_called_by_its_variable(
    command: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUI_GPT_TRAIN_MAX_ITERS", "many")
    result = command("train", "--headless")
    assert result.code == 2
    assert result.err.startswith("error: TUI_GPT_TRAIN_MAX_ITERS cannot be 'many': it takes a whole number")
    assert "--max-iters" not in result.err
    monkeypatch.setenv("TUI_GPT_TRAIN_MAX_ITERS", "0")
    assert "max_iters is 0" in (message := command("train", "--headless").err)
    assert "(set by TUI_GPT_TRAIN_MAX_ITERS in the environment)" in message


def test_a_bad_corpus_is_reported_before_anything_is_created(command: CommandLine, tmp_path: Path) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_text("")
    result = command("train", str(empty), "--headless")
    assert result.code == 2
    assert "is empty" in result.err
    assert command.session.requests == []


def test_a_file_is_named_so_that_it_is_found_from_anywhere(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "poem.txt").write_text("a poem\n" * 100)
    monkeypatch.chdir(tmp_path)
    assert command("train", "poem.txt", "--headless").code == 0
    assert command.request.config.corpus == str(tmp_path / "poem.txt")


def test_a_text_from_stdin_is_kept_so_that_the_run_can_be_resumed(
    command: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"from a pipe\n" * 50)))
    assert command("train", "-", "--headless").code == 0
    assert corpora.load(corpora.read_corpus(command.request.config.corpus)).text == "from a pipe\n" * 50


def test_files_that_are_skipped_in_a_folder_are_named(command: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "a.txt").write_text("words\n")
    (tmp_path / "book" / "b.bin").write_bytes(bytes(range(256)))
    assert "left out 1 binary file: b.bin" in command("train", str(tmp_path / "book"), "--headless").err


def test_a_run_folder_of_choice_is_handed_on(command: CommandLine, tmp_path: Path) -> None:
    assert command("train", "--headless", "--model-path", str(tmp_path / "new")).code == 0
    assert command.request.model_path == tmp_path / "new"


def test_a_folder_that_holds_a_run_is_only_gone_on_with_by_resume(command: CommandLine, tmp_path: Path) -> None:
    RunStore().create_at(tmp_path / "old", RunConfig())
    result = command("train", "--headless", "--model-path", str(tmp_path / "old"))
    assert result.code == 2
    assert "add --resume" in result.err
    assert command("train", "--headless", "--model-path", str(tmp_path / "old"), "--resume").code == 0
    assert (command.request.model_path, command.request.resume) == (tmp_path / "old", "old")


# Resuming


def test_resume_takes_a_name(command: CommandLine) -> None:
    make_run("one")
    assert command("train", "--headless", "--resume", "one").code == 0
    assert (command.request.resume, dict(command.request.changes)) == ("one", {})


def test_resume_without_a_name_takes_the_newest_run(command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run("one")
    monkeypatch.setattr(RunStore, "newest", lambda self, with_checkpoint=True: run)
    assert command("train", "--resume", "--headless").code == 0
    assert command.request.resume == "one"


def test_resume_without_any_run_names_the_remedy(command: CommandLine) -> None:
    result = command("train", "--headless", "--resume")
    assert result.code == 1
    assert "start one with" in result.err


def save(run: Run, step: int, max_iters: int, **settings: Any) -> None:
    """Give a run a last checkpoint, of which only the description counts here."""
    config = replace(run.config, train=replace(run.config.train, max_iters=max_iters, **settings))
    digest = Split.of(config.train).digest(corpora.read_corpus(config.corpus))
    info = CheckpointInfo(
        config=config, tokenizer={}, vocab_size=65, step=step, max_iters=max_iters, corpus_digest=digest
    )
    save_info(run, info)


def save_info(run: Run, info: CheckpointInfo) -> None:
    folder = run.checkpoint_target("last")
    folder.mkdir()
    (folder / MODEL_FILE).touch()
    (folder / MANIFEST_FILE).write_bytes(Manifest(info, {MODEL_FILE: FileRecord(size=0, sha256="0" * 64)}).to_json())


def test_only_the_command_line_changes_a_run_on_resume(command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment and the file apply to new runs, and never make a resume fail, whether valid or not."""
    make_run("one")
    paths.config_file().write_text("[train]\nbatch_size = 3\nn_layer = 2\nno_such_setting = 1\n")
    for name, value in {
        "PATIENCE": "4", "PRESET": "classic", "CORPUS": "/no/such/text", "N_LAYER": "many", "MAX_SECONDS": "-1",
        "NAME": "two", "INIT_FROM": "three", "MODEL_PATH": "/no/such/folder",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"TUI_GPT_TRAIN_{name}", value)
    result = command("train", "--headless", "--resume", "one", "--max-iters", "4000")
    assert result.code == 0, result.err
    assert dict(command.request.changes) == {"max_iters": 4000}
    assert (command.request.corpus, command.request.model_path) == (None, None)


def test_resume_without_a_name_takes_the_run_in_the_folder_of_the_environment(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    RunStore().create_at(tmp_path / "kept", RunConfig())
    monkeypatch.setenv("TUI_GPT_TRAIN_MODEL_PATH", str(tmp_path / "kept"))
    assert command("train", "--headless", "--resume").code == 0
    assert (command.request.model_path, command.request.resume) == (tmp_path / "kept", "kept")


def test_a_new_number_of_steps_lifts_an_old_time_limit(command: CommandLine) -> None:
    RunStore().create(RunConfig(), "timed")
    command("train", "--headless", "--resume", "timed", "--max-iters", "4000")
    assert dict(command.request.changes) == {"max_iters": 4000, "max_seconds": None}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--n-layer", "2"], "the run one has n_layer 4 and keeps it when it is resumed: omit --n-layer"),
        (["--preset", "quick"], "the run one has preset nano and keeps it"),
        (["--max-iters", "0"], "max_iters is 0"),
        (["--name", "two"], "--resume and --name cannot be used together"),
        (["--init-from", "two"], "--resume and --init-from cannot be used together"),
        (["--model-path", "two"], "--resume one and --model-path cannot be used together"),
    ],
)
def test_what_cannot_change_on_resume_is_refused(command: CommandLine, arguments: list[str], message: str) -> None:
    make_run("one")
    result = command("train", "--headless", "--resume", "one", *arguments)
    assert (result.code, message in result.err) == (2, True), result.err


def test_repeating_what_a_run_has_is_no_change(command: CommandLine) -> None:
    save(make_run("one"), 40, 100, learning_rate=0.5)
    again = ["tinyshakespeare", "--preset", "nano", "--n-layer", "4", "--seed", "1337", "--max-iters", "100"]
    result = command("train", "--headless", "--resume", "one", *again, "--learning-rate", "0.5")
    assert (result.code, dict(command.request.changes)) == (0, {}), result.err


def test_a_time_budget_is_a_new_one_even_if_it_is_as_long_as_the_old_one(command: CommandLine) -> None:
    save(make_run("one"), 40, 100, max_seconds=60.0)
    command("train", "--headless", "--resume", "one", "--max-seconds", "60")
    assert command.request.changes["max_seconds"] == 60.0


def test_a_time_budget_alone_replaces_the_number_of_steps_as_it_does_in_a_new_run(command: CommandLine) -> None:
    save(make_run("one"), 40, 100)
    command("train", "--headless", "--resume", "one", "--max-seconds", "60")
    assert dict(command.request.changes) == {"max_seconds": 60.0, "max_iters": None}


@pytest.mark.parametrize("max_iters", [30, 40])
def test_fewer_steps_than_a_run_has_made_are_refused_with_the_command_that_works(
    command: CommandLine, max_iters: int
) -> None:
    save(make_run("one"), 40, 100)
    result = command("train", "--headless", "--resume", "one", "--max-iters", str(max_iters))
    assert result.code == 2
    assert f"the run one has done 40 steps, and --max-iters is {max_iters}" in result.err
    assert "`tui-gpt train --headless --resume one --max-iters 80`" in result.err
    assert command("train", "--headless", "--resume", "one", "--max-iters", "80").code == 0


def test_a_run_in_a_folder_names_that_folder_in_its_remedies(command: CommandLine, tmp_path: Path) -> None:
    save(RunStore().create_at(tmp_path / "my run", RunConfig()), 40, 100)
    result = command("train", "--headless", "--resume", "--model-path", str(tmp_path / "my run"), "--max-iters", "3")
    assert f"--resume --model-path '{tmp_path}/my run' --max-iters 80`" in result.err


def test_a_text_that_has_moved_is_named_and_another_one_is_refused(command: CommandLine, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("a poem\n" * 100)
    run = RunStore().create(replace(RunConfig(), corpus=str(text)), "one")
    save(run, 40, 100)
    moved = text.rename(tmp_path / "moved.txt")
    assert command("train", str(moved), "--headless", "--resume", "one").code == 0
    assert command.request.corpus == str(moved)
    moved.write_text("another poem\n")
    result = command("train", str(moved), "--headless", "--resume", "one")
    assert result.code == 2
    assert "is another text: omit CORPUS, or start a new run from its weights with --init-from one" in result.err


def test_the_text_to_validate_on_is_named_from_anywhere(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text.txt").write_text("a poem\n" * 100)
    (tmp_path / "other.txt").write_text("a poem of 5 €\n" * 2)
    monkeypatch.chdir(tmp_path)
    result = command("train", "text.txt", "--headless", "--val-file", "other.txt")
    assert command.request.config.train.val_file == str(tmp_path / "other.txt")
    assert f"left out 6 characters (21.4%) of the validation text {tmp_path}/other.txt" in result.err
    result = command("train", "text.txt", "--headless", "--val-file", "other.txt", "--init-from", "shipped")
    assert "left out 4 characters" in result.err, "the shipped model knows an f"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--val-share", "0.9"], "val_share is 0.9: choose a number from 0.001 to 0.5"),
        (["--val-share", "nan"], "val_share cannot be nan"),
        (["--val-share", "0.2", "--val-file", "text.txt"], "val_share and val_file cannot be used together: leave one"),
        (["--val-file", "nothing.txt"], "val_file: there is no file, folder or corpus 'nothing.txt'"),
        (["--val-file", ""], "val_file: '' cannot be read"),
        (["--shuffle-documents"], "shuffle_documents finds one document in"),
    ],
)
def test_a_split_that_cannot_be_is_one_line(
    command: CommandLine, options: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text.txt").write_text("a poem\n" * 100)
    monkeypatch.chdir(tmp_path)
    result = command("train", "text.txt", "--headless", *options)
    assert result.code != 0
    assert words in result.err
    assert result.err.strip().count("\n") == 0


def test_a_weaker_level_gives_way_to_the_split_on_the_command_line(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other.txt").write_text("a poem\n" * 100)
    monkeypatch.setenv("TUI_GPT_TRAIN_VAL_SHARE", "0.2")
    assert command("train", "--headless", "--val-file", str(tmp_path / "other.txt")).code == 0
    assert command.request.config.train.val_share == 0.1
    assert command("train", "--headless", "--shuffle-documents").code == 0
    assert (command.request.config.train.val_share, command.request.config.train.shuffle_documents) == (0.2, True)


@pytest.mark.parametrize("has_checkpoint", [True, False])
def test_a_validation_text_that_has_moved_is_named_and_another_one_is_refused(
    command: CommandLine, tmp_path: Path, has_checkpoint: bool
) -> None:
    other = tmp_path / "other.txt"
    other.write_text("a poem\n" * 100)
    train = replace(RunConfig().train, val_file=str(other))
    run = RunStore().create(RunConfig(train=train), "one")
    if has_checkpoint:
        save(run, 40, 100)
    copy = tmp_path / "copy.txt"
    copy.write_text(other.read_text())
    assert command("train", "tinyshakespeare", "--headless", "--resume", "one", "--val-file", str(other)).code == 0
    assert dict(command.request.changes) == {}
    assert command("train", "--headless", "--resume", "one", "--val-file", str(copy)).code == 0
    assert dict(command.request.changes) == {"val_file": str(copy)}
    copy.write_text("another poem\n")
    result = command("train", "--headless", "--resume", "one", "--val-file", str(copy))
    assert result.code == 2
    assert "is another text: omit --val-file, or start a new run from its weights with --init-from" in result.err


def test_a_run_without_a_validation_text_takes_none_when_it_is_resumed(command: CommandLine, tmp_path: Path) -> None:
    save(make_run("one"), 40, 100)
    result = command("train", "--headless", "--resume", "one", "--val-file", str(tmp_path))
    assert result.code == 2
    assert "is validated on a part of tinyshakespeare and keeps it when it is resumed: omit --val-file" in result.err


# Options that exclude each other


def test_the_command_line_overrides_an_exclusive_option_of_the_environment(
    command: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "prompt.txt").write_text("from a file")
    monkeypatch.setenv("TUI_GPT_GENERATE_MODEL_PATH", "/from/the/environment")
    monkeypatch.setenv("TUI_GPT_GENERATE_PROMPT", "from the environment")
    monkeypatch.setenv("TUI_GPT_TRAIN_MODEL_PATH", "/from/the/environment")
    monkeypatch.setenv("TUI_GPT_TRAIN_RESUME", "gone")
    assert command("generate").code == 0
    assert command("generate", "--run", "one", "--prompt-file", str(tmp_path / "prompt.txt")).code == 0
    assert command.session.opened == [Path("/from/the/environment"), "one"]
    assert command.session.model.prompts == ["from the environment", "from a file"]
    assert command("train", "--headless", "--name", "new").code == 0
    assert (command.request.name, command.request.model_path, command.request.resume) == ("new", None, None)


# Failures


def test_a_failure_is_one_line_with_its_exit_code(command: CommandLine) -> None:
    command.session.script = [IncompatibleError("it does not fit:\nuse another")]
    result = command("train", "--headless")
    assert (result.code, result.err) == (2, "error: it does not fit: use another\n")
    command.session.script = [CheckpointError("it is damaged")]
    assert command("train", "--headless").code == 1


def test_an_unexpected_error_leaves_a_report_and_no_traceback(command: CommandLine) -> None:
    command.session.script = [*command.session.script[:2], RuntimeError("boom")]
    result = command("train", "--headless", "--quiet")
    assert result.code == 1
    assert result.err.startswith("error: unexpected error")
    assert result.err.count("\n") == 1
    report = next(paths.logs_dir().iterdir())
    assert str(report) in result.err
    assert "builtins.RuntimeError" in report.read_text()
    assert '"type": "progress"' in report.read_text()


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried …"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    ],
)
def test_running_out_of_memory_is_one_line_with_a_remedy(command: CommandLine, error: Exception) -> None:
    """And nothing is reported as saved unless it is."""
    command.session.script = [error]
    result = command("train", "--headless", "--quiet")
    assert result.code == 1
    assert result.err.startswith("error: out of memory: ")
    assert result.err.count("\n") == 1
    assert "saved" not in result.err
    command.session.script = [Saved(step=5, path="/runs/one/last"), error]
    assert command("train", "--headless", "--quiet").err.endswith("; the run is saved in /runs/one\n")
    assert not paths.logs_dir().exists()


def test_running_out_of_memory_elsewhere_is_one_line_too(command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(corpora, "corpus_info", full)
    result = command("data", "info", "tinyshakespeare")
    assert (result.code, "out of memory" in result.err) == (1, True)


def test_an_unexpected_error_elsewhere_leaves_a_report_too(
    command: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "list_corpora", lambda: 1 / 0)
    result = command("data", "list")
    assert result.code == 1
    assert "a report is in" in result.err


def test_an_error_cannot_command_the_terminal(command: CommandLine) -> None:
    assert "\x1b" not in command("runs", "show", "a\x1b[2Jb").err


# Generating and measuring


def test_generate_writes_text_and_nothing_else_on_stdout(command: CommandLine) -> None:
    result = command("generate", "To be", "--max-new-tokens", "7", "--seed", "5", "--run", "one@best")
    assert (result.code, result.out) == (0, "abcabca")
    assert "seed 5" in result.err
    assert "7 characters" in result.err
    assert command.session.opened == ["one@best"]
    assert command.session.model.prompts == ["To be"]


def test_sampling_options_are_handed_on(command: CommandLine) -> None:
    command("generate", "--temperature", "0", "--top-k", "3", "--top-p", "0.9", "--min-p", "0.1", "--seed", "1")
    config = command.session.model.configs[0]
    assert (config.temperature, config.top_k, config.top_p, config.min_p) == (0.0, 3, 0.9, 0.1)


def test_stop_conditions_come_from_the_command_line_the_environment_and_the_file(
    command: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths.config_file().parent.mkdir(parents=True)
    paths.config_file().write_text('[generate]\nstop = ["file"]\nuntil = "line"\nallow = "a-z"\nmax_seconds = 9\n')
    command("generate")
    monkeypatch.setenv("TUI_GPT_GENERATE_STOP", r"\n\n|a\|b")
    monkeypatch.setenv("TUI_GPT_GENERATE_FORBID", "xyz")
    command("generate", "--until", "speaker", "--match", "[ab]+", "--repetition-penalty", "2")
    command("generate", "--stop", r"\tEND\n", "--stop", "b", "--max-seconds", "3")
    command("generate", "--stop", "", "--allow", "")
    first, second, third, last = command.session.model.configs
    assert (first.stop, first.until, first.allow, first.max_seconds) == (("file",), "line", "a-z", 9.0)
    assert (second.stop, second.until, second.forbid) == (("\n\n", "a|b"), "speaker", "xyz")
    assert (second.match, second.repetition_penalty) == ("[ab]+", 2.0)
    assert (third.stop, third.max_seconds, third.match) == (("\tEND\n", "b"), 3.0, "")
    assert (last.stop, last.allow) == ((), "")


def test_a_prompt_is_read_from_a_file_or_stdin(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prompt.txt").write_bytes("\ufeffline\r\n".encode())
    command("generate", "--prompt-file", str(tmp_path / "prompt.txt"))
    for arguments in (["--prompt-file", "-"], ["-"]):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"piped")))
        command("generate", *arguments)
    assert command.session.model.prompts == ["line\n", "piped", "piped"]


def test_the_prompt_comes_before_the_text_on_request(command: CommandLine) -> None:
    assert command("generate", "To bé ", "--with-prompt", "--max-new-tokens", "3").out == "To bé abc"
    assert command.session.model.prompts == ["To b "]


@pytest.mark.parametrize(
    ("content", "limit", "message"),
    [
        (b"", 10, "text.txt is empty: name a file that is not"),
        ("ééééééé".encode(), 10, "text.txt is larger than 0 MB: choose a smaller part of it"),
        ("汉字测试文本，今天天气很好。".encode("gb2312"), 1000, "`iconv -f GB18030 -t UTF-8 FILE > NEW_FILE`"),
    ],
)
def test_a_text_that_cannot_be_measured_is_one_line(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, limit: int, message: str
) -> None:
    """A text beyond the limit is called that, though its cut may fall into a character."""
    monkeypatch.setattr(source_module, "_SIZE_LIMIT", limit)
    (tmp_path / "text.txt").write_bytes(content)
    result = command("eval", "--file", str(tmp_path / "text.txt"))
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_a_piped_text_is_measured_and_not_kept(command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in (["eval", "--file", "-"], ["data", "info", "-"]):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"my secret diary\n")))
        assert command(*arguments).code == 0
    assert not paths.home().exists()


def test_eval_runs_on_the_requested_device(command: CommandLine) -> None:
    assert command("eval").code == 0
    assert command("eval", "--device", "cpu", "--threads", "3").code == 0
    places = [(place.device, place.threads) for place in command.places if place is not None]
    assert places == [("auto", 0), ("cpu", 3)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hi", "--prompt-file", "-"], "PROMPT and --prompt-file cannot be used together"),
        (["--with-prompt", "--json"], "--with-prompt and --json cannot be used together"),
        (["--run", "a", "--model-path", "b"], "--run and --model-path cannot be used together"),
        (["--prompt-file", "/nowhere"], "/nowhere cannot be read"),
        (["--num-samples", "0"], "num_samples is 0"),
        (["--top-p", "2"], "top_p is 2"),
        (["--stop", r"\d"], r"stop has \d, which is no escape"),
        (["--allow", "z-a"], "allow has the range z-a: write it as in a-z"),
        (["--match", "(a"], "match '(a' is not a valid regular expression: missing ) at position 2; correct it"),
        (["--max-seconds", "0.5"], "max_seconds is 0.5: choose a number from 1 to 31,536,000"),
        (["--repetition-penalty", "0.5"], "repetition_penalty is 0.5: choose a number from 1 to 100"),
    ],
)
def test_an_invalid_request_to_generate_is_one_line(command: CommandLine, arguments: list[str], message: str) -> None:
    result = command("generate", *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_a_folder_goes_before_the_run_of_the_file(command: CommandLine, tmp_path: Path) -> None:
    paths.config_file().parent.mkdir(parents=True)
    paths.config_file().write_text('[generate]\nrun = "one"\n')
    command("generate")
    command("generate", "--model-path", str(tmp_path))
    assert command.session.opened == ["one", tmp_path]


def test_eval_prints_figures_or_json(command: CommandLine) -> None:
    assert "validation loss     1.6000\n" in command("eval", "--run", "one").out
    record = json.loads(command("eval", "--json").out)
    assert record["val_loss"] == 1.6
    assert record["bits_per_char"] == 2.31
    assert command.session.opened == ["one", None]


def test_eval_measures_any_text(command: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("one bit each é")
    record = json.loads(command("eval", "--file", str(tmp_path / "text.txt"), "--json").out)
    assert record["bits_per_char"] == pytest.approx(1.0)
    assert record["perplexity"] == pytest.approx(2.0)
    assert (record["characters"], record["unknown"]) == (13, "é")


def test_eval_measures_a_model_that_adapts_to_a_text(command: CommandLine, tmp_path: Path) -> None:
    """Both losses are shown; without a text there is nothing to adapt to."""
    (tmp_path / "text.txt").write_text("abcé")
    record = json.loads(command("eval", "--file", str(tmp_path / "text.txt"), "--adapt", "--json").out)
    frozen = json.loads(command("eval", "--file", str(tmp_path / "text.txt"), "--json").out)
    assert {name: record[name] for name in frozen} == frozen
    assert record["adapted_loss"] == pytest.approx(frozen["loss"] / 2)
    assert record["adapted_bits_per_char"] == pytest.approx(frozen["bits_per_char"] / 2)
    shown = command("eval", "--file", str(tmp_path / "text.txt"), "--adapt").out
    assert "adapting: loss" in shown
    result = command("eval", "--adapt")
    assert (result.code, "name it by --file" in result.err) == (2, True)


def test_generate_adapts_to_the_known_characters_of_the_whole_prompt(command: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("a long text é of mine")
    assert command("generate", "--prompt-file", str(tmp_path / "text.txt"), "--adapt").code == 0
    assert command.session.model.adapted_to == ["a long text  of mine"]
    result = command("generate", "--adapt")
    assert (result.code, "learns from the prompt" in result.err) == (2, True)


def test_eval_of_several_runs_prints_a_table_of_one_text(command: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    file.write_text("one bit each and an é")
    command.session.open_model = (  # type: ignore[method-assign]  # a model for each run
        lambda source: FakeTextModel(str(source), step=40, unknown="é" if source == "a" else "")
    )
    result = command("eval", "--file", str(file), "--run", "a", "--run", "b", "--run", "a")
    assert [line.split() for line in result.out.splitlines()] == [
        ["model", "step", "bits/char", "perplexity", "unknown"],
        ["*", "a", "40", "1.0000", "2.0000", "1"],
        ["b", "40", "1.0000", "2.0000", "0"],
    ]
    assert "1 of 21 characters are left out for all models" in result.err
    record = json.loads(command("eval", "--file", str(file), "--run", "a", "--run", "b", "--json").out)
    assert (record["characters"], record["left_out"], record["unknown"], record["best"]) == (20, 1, "é", "a")
    assert record["models"][1]["bits_per_char"] == record["models"][0]["bits_per_char"] == pytest.approx(1.0)
    refused = command("eval", "--run", "a", "--run", "b")
    assert (refused.code, "name it with --file" in refused.err) == (2, True)
    file.write_text("é")
    failed = command("eval", "--file", str(file), "--run", "a", "--run", "c")
    assert failed.code == 0, "c knows it"
    command.session.open_model = lambda source: FakeTextModel(str(source), unknown="é")  # type: ignore[method-assign]  # both
    failed = command("eval", "--file", str(file), "--run", "a", "--run", "c")
    assert (failed.code, "none of these models can be compared" in failed.err) == (1, True)


def test_eval_of_a_byte_model_measures_any_file(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = resolve("nano", tokenizer="byte")
    monkeypatch.setattr(evaluate_module, "source_config", lambda source: config)
    (tmp_path / "any.bin").write_bytes(b"\xff\x00\r\n")
    record = json.loads(command("eval", "--file", str(tmp_path / "any.bin"), "--json").out)
    assert (record["characters"], record["left_out"]) == (4, 0)


def test_the_tokenizer_of_a_new_run_is_an_option_a_variable_and_a_line_of_the_file(
    command: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    command("train", "--headless", "--tokenizer", "byte")
    assert command.request.config.model.tokenizer == "byte"
    monkeypatch.setenv("TUI_GPT_TRAIN_TOKENIZER", "bpe")
    paths.config_file().parent.mkdir(parents=True)
    paths.config_file().write_text("[train]\nvocab_size = 2048\n")
    command("train", "--headless")
    assert (command.request.config.model.tokenizer, command.request.config.model.vocab_size) == ("bpe", 2048)
    result = command("train", "--headless", "--tokenizer", "byte")
    assert (result.code, "vocab_size is for the tokenizer bpe" in result.err) == (2, True)


def test_eval_of_a_text_without_known_characters_fails_with_a_sentence(command: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("éñ")
    assert "knows none of these characters" in command("eval", "--file", str(tmp_path / "text.txt")).err


# Runs


def test_runs_list_is_a_table_and_json(command: CommandLine) -> None:
    make_run("one")
    make_run("a-much-longer-name")
    lines = command("runs", "list").out.splitlines()
    headings = ["NAME", "STATE", "PRESET", "TEXT", "STEP", "BEST", "LOSS", "BITS/CHAR", "SIZE", "UPDATED", "NOTE"]
    assert lines[0].split() == headings
    assert len(lines) == 3
    assert len({line.index("nano") for line in lines[1:]}) == 1
    records = [json.loads(line) for line in command("runs", "list", "--json").out.splitlines()]
    assert {record["name"] for record in records} == {"one", "a-much-longer-name"}
    assert records[0]["state"] == "finished"


def test_runs_note_writes_and_prints_a_line_that_the_lists_show(command: CommandLine) -> None:
    make_run("one")
    assert command("runs", "note", "one").out == ""
    assert command("runs", "note", "one", "a higher\nrate").out == "a higher rate\n"
    assert command("runs", "note", "one").out == "a higher rate\n"
    [record] = map(json.loads, command("runs", "list", "--json").out.splitlines())
    assert (record["note"], record["corpus"]) == ("a higher rate", "tinyshakespeare")
    assert record["size"] > 0
    assert command("runs", "list").out.splitlines()[1].endswith("a higher rate")
    assert "note                   a higher rate\n" in command("runs", "show", "one").out
    assert command("runs", "note", "one", "").out == ""
    assert "note                   none\n" in command("runs", "show", "one").out


def test_a_note_that_is_too_long_or_of_no_run_is_one_line(command: CommandLine) -> None:
    make_run("one")
    assert "shorten it to 200" in command("runs", "note", "one", "x" * 201).err
    assert "there is no run 'two'" in command("runs", "note", "two", "good").err


def test_a_note_cannot_command_the_terminal(command: CommandLine) -> None:
    make_run("one").set_note("\x1b[2Jgone")
    for arguments in (["list"], ["show", "one"], ["note", "one"]):
        assert "\x1b" not in command("runs", *arguments).out


@pytest.mark.parametrize(("is_estimate", "loss"), [(False, "1.8812"), (True, "~1.8812")])
def test_a_best_loss_that_is_an_estimate_is_marked_in_lists(is_estimate: bool, loss: str, command: CommandLine) -> None:
    event = replace(evaluated(20, 1.8812), val_tokens=8_192, is_estimate=is_estimate)
    make_run("one").record(event)
    assert loss in command("runs", "list").out.splitlines()[1].split()
    words = f"{loss} ({'estimate ' if is_estimate else ''}on 8,192 characters)"
    assert f"best validation loss   {words}\n" in command("runs", "show", "one").out
    for arguments in (["list"], ["show", "one"]):
        record = json.loads(command("runs", *arguments, "--json").out)
        assert (record["best_is_estimate"], record["best_val_tokens"]) == (is_estimate, 8_192)


def test_a_checkpoint_whose_loss_is_an_estimate_is_marked(command: CommandLine) -> None:
    run = make_run("one")
    extra: dict[str, SettingValue] = {"val_tokens": 80, "record_tokens": 1_000}
    info = CheckpointInfo(
        config=run.config, tokenizer={}, vocab_size=65, step=5, max_iters=9, val_loss=1.5, extra=extra
    )
    save_info(run, info)
    assert "validation loss ~1.5000 (estimate on 80 characters)\n" in command("runs", "show", "one").out
    checkpoint = json.loads(command("runs", "show", "one", "--json").out)["checkpoints"]["last"]
    assert (checkpoint["val_is_estimate"], checkpoint["val_tokens"]) == (True, 80)


def test_an_empty_list_says_how_to_begin_on_stderr(command: CommandLine) -> None:
    result = command("runs", "list")
    assert (result.code, result.out) == (0, "")
    assert "tui-gpt train" in result.err
    assert command("runs", "list", "--json").err == ""


def test_runs_show_prints_state_and_settings(command: CommandLine) -> None:
    make_run("one")
    out = command("runs", "show", "one").out
    assert "state                  finished\n" in out
    assert "n_embd                 128\n" in out
    record = json.loads(command("runs", "show", "one", "--json").out)
    assert record["config"]["model"]["n_embd"] == 128
    assert record["checkpoints"] == {"best": None, "last": None}


def test_a_damaged_run_is_listed_and_shown(command: CommandLine) -> None:
    run = make_run("one")
    (run.path / "run.json").write_text("{")
    assert "damaged" in command("runs", "list").out
    assert "damaged" in command("runs", "show", "one").out


def test_an_unknown_run_names_its_neighbour(command: CommandLine) -> None:
    make_run("shakespeare")
    result = command("runs", "show", "shakespear")
    assert result.code == 1
    assert "did you mean shakespeare?" in result.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["runs", "show", "shipped"], ["runs", "export", "shipped@best", "copy"], ["runs", "rm", "shipped", "--yes"],
        ["train", "--headless", "--resume", "shipped"],
    ],
)  # fmt: skip
def test_the_shipped_model_is_not_a_run(command: CommandLine, arguments: list[str]) -> None:
    result = command(*arguments)
    assert result.code == 1
    assert "shipped is the model that comes with the program, and not a run" in result.err
    assert "--init-from shipped" in result.err


def test_rm_asks_first(command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run("one")
    refused = command("runs", "rm", "one")
    assert refused.code == 2
    assert "pass --yes" in refused.err
    answers = io.StringIO("n\ny\n")
    answers.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdin", answers)
    kept = command("runs", "rm", "one")
    assert kept.code == 1
    assert kept.err.endswith("error: aborted: nothing was changed\n")
    assert [run.name for run in RunStore().list()] == ["one"]
    assert command("runs", "rm", "one").code == 0
    assert RunStore().list() == []


def test_rename_gives_a_run_another_name(command: CommandLine) -> None:
    make_run("one")
    assert command("runs", "rename", "one", "two").out == "two\n"
    assert [summary.name for summary in RunStore().list()] == ["two"]


@pytest.mark.parametrize(
    ("old", "new", "code", "problem"),
    [
        ("one", "two", 2, "there is a run 'two' already"),
        ("one", "a/b", 2, "'a/b' cannot be a name"),
        ("onr", "three", 1, "there is no run 'onr' (did you mean one?)"),
        ("shipped", "three", 1, "shipped is the model that comes with the program"),
    ],
)
def test_a_rename_that_is_impossible_is_one_line(
    command: CommandLine, old: str, new: str, code: int, problem: str
) -> None:
    make_run("one")
    make_run("two")
    result = command("runs", "rename", old, new)
    assert (result.code, result.err.count("\n"), problem in result.err) == (code, 1, True), result.err


def test_a_running_run_is_not_renamed(command: CommandLine) -> None:
    with make_run("one").lock():
        result = command("runs", "rename", "one", "two")
    assert (result.code, "stop it there first" in result.err) == (1, True), result.err


def test_rm_removes_nothing_when_one_name_is_wrong(command: CommandLine) -> None:
    make_run("one")
    assert command("runs", "rm", "one", "two", "--yes").code == 1
    assert [run.name for run in RunStore().list()] == ["one"]
    assert command("runs", "rm", "one", "--yes").code == 0
    assert RunStore().list() == []


def test_rm_refuses_a_running_run(command: CommandLine) -> None:
    run = make_run("one")
    with run.lock():
        result = command("runs", "rm", "one", "--yes")
    assert result.code == 1
    assert "is writing the run 'one'" in result.err
    assert [run.name for run in RunStore().list()] == ["one"]


def test_export_takes_best_or_last(command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, str]] = []

    make_run("one")

    def export(self: RunStore, name: str, which: str, target: Path) -> Path:
        calls.append((name, which))
        return target

    monkeypatch.setattr(RunStore, "export", export)
    for source in ("one", "one@best", "one@last"):
        assert command("runs", "export", source, str(tmp_path / "copy")).out == f"{tmp_path / 'copy'}\n"
    assert calls == [("one", "best"), ("one", "best"), ("one", "last")]
    assert command("runs", "export", "one@middle", str(tmp_path / "copy")).code == 1


# Texts and settings


def test_data_is_listed_added_and_described(command: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "poem.txt").write_text("abba\ncaba\n")
    assert command("data", "add", str(tmp_path / "poem.txt"), "--name", "rhyme").out == "rhyme\n"
    listed = command("data", "list").out
    assert "tinyshakespeare  1.12 MB  built in\n" in listed
    assert "rhyme               10 B\n" in listed
    message = json.loads(command("data", "info", "rhyme", "--json").out)
    assert (message["characters"], message["lines"], message["alphabet"]) == (10, 2, "\nabc")
    assert "distinct    4\n" in command("data", "info", "rhyme").out
    names = [json.loads(line)["name"] for line in command("data", "list", "--json").out.splitlines()]
    assert names == ["tinyshakespeare", "rhyme"]


def test_data_is_renamed_and_removed(command: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "poem.txt").write_text("abba\ncaba\n")
    command("data", "add", str(tmp_path / "poem.txt"))
    assert command("data", "rename", "poem", "rhyme").out == "rhyme\n"
    refused = command("data", "rm", "rhyme")
    assert (refused.code, "--yes" in refused.err) == (2, True)
    gone = command("data", "rm", "rhyme", "rime", "--yes")
    assert (gone.code, "did you mean rhyme" in gone.err) == (1, True)
    assert command("data", "info", "rhyme").code == 0
    assert command("data", "rm", "rhyme", "--yes").code == 0
    assert command("data", "info", "rhyme").code == 2
    assert "comes with the program" in command("data", "rm", "tinyshakespeare", "--yes").err


def test_config_prints_its_path_and_writes_its_file(command: CommandLine) -> None:
    path = paths.config_file()
    assert command("config", "path").out == f"{path}\n"
    assert command("config", "init").out == f"{path}\n"
    assert path.read_text() == settings.template()
    assert command("config", "init").code == 2
    assert command("config", "init", "--force").code == 0


def test_config_show_prints_values_with_their_sources(command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUI_GPT_TRAIN_SEED", "42")
    out = command("config", "show").out
    assert [line.split() for line in out.splitlines() if line.startswith("seed")] == [
        ["seed", "=", "42", "#", "the", "environment"]
    ]
    records = [json.loads(line) for line in command("config", "show", "--json").out.splitlines()]
    assert {"section": "train", "name": "seed", "value": 42, "source": "the environment"} in records
    assert len(records) == sum(map(len, settings.SETTINGS.values()))


def test_stdout_that_is_full_is_one_line(command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("sys.stdout", Full())
    assert cli.run(["config", "path"]) == 1


@pytest.mark.parametrize("group", ["runs", "data", "config"])
def test_a_group_without_a_command_shows_its_help_as_help(command: CommandLine, group: str) -> None:
    result = command(group)
    assert result.code == 2
    assert result.err.startswith(f"Usage: tui-gpt {group} ")
    assert "\nCommands:\n" in result.err


def test_a_folder_that_is_named_as_a_run_gets_the_option_that_takes_it(command: CommandLine) -> None:
    assert "a folder is named with --model-path ./exp" in command("runs", "show", "./exp").err


def test_the_notebook_is_exported_and_imported(command: CommandLine, tmp_path: Path) -> None:
    History().save(Card(id="c", answers=(Answer(id="a", prompt="to", text=" be"),)))
    path = tmp_path / "notebook.json"
    assert (command("notebook", "export", str(path)).code, command("notebook", "export", str(path)).code) == (0, 1)
    record = json.loads(path.read_text())
    assert (record["version"], record["cards"][0]["answers"][0]["prompt"]) == (1, "to")
    assert "0 of 1 card" in command("notebook", "import", str(path)).err
    History().path.unlink()
    assert command("notebook", "import", str(path)).code == 0
    assert [card.answer.full for card in History().load()] == ["to be"]
    path.write_text("{")
    refusal = command("notebook", "import", str(path))
    assert refusal.code == 2
    assert f"{path} cannot be imported" in refusal.err
    assert refusal.err.count("\n") == 1
