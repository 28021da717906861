"""Which part of the program may import what, proved in clean interpreters and by reading the source.

`gpt/` needs torch and never textual or click; `tui/` needs textual and never torch; the rest needs neither, and click
only in the command line. So the app is on screen before torch is imported, and `--help` is there at once.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

import tui_gpt
from tui_gpt.config import resolve
from tui_gpt.control import Control
from tui_gpt.requests import TrainRequest
from tui_gpt.session import Session

PACKAGE = Path(tui_gpt.__file__).parent
IMPORTS = "tui_gpt.training.imports"
READS_PICKLES = f"{IMPORTS}.pt_file"
DISASSEMBLES_PICKLES = {READS_PICKLES, f"{IMPORTS}.vocabulary"}
HEAVY = {"torch", "textual", "numpy", "safetensors"}


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.relative_to(PACKAGE).parts[0] != "data"]
MODULES = {name_of(path): path for path in FILES}


def package(*names: str) -> list[str]:
    return [name for name in MODULES if name.startswith(tuple(f"tui_gpt.{package}" for package in names))]


TORCH = package("models", "training")
ARRAYS = [
    *package("storage.export.hf"),
    *(f"tui_gpt.storage.{name}" for name in ("checkpoint", "folding", "messages", "quantize")),
]
ARRAY_TEXTS = (
    *(
        "dataset",
        "tokenizer",
        "windows",
        "report",
        "permutation",
        "alphabet",
        "characters",
        "large.mapped",
        "large.tokens",
    ),
    *package("text.tokenizers."),
)
NUMPY = [*TORCH, *ARRAYS, *package("text", "prior", "generation")]
TUI = package("tui")
CLI = package("cli", "__main__")
LIGHT = [name for name in MODULES if name not in {*NUMPY, *TUI, *CLI}]
STARTING = [
    *LIGHT,
    *(name for name in package("text") if not name.endswith(ARRAY_TEXTS)),
]


def loaded_after(code: str) -> set[str]:
    """Return the top-level packages that a clean interpreter has imported after running `code`."""
    script = (
        f"{code}\nimport sys, json\nprint()\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def importing(names: Iterable[str]) -> str:
    return "\n".join(f"import {name}" for name in names)


def imported_by_source(path: Path) -> set[str]:
    """Return the top-level packages that a file imports, also inside functions, but not only for type checkers."""
    found: set[str] = set()
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
        pending += ast.iter_child_nodes(node)
    return found


def test_the_parts_are_all_there() -> None:
    assert {"tui_gpt.session", "tui_gpt.events", "tui_gpt.storage.runs"} <= set(LIGHT)
    assert {"tui_gpt.models.classic", "tui_gpt.training.trainer"} <= set(TORCH)
    assert TUI
    assert "tui_gpt.cli.commands.train" in CLI


def test_the_root_imports_nothing_heavy_and_no_click() -> None:
    assert not loaded_after(importing(STARTING)) & {*HEAVY, "click"}


def test_the_command_line_imports_nothing_heavy() -> None:
    names = [name for name in CLI if name != "tui_gpt.__main__"]
    assert not loaded_after(importing(names)) & HEAVY


def test_the_app_imports_no_torch() -> None:
    assert "torch" not in loaded_after(importing(TUI))


def test_the_models_import_neither_textual_nor_click() -> None:
    """Torch's own modules are looked at by the source alone: some version of torch may come to import click."""
    assert "textual" not in loaded_after(importing(TORCH))


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["runs", "list"], ["config", "show"]])
def test_quick_commands_import_nothing_heavy(arguments: list[str]) -> None:
    code = f"from tui_gpt.cli.main import run\nassert run({arguments!r}) == 0"
    assert not loaded_after(code) & HEAVY


@pytest.mark.parametrize(
    "line", ["tui-gpt ", "tui-gpt train --preset ", "tui-gpt generate --run ", "tui-gpt data info "]
)
def test_a_completion_imports_nothing_heavy(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(line.count(" ")))
    monkeypatch.setenv("_TUI_GPT_COMPLETE", "bash_complete")
    assert not loaded_after("from tui_gpt.cli.main import run\nassert run([]) == 0") & HEAVY


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("torch", set(TORCH)),
        ("numpy", set(NUMPY)),
        ("safetensors", set(package("storage"))),
        ("textual", set(TUI)),
        ("click", set(CLI)),
    ],
)
def test_a_heavy_package_is_imported_in_its_own_room_alone(package: str, allowed: set[str]) -> None:
    assert {name for name, path in MODULES.items() if package in imported_by_source(path)} <= allowed


def test_nothing_reads_a_pickle_but_the_import_command() -> None:
    """A checkpoint is data, never code; a file from elsewhere is read as tensors alone, or not at all."""
    for name, path in MODULES.items():
        assert not imported_by_source(path) & {"pickle", "cPickle", "dill", "shelve", "marshal"}, name
        loaders = set(attributes_of(path, "torch")) & {"load", "package", "hub"}
        assert loaders == ({"load"} if name == READS_PICKLES else set()), name
        assert ("pickletools" in imported_by_source(path)) == (name in DISASSEMBLES_PICKLES), name
    assert MODULES[READS_PICKLES].read_text(encoding="utf-8").count("torch.load(") == 1
    assert "weights_only=True)" in MODULES[READS_PICKLES].read_text(encoding="utf-8")
    importers = {name for name, path in MODULES.items() if IMPORTS in path.read_text(encoding="utf-8")}
    assert {name for name in importers if not name.startswith(IMPORTS)} == {"tui_gpt.session"}


def attributes_of(path: Path, owner: str) -> list[str]:
    """Return the attributes of `owner` that a file uses, e.g. `load` for `torch.load`."""
    return [
        node.attr
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == owner
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ["generate", "ROMEO:", "--run", "shipped", "--max-new-tokens", "5"],
        ["generate", "a", "--run", "trained", "--max-new-tokens", "5", "--num-samples", "3"],
        ["eval", "--run", "trained", "--file", "{file}"],
        ["data", "info", "{file}"],
        ["runs", "show", "trained"],
        ["runs", "export", "trained", "{file}.exported", "--small"],
    ],
)
def test_generating_and_measuring_a_text_import_no_torch(arguments: list[str], tmp_path: Path) -> None:
    """Neither with the shipped model nor with a trained run."""
    file = tmp_path / "text.txt"
    file.write_text("the quick brown fox " * 40)
    request = TrainRequest(config=resolve("bigram", corpus=str(file), max_iters=1), name="trained")
    list(Session().train(request, Control()))
    code = f"from tui_gpt.cli.main import run\nassert run({[a.format(file=file) for a in arguments]!r}) == 0"
    assert "torch" not in loaded_after(code)


def test_a_settled_session_has_torch_where_the_collector_seldom_looks() -> None:
    script = (
        "import gc; from tui_gpt.session import Session; session = Session(); "
        "session.load_torch(); session.collect_garbage(); "
        "young = gc.get_objects(0) + gc.get_objects(1); "
        "assert len(gc.get_objects(2)) > 100_000 > 50 * len(young)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
