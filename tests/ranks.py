"""The processes of one run without torchrun: forks of a process that has imported PyTorch, which takes seconds.

    python -m tests.ranks FOLDER WORLD ARGUMENT ...   train with WORLD ranks by `tui-gpt ARGUMENT ...`

Each rank gets the environment that torchrun would give it; its output is in FOLDER, `0.out` and `0.err` of rank 0.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1


def free_port() -> int:
    """Return a port that no process uses."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def environment_of(rank: int, world: int, port: int, *, host: str = "127.0.0.1", restarts: int = 0) -> dict[str, str]:
    """Return the variables that torchrun would set."""
    return {
        "RANK": str(rank), "WORLD_SIZE": str(world), "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": str(world),
        "MASTER_ADDR": host, "MASTER_PORT": str(port), "TORCHELASTIC_RESTART_COUNT": str(restarts),
        "TORCHELASTIC_RUN_ID": "test", "OMP_NUM_THREADS": "1",
    }  # fmt: skip


def load() -> None:
    """Import what every rank needs, but compute nothing: a fork after that could wait for threads that it lacks."""

    import tui_gpt.session
    import tui_gpt.training.distributed.follower
    import tui_gpt.training.setup.resume  # noqa: F401  # all for their own sake


@dataclass
class ForkedRanks:
    """The ranks of one run, each a fork of this process."""

    folder: Path
    """Where the output goes."""
    arguments: Sequence[str]
    """The command line."""
    world: int = 2
    variables: Mapping[str, str] = field(default_factory=dict)
    restarts: int = 0
    hosts: "TwoHosts | None" = None
    """Where rank 0 and the others run, if not on this machine itself."""
    processes: list[int] = field(default_factory=list)

    def start(self) -> None:
        """Start every rank."""
        port, host = (29_500, self.hosts.address) if self.hosts else (free_port(), "127.0.0.1")
        for rank in range(self.world):
            own = environment_of(rank, self.world, port, host=host, restarts=self.restarts)
            process = os.fork()
            if process == 0:
                self._be(rank, own | dict(self.variables))
            self.processes.append(process)

    def _be(self, rank: int, environment: Mapping[str, str]) -> None:
        """Run the command and exit, as one rank."""
        code = 70
        try:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            os.environ.update(environment)
            if self.hosts is not None:
                self.hosts.enter(rank)
            for number, name in ((1, "out"), (2, "err")):
                flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND
                os.dup2(os.open(self.folder / f"{rank}.{name}", flags), number)
            from tui_gpt.cli.main import run

            code = run(self.arguments, time.monotonic())
            sys.stdout.flush()
        finally:
            os._exit(code)

    def signal(self, rank: int, number: signal.Signals) -> None:
        """Send a signal to a rank that has not been waited for."""
        os.kill(self.processes[rank], number)

    def wait(self) -> list[int]:
        """Return the exit codes of all ranks; negative for a signal."""
        return [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in self.processes]

    def wait_as_torchrun(self) -> bool:
        """Wait for all ranks, and end the others once one has failed; return whether none has."""
        left, failed = set(self.processes), False
        while left:
            process, status = os.waitpid(-1, 0)
            left.discard(process)
            if status != 0 and not failed:
                failed = True
                for other in left:
                    os.kill(other, signal.SIGTERM)
        return not failed

    def output(self, rank: int, name: str = "err") -> str:
        """Return what a rank has written to `out` or `err` so far."""
        path = self.folder / f"{rank}.{name}"
        return path.read_text() if path.exists() else ""


class TwoHosts:
    """Two network namespaces, connected by a virtual cable; needs the rights of root and `ip`."""

    address = "10.77.0.1"
    """Of the host of rank 0."""

    def __init__(self) -> None:
        stem = f"tg{os.getpid() % 10_000}"
        self._names = [f"{stem}-0", f"{stem}-1"]
        self._cables = [f"{stem}v0", f"{stem}v1"]

    def __enter__(self) -> "TwoHosts":
        for name in self._names:
            _ip("netns", "add", name)
        _ip("link", "add", self._cables[0], "type", "veth", "peer", "name", self._cables[1])
        for number, (name, cable) in enumerate(zip(self._names, self._cables, strict=True), 1):
            _ip("link", "set", cable, "netns", name)
            _ip("-n", name, "addr", "add", f"10.77.0.{number}/24", "dev", cable)
            _ip("-n", name, "link", "set", "lo", "up")
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        for name in self._names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)

    @property
    def variables(self) -> list[dict[str, str]]:
        """For each host, the variable that names its network device to gloo."""
        return [{"GLOO_SOCKET_IFNAME": cable} for cable in self._cables]

    def command(self, number: int) -> list[str]:
        """Return what runs a command on a host."""
        return ["ip", "netns", "exec", self._names[number]]

    def enter(self, rank: int) -> None:
        """Move this process, which has one thread, to the host of a rank."""
        number = min(rank, 1)
        os.environ.update(self.variables[number])
        descriptor = os.open(f"/var/run/netns/{self._names[number]}", os.O_RDONLY)
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")

    def cut(self) -> None:
        """Pull the cable: packets vanish, and no connection is closed."""
        _ip("-n", self._names[1], "link", "set", self._cables[1], "down")

    def connect(self) -> None:
        """Plug the cable in."""
        for name, cable in zip(self._names, self._cables, strict=True):
            _ip("-n", name, "link", "set", cable, "up")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def hosts_problem() -> str:
    """Return why there cannot be two hosts; empty if there can."""
    try:
        with TwoHosts():
            return ""
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no network namespaces here: {error}"


def main() -> int:
    """Train with several ranks; return 0 if all of them did."""
    folder, world, *arguments = sys.argv[1:]
    load()
    ranks = ForkedRanks(Path(folder), arguments, int(world))
    ranks.start()
    return max(map(abs, ranks.wait()))


if __name__ == "__main__":
    sys.exit(main())
