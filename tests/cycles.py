"""Disturb a run of several ranks: kill, freeze or signal a rank, cut its network off; check what is promised then.

    python -m tests.cycles FOLDER KIND ...     one cycle of each kind; prints as JSON what was not as promised of each

Whatever happens, the run ends or is resumed as if nothing had, with the validation loss of a run in one process.
"""

import json
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tests.ranks import ForkedRanks, TwoHosts, load

TEXT = "the quick brown fox jumps over the lazy dog and runs back to the river bank\n" * 40
STEPS = 80
SETTINGS = (
    "--headless --json --preset nano --n-layer 1 --n-embd 32 --n-head 2 --block-size 32 --batch-size 4 --threads 1 "
    f"--max-iters {STEPS} --gradient-accumulation 2 --log-interval 1 --eval-interval 100000 --autosave-seconds 1"
).split()
TIMEOUT_SECONDS = 30.0
MAX_LOSS_DIFFERENCE = 1e-5
_PATIENCE_SECONDS = 240.0


class BrokenPromiseError(Exception):
    """Something was not as promised; the message describes it."""


def require(condition: bool, sentence: str) -> None:
    if not condition:
        raise BrokenPromiseError(sentence)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition. Raises BrokenPromiseError after minutes."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        require(time.monotonic() < deadline, f"waited too long for {what}")
        time.sleep(0.01)


class Output(Protocol):
    """Processes whose output is kept."""

    def output(self, rank: int, name: str = "err") -> str:
        """Return what a rank has written to `out` or `err`."""


def events(ranks: Output, kind: str) -> list[dict[str, Any]]:
    """Return the events of that type that rank 0 has written."""
    lines = ranks.output(0, "out").splitlines()
    records: list[dict[str, Any]] = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
    return [record for record in records if record["type"] == kind]


@dataclass
class Cycles:
    """Runs of a tiny model in one folder, which must be the home of the program as well."""

    folder: Path
    random: random.Random
    expected_loss: float = 0.0
    """Validation loss of the run that nothing disturbs, in one process."""
    trace: list[float] = field(default_factory=list)
    """Its training loss at every step."""
    timings: dict[str, list[float]] = field(default_factory=dict)
    """Seconds from each disturbance to the end of every rank, by kind."""
    _count: int = 0

    def prepare(self) -> None:
        """Write the text, and train the run that nothing disturbs."""
        (self.folder / "fox.txt").write_text(TEXT)
        alone = self._ranks(self._next("alone"), world=1)
        alone.start()
        require(alone.wait() == [0], f"the run in one process failed: {alone.output(0)}")
        self.expected_loss = events(alone, "evaluated")[-1]["val_loss"]
        self.trace = [event["loss"] for event in events(alone, "progress")]

    def run(self, kind: str) -> str:
        """Disturb a run in that way; return what was not as promised, or ""."""
        name = self._next(kind)
        kinds = {
            "none": self._compare,
            "kill": self._kill,
            "freeze": self._freeze,
            "cut-off": self._cut_off,
            "signal": self._signal,
        }
        try:
            kinds[kind](name)
        except BrokenPromiseError as error:
            return f"{name}: {error}"
        return ""

    def _next(self, kind: str) -> str:
        self._count += 1
        return f"{kind}-{self._count}"

    def _ranks(
        self, name: str, world: int = 2, *, resume: bool = False, hosts: TwoHosts | None = None, restarts: int = 0
    ) -> ForkedRanks:
        folder = self.folder / f"{name}-{'resumed' if resume else restarts}"
        folder.mkdir(exist_ok=True)
        which = ["--resume", name] if resume else ["--name", name]
        arguments = ["train", *([] if resume else [str(self.folder / "fox.txt")]), *which, *SETTINGS]
        variables = {"TORCHELASTIC_RUN_ID": name, "TUI_GPT_RANK_TIMEOUT": str(TIMEOUT_SECONDS)}
        return ForkedRanks(folder, arguments, world, variables, restarts, hosts)

    def _started(self, name: str, hosts: TwoHosts | None = None) -> ForkedRanks:
        """Start a run, and return at a random moment after its first steps."""
        ranks = self._ranks(name, hosts=hosts)
        ranks.start()
        at = self.random.randrange(2, STEPS // 2)
        wait_until(lambda: len(events(ranks, "progress")) >= at or "error:" in ranks.output(0), f"step {at}")
        require("error:" not in ranks.output(0), f"it ended before the disturbance: {ranks.output(0)}")
        return ranks

    def _compare(self, name: str) -> None:
        """Train undisturbed with two and with four ranks: every loss is that of one process."""
        for world in (2, 4):
            ranks = self._ranks(f"{name}-{world}", world)
            ranks.start()
            require(ranks.wait() == [0] * world, f"{world} ranks failed: {ranks.output(0)}")
            losses = [event["loss"] for event in events(ranks, "progress")]
            difference = max(abs(one - other) for one, other in zip(losses, self.trace, strict=True))
            require(difference <= MAX_LOSS_DIFFERENCE, f"a loss of {world} ranks is {difference:.1e} off")
            require(ranks.output(1) == ranks.output(1, "out") == "", f"rank 1 has written: {ranks.output(1)}")

    def _kill(self, name: str) -> None:
        """SIGKILL one rank; what torchrun does then resumes the run."""
        ranks = self._started(name)
        began = time.monotonic()
        ranks.signal(self.random.randrange(2), signal.SIGKILL)
        require(not ranks.wait_as_torchrun(), "the ranks ended well although one was killed")
        self._note("kill", began)
        again = self._ranks(name, restarts=1)
        again.start()
        require(again.wait() == [0, 0], f"the restarted run failed: {again.output(0)}")
        self._require_same_end(again)

    def _freeze(self, name: str) -> None:
        """Freeze rank 1, as a machine that hangs."""
        ranks = self._started(name)
        began = time.monotonic()
        ranks.signal(1, signal.SIGSTOP)
        wait_until(lambda: "error:" in ranks.output(0), "the end of rank 0")
        self._note("freeze", began)
        ranks.signal(1, signal.SIGKILL)
        require(ranks.wait() == [1, -9], "rank 0 did not fail")
        self._require_kept(ranks, name)
        self._require_resumed(name, world=1)

    def _cut_off(self, name: str) -> None:
        """Cut the network of rank 1 off, and resume when it is back."""
        with TwoHosts() as hosts:
            ranks = self._started(name, hosts)
            began = time.monotonic()
            hosts.cut()
            codes = ranks.wait()
            self._note("cut-off", began)
            require(codes == [1, 1], f"the exit codes are {codes}")
            self._require_kept(ranks, name)
            require(self._errors(ranks, 1) == 1, f"rank 1 does not say in one line why: {ranks.output(1)}")
            require(ranks.output(1, "out") == "", "rank 1 has written to stdout")
            hosts.connect()
            self._require_resumed(name, hosts=hosts)

    def _signal(self, name: str) -> None:
        """SIGTERM one rank, which stops all of them; resume in one process."""
        ranks, asked = self._started(name), self.random.randrange(2)
        began = time.monotonic()
        ranks.signal(asked, signal.SIGTERM)
        codes = ranks.wait()
        self._note("signal", began)
        require(codes == [143 if rank == asked else 0 for rank in range(2)], f"the exit codes are {codes}")
        require(events(ranks, "finished")[-1]["reason"] == "stopped", "the run was not stopped")
        self._require_resumed(name, world=1)

    def _require_kept(self, ranks: ForkedRanks, name: str) -> None:
        """Rank 0 says in one line why it ended, and has saved the step that it had reached."""
        from tui_gpt.storage.manifest import read_info
        from tui_gpt.storage.runs import RunStore

        require(self._errors(ranks, 0) == 1, f"rank 0 does not say in one line why: {ranks.output(0)}")
        reached = events(ranks, "progress")[-1]["step"]
        saved = read_info(RunStore().get(name).require_checkpoint("last")).step
        require(saved >= reached, f"step {reached} was reached, and {saved} is saved")

    def _require_resumed(self, name: str, world: int = 2, hosts: TwoHosts | None = None) -> None:
        again = self._ranks(name, world, resume=True, hosts=hosts)
        again.start()
        codes = again.wait()
        require(codes == [0] * world, f"resuming failed: {again.output(0)}")
        self._require_same_end(again)

    def _require_same_end(self, ranks: Output) -> None:
        finished, loss = events(ranks, "finished")[-1], events(ranks, "evaluated")[-1]["val_loss"]
        require((finished["step"], finished["reason"]) == (STEPS, "completed"), f"it ended otherwise: {finished}")
        difference = abs(loss - self.expected_loss)
        require(difference <= MAX_LOSS_DIFFERENCE, f"the loss is {difference:.1e} off")

    @staticmethod
    def _errors(ranks: Output, rank: int) -> int:
        return sum(line.startswith("error: another process of this run") for line in ranks.output(rank).splitlines())

    def _note(self, kind: str, began: float) -> None:
        self.timings.setdefault(kind, []).append(time.monotonic() - began)


def main() -> int:
    """Run one cycle of each kind."""
    folder, *kinds = sys.argv[1:]
    load()
    cycles = Cycles(Path(folder), random.Random(1))
    cycles.prepare()
    print(json.dumps({kind: cycles.run(kind) for kind in kinds}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
