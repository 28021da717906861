"""The import contracts of pyproject.toml hold, and each of them fails when its rule is broken on purpose."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import tui_gpt

ROOT = Path(__file__).parents[1]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]

VIOLATIONS = {
    "layers": ("storage/names.py", "import tui_gpt.session"),
    "torch": ("session.py", "import torch"),
    "generation": ("generation/sampling.py", "import tui_gpt.models.build"),
    "interfaces": ("cli/headless/train.py", "import tui_gpt.training.trainer"),
    "library": ("cli/headless/train.py", "import tui_gpt.api.model"),
    "textual": ("cli/headless/train.py", "import textual"),
    "click": ("tui/app/app.py", "import click"),
    "vocabulary": ("config.py", "import numpy"),
}
"""For each contract a file and an import that it forbids there, also inside a function."""


def lint_imports(root: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    environment = os.environ | {"PYTHONPATH": str(root)}
    arguments = [*command, "--no-cache", *options]
    return subprocess.run(arguments, cwd=root, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package and of the contracts, free to be broken."""
    root = tmp_path_factory.mktemp("package")
    shutil.copytree(Path(tui_gpt.__file__).parent, root / "tui_gpt", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


def test_there_is_a_violation_for_every_contract() -> None:
    assert VIOLATIONS.keys() == {contract["id"] for contract in CONTRACTS}


@pytest.mark.slow
def test_the_contracts_hold(package: Path) -> None:
    done = lint_imports(package)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("contract", VIOLATIONS)
def test_a_contract_fails_when_its_rule_is_broken(package: Path, contract: str) -> None:
    name, statement = VIOLATIONS[contract]
    path = package / "tui_gpt" / name
    source = path.read_text(encoding="utf-8")
    path.write_text(f"{source}\n\ndef _broken() -> None:\n    {statement}\n", encoding="utf-8")
    try:
        done = lint_imports(package, "--contract", contract)
    finally:
        path.write_text(source, encoding="utf-8")
    assert done.returncode == 1, done.stdout
