"""Run the program and hold it in a phase, for a signal: `python -m tests.cli.phases PHASE FOLDER COMMAND...`

In that phase the file `reached` appears in FOLDER, and the program continues when there is a file `go`, or after a
minute, with a file `forgotten`. The phases are the import of torch, a step, an evaluation, a save (in its own thread),
and a pause. Nothing else is changed. The phase `failure` is different: the app raises an error and does not wait.
"""

import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

PHASES = ("import", "step", "evaluation", "save", "pause")
FAILURE = "failure"
STEP = 5
"""The step of which a phase is held."""


class Gate:
    """Holds the program once."""

    def __init__(self, folder: Path) -> None:
        self._reached, self._go, self._forgotten = (folder / name for name in ("reached", "go", "forgotten"))

    def hold(self) -> None:
        """Announce that the phase is reached, and wait; only the first time."""
        if self._reached.exists():
            return
        self._reached.touch()
        until = time.monotonic() + 60
        while not self._go.exists() and time.monotonic() < until:
            time.sleep(0.01)
        if not self._go.exists():
            self._forgotten.touch()


class _TorchWatcher(MetaPathFinder):
    """Finds torch, and holds the thread that imports it; the lock of the search is needed by other threads, too."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname) if fullname == "torch" else None
        if spec is not None:
            loader: Any = spec.loader
            loader.exec_module = _held_before(self._gate, loader.exec_module, lambda _module: True)
        return spec


def _held_before(gate: Gate, function: Callable[..., Any], when: Callable[..., bool]) -> Callable[..., Any]:
    def held(*arguments: Any, **options: Any) -> Any:
        if when(*arguments):
            gate.hold()
        return function(*arguments, **options)

    return held


def arm(phase: str, folder: Path) -> None:
    """Hold this process when it reaches that phase."""
    gate = Gate(folder)
    if phase == FAILURE:
        _break_the_app()
        return
    if phase == "import":
        sys.meta_path.insert(0, _TorchWatcher(gate))
        return
    from tui_gpt.control import Control

    names = ("trainer", "step_gradients", "evaluation.meter", "setup.prepared")
    modules: list[Any] = [import_module(f"tui_gpt.training.{name}") for name in names]
    trainer, gradients, meter, prepared = modules
    match phase:
        case "step":
            inner = gradients.LocalGradients.accumulate
            gradients.LocalGradients.accumulate = _held_before(gate, inner, lambda _self, step: step.number >= STEP)
        case "evaluation":
            meter.mean_loss = _held_before(gate, meter.mean_loss, lambda *_: True)
        case "save":
            write = prepared.write_checkpoint
            prepared.write_checkpoint = _held_before(gate, write, lambda _target, info, *_: info.step >= STEP)
        case "pause":
            _pause_at_a_step(gate, Control, trainer.Trainer)


def _break_the_app() -> None:
    screen: Any = import_module("tui_gpt.tui.app.main_screen")
    show = screen.MainScreen.show_status

    def broken(self: Any) -> None:
        if self.control.record is not None and self.control.record.step >= STEP:
            raise ZeroDivisionError("a bug")
        show(self)

    screen.MainScreen.show_status = broken


def _pause_at_a_step(gate: Gate, control: Any, trainer: Any) -> None:
    handle, wait = trainer._handle_requests, control.wait_while_paused

    def paused_once(self: Any) -> Iterator[Any]:
        if self._state.step == STEP:
            self._control.pause()
        return handle(self)  # type: ignore[no-any-return]

    def announced(self: Any) -> Iterator[None]:
        for _ in wait(self):
            gate.hold()
            yield

    trainer._handle_requests, control.wait_while_paused = paused_once, announced


if __name__ == "__main__":
    arm(sys.argv[1], Path(sys.argv[2]))
    sys.argv = ["tui-gpt", *sys.argv[3:]]
    from tui_gpt.cli.main import main

    main()
