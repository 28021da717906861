"""The interface of a model that generates text, and the pieces it yields.

The app and the command line hold a `TextModel` and never a model itself, so the tests can replace it with a fake.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tui_gpt.config import SampleConfig
from tui_gpt.control import Control
from tui_gpt.generation.branches import Level, TokenPath, TreeShape
from tui_gpt.generation.steering.endings import EndReason

if TYPE_CHECKING:
    from tui_gpt.generation.explanation import Explanation

CHANGEABLE = ("temperature", "top_k", "top_p", "min_p", "max_new_tokens")
"""Settings that `Control.change` may change during generation."""

Changes = tuple[tuple[str, float], ...]
"""Settings and their new values."""


class Piece(NamedTuple):
    """One generated (or scored) token, and the probabilities that the model gave it and its alternatives.

    A token is a character, unless the model has another tokenizer.
    """

    text: str
    """The characters that the token completes; "" for one that ends within a character."""
    logprob: float
    """Natural logarithm of the model's own probability of the token (temperature 1, no filter)."""
    alternatives: tuple[tuple[str, float], ...] = ()
    """The ten most likely tokens with their probabilities, most likely first; empty unless requested. A byte that is
    only a part of a character is a lone surrogate, see `escaping.spell_bytes`."""
    changes: Changes = ()
    """Settings that changed just before this token was drawn."""
    end: EndReason | None = None
    """On a last piece without a token: why the text ended before its length limit."""


NO_PIECE = Piece("", 0.0)
"""What one of several texts has beside a piece of another one, while it has none."""


def without(text: str, unknown: str) -> str:
    """Return a text without these characters, see `TextModel.unknown`."""
    return text.translate(dict.fromkeys(map(ord, unknown)))


class CharacterLogprobs:
    """Distributes the log-probabilities of the tokens of one text to its characters.

    A character gets those of all tokens that it ended, or an equal part of its token's, so their sum stays the same.
    """

    def __init__(self) -> None:
        self._pending = 0.0

    def take(self, piece: Piece) -> tuple[float, ...]:
        """Return the log-probability of each character of the next piece."""
        self._pending += piece.logprob
        if not piece.text:
            return ()
        each, self._pending = self._pending / len(piece.text), 0.0
        return (each,) * len(piece.text)


class TextModel(Protocol):
    """A trained model that is ready to generate, one stream at a time."""

    @property
    def name(self) -> str:
        """Where it came from, e.g. `my-run@best`, `my-run@live` or `shipped`."""

    @property
    def step(self) -> int:
        """The training step its weights are from."""

    @property
    def val_loss(self) -> float | None:
        """Validation loss in nats per token; None if it was not measured."""

    @property
    def val_is_estimate(self) -> bool:
        """Whether that loss was measured on a smaller part of the text than the loss of record."""

    def unknown(self, text: str) -> str:
        """Return the distinct characters of `text` that are not in the alphabet, in order; prompts are used without."""

    def stream(
        self, prompt: str, config: SampleConfig, control: Control | None = None, *, details: bool = False
    ) -> Iterator[Piece]:
        """Yield the continuation of `prompt`, one piece per token; `details` fills `alternatives`.

        Ends early when `control` stops, and applies its changes to the settings. If a stop condition or a constraint
        ends the text, the last piece has no text but the reason, `end`. What may be the beginning of a stop string is
        held back until it is known. Raises ConfigError for a regular expression that is invalid or too slow, and if the
        constraints leave none of the model's characters.
        """

    def stream_many(
        self, prompt: str, config: SampleConfig, count: int, control: Control | None = None
    ) -> Iterator[tuple[Piece, ...]]:
        """Generate `count` answers to one prompt at once; each item holds the next piece of every answer.

        An answer that has ended, or whose next piece is held back, has NO_PIECE.

        Answer k (from 0) is what `stream` generates with the seed plus k, whatever `count` is.
        """

    def continuations(
        self, prompt: str, shape: TreeShape, control: Control | None = None, *, path: TokenPath = ()
    ) -> Iterator[Level]:
        """Yield the most likely continuations of `prompt` and the tokens `path`, by length, from one token on.

        Their probabilities are the model's own (temperature 1, no filter). Ends early when `control` stops.
        """

    def copied(self, text: str) -> float | None:
        """Return the fraction of the characters of `text` that are copied: part of a passage of at least COPIED_LENGTH
        characters that occurs verbatim in the training text, or in the part of it that the n-gram prior counted.

        None without a prior, or if the text is shorter than COPIED_LENGTH. The first call takes a fraction of a second.
        """

    def score(self, text: str, *, after: str = "", details: bool = False) -> Iterable[Piece]:
        """Yield one piece per token of the known characters of `text`, with its log-probability after the prompt
        `after`; an empty one is treated as a line break."""

    def score_adapting(self, text: str) -> Iterable[tuple[Piece, float]]:
        """Yield the pieces of `score`, each with the log-probability of its token by a prediction that learns from the
        tokens before it, see docs/adaptation.md. The first piece takes some seconds; the model stays as it is."""

    def adapted(self, text: str, control: Control | None = None) -> "TextModel":
        """Return a model that has learned from `text`, in seconds; this one stays as it is. Raises StoppedError.

        Its `explain`, `nearest` and `continuations` are those of this one.
        """

    def explain(self, text: str) -> "Explanation":
        """Return how the token after `text` is predicted: what `stream` draws from, and what each part contributes.

        Texts that begin alike are explained quickly one after the other, in about the time of one token.
        """

    def nearest(self, token: str, count: int = 10) -> tuple[tuple[str, float], ...]:
        """Return the tokens whose embeddings are the most similar to that of `token`, with the cosine between them.

        Of an ensemble the mean of the networks' cosines counts. Empty for a text that is not a token.
        """
