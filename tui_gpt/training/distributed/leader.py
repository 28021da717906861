"""Rank 0 of several: it decides, gives orders and computes its own share.

While it is busy with something else than steps (set-up, evaluation, samples, a pause), a thread orders the others to
wait, once per second. So they can tell a rank 0 that is busy from one that is lost, their requests to stop arrive, and
a rank that is lost meanwhile is noticed.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from torch import Tensor

from tui_gpt.control import Control
from tui_gpt.errors import EXIT_DONE, EXIT_FAILED, RankLostError, StoppedError, TuiGptError
from tui_gpt.ranks import Ranks
from tui_gpt.training.batches import Batches
from tui_gpt.training.checkpoints.copies import Tensors
from tui_gpt.training.checkpoints.tensors import Checkpoint
from tui_gpt.training.compute.device import ComputeDevice
from tui_gpt.training.compute.interruption import StepAbortedError
from tui_gpt.training.compute.replicas import Replicas
from tui_gpt.training.distributed.gradients import SharedGradients
from tui_gpt.training.distributed.group import joined, rank_lost
from tui_gpt.training.distributed.orders import NO_STEP, Action, Link, Order, give
from tui_gpt.training.distributed.start import send_start, send_tensors
from tui_gpt.training.step_gradients import Step

BEAT_SECONDS = 1.0


class Leader:
    """Gives orders to the other ranks. One thread trains, and another one orders to wait."""

    def __init__(self, link: Link, control: Control) -> None:
        self._link = link
        self._control = control
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._lost: RankLostError | None = None
        self._thread = threading.Thread(target=self._beat, name="rank-0", daemon=True)

    def begin(self) -> None:
        """From now on, order the other ranks to wait whenever no other order is given."""
        self._thread.start()

    def end(self, exit_code: int) -> None:
        """Order the other ranks to end with that exit code, if they are still there."""
        self._stopped.set()
        self._thread.join()
        with suppress(RankLostError), self.order(Action.END, exit_code=exit_code):
            pass

    def _beat(self) -> None:
        while not self._stopped.wait(BEAT_SECONDS) and self._lost is None:
            with suppress(RankLostError), self.order(Action.WAIT):
                pass

    @contextmanager
    def order(self, action: Action, step: Step | None = None, exit_code: int = EXIT_DONE) -> Iterator[None]:
        """Give an order, and no other one within the block. Raises RankLostError, also if a rank was lost before.

        If another rank was asked to stop, so is the run. A lost rank stops it as well: a pause or an evaluation ends.
        """
        with self._lock:
            self.require_ranks()
            try:
                if give(self._link, Order(action, step or NO_STEP, exit_code)):
                    self._control.stop()
                yield
            except RankLostError as error:
                self._lost = error
                self._control.stop()
                raise
            except StepAbortedError:
                raise
            except BaseException:  # the others wait for this rank's part, and would take an order for it
                self._lost = rank_lost("this process failed")
                raise

    def require_ranks(self) -> None:
        """Raise RankLostError if another rank was lost."""
        if self._lost is not None:
            raise self._lost

    def start(
        self, name: str, checkpoint: Checkpoint, replicas: Replicas, batches: Batches, compute: ComputeDevice
    ) -> "LeaderGradients":
        """Send the run's name and state to the other ranks; return what computes gradients with them.

        Raises RankLostError.
        """
        self._control.report("starting the other processes")
        with self.order(Action.TAKE_STATE):
            send_start(self._link, name, checkpoint)
            shared = SharedGradients(replicas, batches, compute.device, compute.ranks.world)
        return LeaderGradients(self, self._link, shared, self._control)


class LeaderGradients:
    """The `StepGradients` of rank 0."""

    def __init__(self, leader: Leader, link: Link, shared: SharedGradients, control: Control) -> None:
        self._leader = leader
        self._link = link
        self._shared = shared
        self._control = control

    def accumulate(self, step: Step) -> Tensor:
        """See `StepGradients`."""
        with self._leader.order(Action.STEP, step):
            return self._shared.accumulate(step.number, self._stop_is_agreed)

    def _stop_is_agreed(self) -> bool:
        """Return whether any rank was asked to stop."""
        is_agreed = self._link.add_up([float(self._control.stop_requested)])[0] > 0
        if is_agreed:
            self._control.stop()
        return is_agreed

    def replace_state(self, weights: Tensors, training: Tensors) -> None:
        """See `StepGradients`."""
        with self._leader.order(Action.TAKE_STATE):
            send_tensors(self._link, weights, training)

    def require_ranks(self) -> None:
        """See `StepGradients`."""
        self._leader.require_ranks()

    def close(self) -> None:
        """There is nothing to end."""


@contextmanager
def leading(ranks: Ranks, control: Control) -> Iterator[Leader | None]:
    """Within the block, lead the other ranks, which then end with the same exit code; None where there are none.

    Raises RankLostError.
    """
    if not ranks.are_several:
        yield None
        return
    others = ranks.world - 1
    control.report(f"waiting for {others} other {'process' if others == 1 else 'processes'}")
    with joined(ranks) as link:
        leader, code = Leader(link, control), EXIT_FAILED
        leader.begin()
        try:
            yield leader
            code = EXIT_DONE
        except StoppedError:
            leader.require_ranks()
            code = EXIT_DONE
            raise
        except GeneratorExit:
            code = EXIT_DONE
            raise
        except TuiGptError as error:
            code = error.exit_code
            raise
        finally:
            leader.end(code)
