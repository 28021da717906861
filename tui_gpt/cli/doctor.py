"""The checks of `tui-gpt doctor`, each with a remedy for a failure.

Each check is self-contained and never raises: an error is a finding, too. Nothing is changed, except for a temporary
file in the home folder. Torch is imported by the checks that need it.
"""

import hashlib
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from itertools import groupby
from pathlib import Path
from typing import Literal

from tui_gpt import __version__, session
from tui_gpt.config import DEFAULT_CORPUS
from tui_gpt.cores import available_cores
from tui_gpt.errors import TuiGptError
from tui_gpt.formatting import format_bytes, format_loss
from tui_gpt.requests import StepComparison
from tui_gpt.storage import paths, settings

Status = Literal["ok", "warning", "failed"]

CORPUS_DIGEST = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
"""SHA-256 of the built-in corpus."""

_MIN_PYTHON = (3, 11)
_MIN_FREE_BYTES = 500_000_000
_MIN_COLUMNS, _MIN_ROWS = 80, 24
_MAX_DIFFERENCES = {"fp32": 1e-3, "tf32": 2e-2, "bf16": 1e-1}
"""How far from the CPU's a gradient may be, relative to its norm: several times the rounding of each precision."""


@dataclass(frozen=True)
class Check:
    """One finding. `failed` prevents the program from working; a `warning` costs comfort or speed."""

    name: str
    status: Status
    detail: str
    remedy: str = ""
    steps: tuple[StepComparison, ...] = ()
    """The figures of the check `step`."""


def examine(environ: Mapping[str, str] | None = None) -> Iterator[Check]:
    """Yield the findings, those of the fast checks first."""
    environ = os.environ if environ is None else environ
    checks: list[tuple[str, Callable[[], Check]]] = [
        ("python", check_python),
        ("terminal", lambda: check_terminal(environ)),
        ("home", check_home),
        ("config", check_config),
        ("corpus", check_corpus),
        ("compiler", check_compiler),
        ("torch", check_torch),
        ("device", check_device),
        ("speed", check_speed),
        ("step", check_step),
        ("kernel", check_kernel),
        ("model", check_model),
    ]
    for name, check in checks:
        yield _guarded(name, check)


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except Exception as error:
        return Check(name, "failed", f"{type(error).__name__}: {error}", "report this, with this whole list")


def check_python() -> Check:
    """Check the version of Python."""
    detail = f"tui-gpt {__version__}, Python {platform.python_version()} on {platform.platform()}"
    if sys.version_info < _MIN_PYTHON:
        return Check("python", "failed", detail, "install Python 3.11 or newer")
    return Check("python", "ok", detail)


def check_terminal(environ: Mapping[str, str]) -> Check:
    """Check the terminal's size, colours and encoding."""
    size = _terminal_size()
    colour = "no colour" if environ.get("NO_COLOR") else environ.get("COLORTERM") or "colours as TERM says"
    detail = f"TERM={environ.get('TERM', '')}, {colour}"
    if size is None:
        return Check(
            "terminal", "warning", f"stdin or stderr is not a terminal, {detail}", "open the app in a terminal"
        )
    detail = f"{size.columns} × {size.lines}, {detail}"
    if environ.get("TERM") == "dumb":
        return Check("terminal", "warning", detail, "use another terminal, or --headless")
    if size.columns < _MIN_COLUMNS or size.lines < _MIN_ROWS:
        return Check("terminal", "warning", detail, f"enlarge the window: the app needs {_MIN_COLUMNS} × {_MIN_ROWS}")
    if (sys.stderr.encoding or "").lower().replace("-", "") != "utf8":
        return Check("terminal", "warning", f"{detail}, {sys.stderr.encoding}", "set a UTF-8 locale, e.g. LANG=C.UTF-8")
    return Check("terminal", "ok", detail)


def _terminal_size() -> os.terminal_size | None:
    try:
        return os.get_terminal_size(sys.stderr.fileno()) if sys.stdin.isatty() and sys.stderr.isatty() else None
    except (OSError, ValueError, AttributeError):
        return None


def check_home() -> Check:
    """Check that the home folder is writable and has enough free space."""
    home = paths.home()
    remedy = f"make it writable, or set {paths.HOME_VARIABLE} to another folder"
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            pass
        free = shutil.disk_usage(home).free
    except OSError as error:
        return Check("home", "failed", f"{home}: {error.strerror or error}", remedy)
    detail = f"{home}, {format_bytes(free)} free"
    if free < _MIN_FREE_BYTES:
        return Check("home", "warning", detail, f"free some space, or set {paths.HOME_VARIABLE} to another disk")
    return Check("home", "ok", detail)


def check_config() -> Check:
    """Check the user's `config.toml`, if there is one."""
    path = paths.config_file()
    try:
        settings.preferred_run_config()
        settings.preferred_sample_config()
    except TuiGptError as error:
        return Check("config", "failed", str(error), f"fix {path}, or move it away")
    return Check("config", "ok", str(path) if path.exists() else "no config.toml")


def check_corpus() -> Check:
    """Check that the built-in text is unmodified."""
    path = paths.shipped_dir() / DEFAULT_CORPUS / "input.txt"
    if not path.is_file():
        return Check("corpus", "failed", f"{path} is missing", "install tui-gpt again")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != CORPUS_DIGEST:
        return Check("corpus", "failed", f"{path} was modified", "install tui-gpt again")
    return Check("corpus", "ok", f"{DEFAULT_CORPUS}, {format_bytes(len(data))}")


def check_compiler() -> Check:
    """Look for a C++ compiler, which only --compile needs."""
    names = [os.environ.get("CXX") or "c++", "g++", "clang++", "cl"]
    found = next((place for name in names if (place := shutil.which(name))), None)
    if found is None:
        return Check("compiler", "warning", "none", "install a C++ compiler to use --compile; the rest works without")
    return Check("compiler", "ok", found)


def check_torch() -> Check:
    """Check that PyTorch can be imported."""
    try:
        info = session.torch_info()
    except Exception as error:
        return Check("torch", "failed", f"{type(error).__name__}: {error}", "run `pip install torch`")
    cores, textual = available_cores(), metadata.version("textual")
    return Check(
        "torch", "ok", f"{info.version}, {info.build}, {info.threads} threads on {cores} cores; textual {textual}"
    )


def check_device() -> Check:
    """List the devices that PyTorch can use; --device auto takes the first."""
    return Check("device", "ok", ", ".join(session.torch_info().devices))


def check_speed() -> Check:
    """Measure how fast the CPU multiplies matrices and copies memory."""
    speed = session.measure_speed()
    return Check("speed", "ok", f"{speed.flops / 1e9:.0f} GFLOP/s float32, {speed.copied_bytes / 1e9:.0f} GB/s")


def check_step() -> Check:
    """Compare one training step on each device with the CPU's, and time the precisions."""
    steps = session.compare_steps()
    detail = "; ".join(_step_words(device, list(group)) for device, group in groupby(steps, lambda step: step.device))
    wrong = [step for step in steps if not _agrees(step)]
    if wrong:
        names = ", ".join(f"{step.device} in {step.precision}" for step in wrong)
        remedy = f"do not train on {names}: it computes something else than the CPU; update the driver and PyTorch"
        return Check("step", "warning", detail, remedy, steps)
    return Check("step", "ok", detail, steps=steps)


def _agrees(step: StepComparison) -> bool:
    limit = _MAX_DIFFERENCES[step.precision]
    return step.gradient_difference is not None and step.gradient_difference <= limit


def _step_words(device: str, steps: Sequence[StepComparison]) -> str:
    return f"{device}: {', '.join(map(_precision_words, steps))}"


def _precision_words(step: StepComparison) -> str:
    if step.seconds is None or step.gradient_difference is None:
        return f"{step.precision} failed ({step.problem})"
    difference = f" (gradient {step.gradient_difference:.1g} off)" if step.gradient_difference else ""
    return f"{step.precision} {step.seconds * 1e3:.3g} ms{difference}"


def check_kernel() -> Check:
    """Check the C extension, without which NumPy generates text, several times slower."""
    from tui_gpt.generation.kernel.library import OFF_VARIABLE, status

    is_used, detail = status()
    if is_used:
        return Check("kernel", "ok", f"text is generated in C, {detail}")
    off = detail.startswith("turned off")
    remedy = f"unset {OFF_VARIABLE}" if off else "install a C compiler, then tui-gpt again"
    return Check("kernel", "warning", f"text is generated by NumPy: {detail}", f"{remedy}, to generate faster")


def check_model() -> Check:
    """Check that the shipped model is unmodified."""
    from tui_gpt.storage.checkpoint import read_checkpoint

    folder: Path = paths.shipped_dir() / "pretrained"
    try:
        info = read_checkpoint(folder).info
    except TuiGptError as error:
        return Check("model", "warning", str(error), "install tui-gpt again; training works without it")
    shown = format_loss(info.val_loss, is_estimate=info.val_is_estimate)
    loss = "" if info.val_loss is None else f", validation loss {shown}"
    return Check("model", "ok", f"{info.config.preset}, step {info.step:,}{loss}")
