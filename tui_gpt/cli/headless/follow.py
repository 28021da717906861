"""A rank other than 0 of a headless training: it computes, and writes only errors, on stderr."""

import signal
from collections import deque
from collections.abc import Callable, Iterator

from tui_gpt.cli.signals import StopOnSignals
from tui_gpt.control import Control
from tui_gpt.errors import EXIT_DONE, RankLostError
from tui_gpt.ranks import Ranks

Follow = Callable[[Ranks, Control], Iterator[int]]


def follow(orders: Follow, ranks: Ranks) -> int:
    """Obey the orders of rank 0 until it ends, and return the exit code. Raises TuiGptError.

    A signal is passed on to rank 0, which decides. Before all ranks have joined it ends the process, also while that
    waits inside PyTorch, which Python's own handler of SIGINT would not.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    control = Control()
    obeyed = orders(ranks, control)
    code = next(obeyed, EXIT_DONE)
    with StopOnSignals(control) as signals:
        try:
            codes = deque(obeyed, maxlen=1)
        except RankLostError:
            if signals.exit_code is None:
                raise
            return signals.exit_code
    return signals.exit_code or (codes[0] if codes else code)
