"""From one sample of a run to the next, without a widget."""

from collections.abc import Sequence

from tui_gpt.events import Sampled


def sample_step(samples: Sequence[Sampled], cursor: float | None, moves: int) -> float | None:
    """Return the step of the sample `moves` places after the one at a step; the first or the last one beyond the ends.

    A `cursor` of None is the newest sample. None is returned if there are no samples.
    """
    if not samples:
        return None
    shown = len(samples) - 1
    if cursor is not None:
        shown = max(0, sum(sample.step <= cursor for sample in samples) - 1)
    return float(samples[min(max(0, shown + moves), len(samples) - 1)].step)
