"""The cycles of `tests/cycles.py` under torchrun itself, which starts, ends and restarts the ranks."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.cycles import SETTINGS, STEPS, Cycles, events, require, wait_until
from tests.ranks import TwoHosts, free_port

LAUNCHER = [sys.executable, "-m", "torch.distributed.run"]
RANK_TIMEOUT_SECONDS = 20.0


@dataclass
class Torchrun:
    """A run of two ranks: one torchrun that starts both, or one on each of two hosts."""

    folder: Path
    """Where the output goes: `0.out` and `0.err` of the first torchrun."""
    arguments: Sequence[str]
    """The command line of the program."""
    restarts: int = 0
    """How often torchrun may restart the ranks."""
    hosts: TwoHosts | None = None
    launchers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        """Start every torchrun."""
        count = 2 if self.hosts else 1
        address = self.hosts.address if self.hosts else "127.0.0.1"
        port = 29_500 if self.hosts else free_port()
        for number in range(count):
            options = [
                f"--nproc-per-node={2 // count}", f"--nnodes={count}", f"--node-rank={number}",
                f"--master-addr={address}", f"--master-port={port}", f"--max-restarts={self.restarts}",
            ]  # fmt: skip
            prefix = self.hosts.command(number) if self.hosts else []
            own = {"TUI_GPT_RANK_TIMEOUT": str(RANK_TIMEOUT_SECONDS), "OMP_NUM_THREADS": "1"}
            with (self.folder / f"{number}.out").open("ab") as out, (self.folder / f"{number}.err").open("ab") as err:
                launcher = subprocess.Popen(
                    [*prefix, *LAUNCHER, *options, "-m", "tui_gpt", *self.arguments],
                    env=os.environ | own | (self.hosts.variables[number] if self.hosts else {}),
                    stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                )  # fmt: skip
            self.launchers.append(launcher)

    def process_of(self, rank: int) -> int:
        """Return the process of a rank."""
        wanted = f"\0RANK={rank}\0".encode()
        for launcher in self.launchers:
            for child in Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split():
                if wanted in Path(f"/proc/{child}/environ").read_bytes():
                    return int(child)
        raise AssertionError(f"torchrun has no rank {rank}")

    def signal(self, rank: int, number: signal.Signals) -> None:
        """Send a signal to a rank."""
        os.kill(self.process_of(rank), number)

    def wait(self) -> list[int]:
        """Return the exit codes of all torchruns."""
        return [launcher.wait() for launcher in self.launchers]

    def output(self, number: int, name: str = "err") -> str:
        """Return what the ranks of a torchrun have written to `out` or `err` so far."""
        path = self.folder / f"{number}.{name}"
        return path.read_text(errors="replace") if path.exists() else ""


class TorchrunCycles(Cycles):
    """Runs that torchrun has started, disturbed in the same ways."""

    def _launched(
        self, name: str, *, restarts: int = 0, hosts: TwoHosts | None = None, resume: bool = False
    ) -> Torchrun:
        folder = self.folder / f"{name}{'-resumed' if resume else ''}"
        folder.mkdir()
        which = ["--resume", name] if resume else [str(self.folder / "fox.txt"), "--name", name]
        launched = Torchrun(folder, ["train", *which, *SETTINGS], restarts, hosts)
        launched.start()
        return launched

    def _disturbed_at(self, launched: Torchrun) -> float:
        """Wait for a random step, and return the time."""
        at = self.random.randrange(2, STEPS // 2)
        wait_until(lambda: len(events(launched, "progress")) >= at or "error:" in launched.output(0), f"step {at}")
        require("error:" not in launched.output(0), f"it ended before the disturbance: {launched.output(0)}")
        return time.monotonic()

    def _kill(self, name: str) -> None:
        """SIGKILL a rank; torchrun restarts both, and the run is resumed by itself."""
        launched = self._launched(name, restarts=1)
        began = self._disturbed_at(launched)
        launched.signal(self.random.randrange(2), signal.SIGKILL)
        self._require_restarted(launched, "kill", began)

    def _freeze(self, name: str) -> None:
        """Freeze rank 1: rank 0 ends within the time-out, and torchrun restarts both."""
        launched = self._launched(name, restarts=1)
        began = self._disturbed_at(launched)
        launched.signal(1, signal.SIGSTOP)
        wait_until(lambda: self._errors(launched, 0) > 0, "the end of rank 0")
        require(time.monotonic() - began < 2 * RANK_TIMEOUT_SECONDS, "rank 0 did not end in time")
        self._require_restarted(launched, "freeze", began)

    def _signal(self, name: str) -> None:
        """SIGTERM torchrun, which stops all ranks; resume in one process."""
        launched = self._launched(name)
        began = self._disturbed_at(launched)
        launched.launchers[0].terminate()
        codes = launched.wait()
        self._note("signal", began)
        require(codes != [0], "torchrun ended as if nothing had happened")
        require(events(launched, "finished")[-1]["reason"] == "stopped", "the run was not stopped")
        self._require_resumed(name, world=1)

    def _cut_off(self, name: str) -> None:
        """Cut the second host off: both torchruns end, and both are started again when it is back."""
        with TwoHosts() as hosts:
            launched = self._launched(name, hosts=hosts)
            began = self._disturbed_at(launched)
            hosts.cut()
            codes = launched.wait()
            self._note("cut-off", began)
            require(0 not in codes, f"the exit codes are {codes}")
            require(time.monotonic() - began < 4 * RANK_TIMEOUT_SECONDS, "torchrun did not end in time")
            for number in range(2):
                require(
                    self._errors(launched, number) == 1, f"rank {number} gives no reason: {launched.output(number)}"
                )
            hosts.connect()
            again = self._launched(name, hosts=hosts, resume=True)
            require(again.wait() == [0, 0], f"resuming failed: {again.output(0)}")
            self._require_same_end(again)

    def _require_restarted(self, launched: Torchrun, kind: str, began: float) -> None:
        require(launched.wait() == [0], f"the restarted run failed: {launched.output(0)}")
        self._note(kind, began)
        starts = len(events(launched, "started"))
        require(starts == 2, f"the ranks started {starts} times")
        self._require_same_end(launched)
