"""What there is to know about runs and texts without training: summaries, logs, and the losses of n-gram models."""

from collections.abc import Iterator
from pathlib import Path

from tui_gpt.api.model import place_of
from tui_gpt.config import DEFAULT_CORPUS
from tui_gpt.events import Event
from tui_gpt.storage.runs import Run, RunStore, RunSummary


def runs() -> list[RunSummary]:
    """Return a summary of every run, newest first: its name, state, step, best validation loss and more."""
    return RunStore().list()


def read_log(run: str | Path) -> list[Event]:
    """Return all events of a run so far, given by name or folder, also of one that is being trained elsewhere.

    Raises NotFoundError.
    """
    return list(find_run(run).events())


def ngram_losses(corpus: str | Path = DEFAULT_CORPUS) -> Iterator[tuple[int, float]]:
    """Yield the order of an n-gram model, from 1 on, and its validation loss on a text in nats per character.

    The models are interpolated modified Kneser-Ney models (Chen and Goodman 1998) of characters. Of a long text a part
    is counted and a part predicted. Raises CorpusError.
    """
    from tui_gpt.prior.orders import losses_by_order
    from tui_gpt.text.dataset import Corpus
    from tui_gpt.text.report import inspect

    _, text = inspect(str(corpus))
    return losses_by_order(Corpus.build(text, 1))


def find_run(run: str | Path) -> Run:
    """Return a run by its name or its folder. Raises NotFoundError."""
    place = place_of(run)
    return RunStore().open_at(place) if isinstance(place, Path) else RunStore().get(place)
