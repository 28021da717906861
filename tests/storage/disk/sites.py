"""The lines of the program that force something to the disk or rename it, found in its source."""

import ast
from collections.abc import Iterator

from tests.storage.disk.recording import HELPERS, PROGRAM

_SYNCS = HELPERS - {"write_all"} | {"fsync", "fdatasync"}
_RENAMES = {"rename", "replace", "renames", "move"}


def sites() -> list[str]:
    """Return each of them, named as in a trace: `file.py:function:line`."""
    return sorted(
        f"{path.relative_to(PROGRAM)}:{function}:{line}"
        for path in PROGRAM.rglob("*.py")
        for function, line in _calls(ast.parse(path.read_text(encoding="utf-8")), "<module>")
    )


def _calls(node: ast.AST, function: str) -> Iterator[tuple[str, int]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            if child.name not in HELPERS:
                yield from _calls(child, child.name)
            continue
        if isinstance(child, ast.Call) and _is_a_site(child):
            yield function, child.lineno
        yield from _calls(child, function)


def _is_a_site(call: ast.Call) -> bool:
    """Return whether a call forces something to the disk or renames it.

    `str.replace` has two arguments, and that of the notebook unpacks any number of answers.
    """
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name not in _RENAMES:
        return name in _SYNCS
    owner = getattr(getattr(call.func, "value", None), "id", "")
    if owner == "dataclasses" or call.keywords or any(isinstance(argument, ast.Starred) for argument in call.args):
        return False
    return len(call.args) == (2 if owner in ("os", "shutil") else 1)
