"""What a model writes, seen from a face: pieces of text, and the one thing that streams them.

A face never holds a model, only a `TextModel`; so the Generate tab, the command line and the tests' fakes need no
torch.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from tui_gpt.config import SampleConfig
from tui_gpt.control import Control

CHANGEABLE = ("temperature", "top_k", "top_p", "min_p", "max_new_tokens")
"""Settings that `Control.change` may change while text is being written."""

Changes = tuple[tuple[str, float], ...]
"""Settings and their new values."""


class Piece(NamedTuple):
    """One written (or read) character and what the model thought of it before it was chosen."""

    text: str
    logprob: float
    """Natural logarithm of the model's own probability of `text` (temperature 1, no filter)."""
    alternatives: tuple[tuple[str, float], ...] = ()
    """The ten likeliest characters with their probabilities, likeliest first; empty unless asked for."""
    changes: Changes = ()
    """What was changed just before this character was drawn."""


class TextModel(Protocol):
    """A trained model that is ready to write. One stream at a time."""

    @property
    def name(self) -> str:
        """Where it came from, e.g. `my-run@best`, `my-run@live` or `shipped`."""

    @property
    def step(self) -> int:
        """The training step its weights are from."""

    @property
    def val_loss(self) -> float | None:
        """Validation loss in nats per character, where it was measured."""

    @property
    def val_is_estimate(self) -> bool:
        """Whether that loss was measured on a smaller part than the loss of record is."""

    def unknown(self, text: str) -> str:
        """The distinct characters of `text` that the model never saw, in order; they are left out of a prompt."""

    def stream(
        self, prompt: str, config: SampleConfig, control: Control | None = None, *, details: bool = False
    ) -> Iterator[Piece]:
        """Write after `prompt`, a character a piece; `details` fills `alternatives`. Ends early when `control`
        stops, and takes on what it changes."""

    def stream_many(
        self, prompt: str, config: SampleConfig, count: int, control: Control | None = None
    ) -> Iterator[tuple[Piece, ...]]:
        """Write `count` answers to one prompt at once: each item holds the next piece of every answer.

        Answer k (from 0) is what `stream` writes with the seed plus k, however many there are.
        """

    def copied(self, text: str) -> float | None:
        """Return the share of the characters of `text` that lie in a piece of at least COPIED_LENGTH characters which
        stands, character for character, in the training text, as far as the n-gram prior has counted it.

        None where there is no prior, or the text is shorter than a piece. The first call takes a fraction of a second.
        """

    def score(self, text: str, *, details: bool = False) -> Iterable[Piece]:
        """How well the model predicts `text`: one piece a known character, the first without any context."""
