"""Building the C extension with the package: what there is without a compiler, and what is left of one that fails."""

import subprocess
import sys
from pathlib import Path

import pytest

import hatch_build


def compiler(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `cc`, which runs `script`, the only program on the path."""
    folder.mkdir()
    (folder / "cc").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "cc").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CC", raising=False)


def built_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Return the build data that the hook sets."""
    monkeypatch.setattr(hatch_build, "FOLDER", tmp_path)
    data: dict[str, object] = {"pure_python": True}
    hook = object.__new__(hatch_build.BuildHook)
    hook.initialize("standard", data)
    return data


def test_without_a_compiler_the_wheel_is_pure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    assert hatch_build.find_compiler() is None
    assert built_wheel(tmp_path, monkeypatch) == {"pure_python": True}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="the compiler is a shell script")
@pytest.mark.parametrize("script", ["exit 1", 'while [ "$1" != -o ]; do shift; done; : > "$2"; exit 1'])
def test_with_a_compiler_that_fails_the_wheel_is_pure(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler(tmp_path / "bin", script, monkeypatch)
    (tmp_path / "kernel").mkdir()
    assert built_wheel(tmp_path / "kernel", monkeypatch) == {"pure_python": True}
    assert list((tmp_path / "kernel").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="the compiler is a shell script")
def test_a_compiler_for_another_processor_makes_the_baseline_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse = 'case "$*" in *-mavx2*) exit 1;; esac; while [ "$1" != -o ]; do shift; done; : > "$2"'
    compiler(tmp_path / "bin", refuse, monkeypatch)
    (tmp_path / "kernel").mkdir()
    data = built_wheel(tmp_path / "kernel", monkeypatch)
    assert [path.name for path in (tmp_path / "kernel").iterdir()] == ["decoder-baseline.so"]
    assert data["pure_python"] is False
    assert str(data["tag"]).startswith("py3-none-")


@pytest.mark.skipif(sys.platform == "win32", reason="the compiler is a shell script")
def test_the_environment_may_name_another_compiler_with_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept = 'test "$1 $2" = "-target other" || exit 1; while [ "$1" != -o ]; do shift; done; : > "$2"'
    compiler(tmp_path / "bin", accept, monkeypatch)
    monkeypatch.setenv("CC", f"'{tmp_path}/bin/cc' -target other")
    monkeypatch.setenv("PATH", "")
    (tmp_path / "kernel").mkdir()
    assert len(hatch_build.build_variants(tmp_path / "kernel")) == len(hatch_build.VARIANTS)


def test_libraries_of_an_earlier_build_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may be of another source."""
    (tmp_path / "decoder-avx2.so").write_text("old")
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    assert hatch_build.build_variants(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_on_macos_without_developer_tools_no_compiler_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its /usr/bin/cc only opens a window that offers to install them."""
    compiler(tmp_path / "bin", "exit 0", monkeypatch)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert hatch_build.find_compiler() is None


def test_the_variants_are_those_that_are_looked_for() -> None:
    from tui_gpt.generation.kernel.library import VARIANTS

    assert tuple(hatch_build.VARIANTS) == VARIANTS


@pytest.mark.slow
def test_every_variant_that_the_compiler_knows_is_built(tmp_path: Path) -> None:
    if hatch_build.find_compiler() is None:
        pytest.skip("there is no C compiler here")
    built = hatch_build.build_variants(tmp_path)
    assert built
    assert sorted(built) == sorted(tmp_path.iterdir())


@pytest.mark.slow
def test_the_source_compiles_without_a_warning(tmp_path: Path) -> None:
    found = hatch_build.find_compiler()
    if found is None:
        pytest.skip("there is no C compiler here")
    sources = [str(hatch_build.FOLDER / source) for source in hatch_build.SOURCES]
    command = [*found, *hatch_build.FLAGS, "-Wall", "-Wextra", "-Werror", *sources, "-o", str(tmp_path / "x"), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
