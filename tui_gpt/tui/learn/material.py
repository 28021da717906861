"""The text of the lesson, and what counting finds in it; every figure on the screens comes from here or from a model.

The first nine tenths are counted (and trained on), the last tenth is new to every count, as in a training run. Methods
and properties take up to a second on a megabyte: call them in a thread.
"""

import math
import threading
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from tui_gpt.config import DEFAULT_CORPUS
from tui_gpt.errors import CorpusError
from tui_gpt.generation.explanation import Explanation
from tui_gpt.generation.text_model import TextModel
from tui_gpt.prior.ngram import NgramPrior
from tui_gpt.prior.orders import validation_loss
from tui_gpt.prior.sizing import default_order
from tui_gpt.prior.trie import build_trie
from tui_gpt.session import SessionLike
from tui_gpt.storage.names import SHIPPED
from tui_gpt.text.corpora import CorpusText, require_file
from tui_gpt.text.dataset import Corpus
from tui_gpt.text.large.beginning import read_beginning
from tui_gpt.text.tokenizer import CharTokenizer

MOST_BYTES = 4 << 20
"""Bytes of a long text that the lesson reads."""
FEWEST_CHARACTERS = 1_000
"""A shorter text has too little to count."""
LONGEST_PIECE = 8
"""Characters of the longest pieces that are counted."""
MEASURED_CHARACTERS = 500
"""Characters of the passage on which the model is measured."""
_MEASURED_AT = 0.5

Shares = Sequence[tuple[str, float]]
"""Characters and their probabilities, the most likely first."""


class Pieces(NamedTuple):
    """How many pieces of one length the text has."""

    different: int
    """Distinct pieces in the counted part, read as a ring."""
    seen: float
    """Fraction of the pieces of the new part that the counted part has."""


class Material:
    """One text, and the model that comes with the program."""

    def __init__(self, session: SessionLike, source: str = DEFAULT_CORPUS) -> None:
        self.session = session
        self.source = source
        self._losses: dict[int, float] = {}
        self._explaining = threading.Lock()
        self._counting = threading.Lock()
        """Held while a loss is computed, so that no two threads compute the same one."""
        self.measured: tuple[float, float] | None = None
        """What `measure` has found."""

    @cached_property
    def text(self) -> CorpusText:
        """The text, or the beginning of a long one. Raises CorpusError where it cannot be read or is too short."""
        require_file(self.source)
        text, _ = read_beginning(self.source, MOST_BYTES)
        if len(text.text) < FEWEST_CHARACTERS:
            raise CorpusError(
                f"{text.name} has {len(text.text):,} characters, and the lesson needs {FEWEST_CHARACTERS:,}: "
                "choose a longer text"
            )
        return text

    @cached_property
    def corpus(self) -> Corpus:
        """The text as numbers, in two parts."""
        return Corpus.build(self.text, block_size=1)

    @cached_property
    def tokenizer(self) -> CharTokenizer:
        """The numbers of the characters."""
        return CharTokenizer(self.text.alphabet)

    @property
    def vocab_size(self) -> int:
        """The number of different characters."""
        return self.tokenizer.vocab_size

    @property
    def guess_loss(self) -> float:
        """The loss of equal probabilities, in nats per character."""
        return math.log(self.vocab_size)

    @cached_property
    def counted(self) -> str:
        """The part of the text that is counted and trained on."""
        return self.text.text[: len(self.corpus.train)]

    @cached_property
    def new(self) -> str:
        """The part that is not."""
        return self.text.text[len(self.corpus.train) :]

    @cached_property
    def frequencies(self) -> Mapping[str, int]:
        """How often each character occurs in the counted part, the most frequent first."""
        return dict(Counter(self.counted).most_common())

    @cached_property
    def pairs(self) -> Mapping[str, Mapping[str, int]]:
        """How often each character follows each other one."""
        table: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for (first, second), count in Counter(zip(self.counted, self.counted[1:], strict=False)).most_common():
            table[first][second] = count
        return table

    def after(self, character: str) -> Shares:
        """Return what follows a character, and how often."""
        followers = self.pairs.get(character, {})
        total = sum(followers.values())
        return [(follower, count / total) for follower, count in followers.items()]

    def loss(self, length: int) -> float:
        """Return the loss on the new part when pieces of `length` characters are counted, in nats per character."""
        with self._counting:
            if length not in self._losses:
                self._losses[length] = validation_loss(self.corpus, length)
            return self._losses[length]

    @property
    def known_losses(self) -> Mapping[int, float]:
        """The losses that have been computed, by length."""
        return dict(self._losses)

    @property
    def longest_counted(self) -> int:
        """The length of the longest pieces whose counts predict well."""
        return default_order(self.vocab_size)

    def prepare(self) -> None:
        """Compute what the first screens need, in the order in which they need it."""
        for length in (1, 2):
            self.loss(length)
        _ = self.pairs, self.pieces
        for length in range(3, self.longest_counted + 1):
            self.loss(length)
        self.measure()

    @cached_property
    def pieces(self) -> Sequence[Pieces]:
        """Figures of the pieces of 1, 2, … LONGEST_PIECE characters."""
        trie = build_trie(self.corpus.train.astype("int64"), self.vocab_size, LONGEST_PIECE + 1)
        found = trie.contexts(self.corpus.val[None, :].astype("int64"))
        return [
            Pieces(len(trie.symbols[length]), float((found[length][:, length - 1 :] >= 0).mean()))
            for length in range(1, trie.order)
        ]

    def longest_known_end(self, text: str) -> str:
        """Return the longest end of a text that occurs in the counted part before its last character."""
        for length in range(min(len(text), 60), 0, -1):
            if 0 <= self.counted.find(text[-length:]) < len(self.counted) - length:
                return text[-length:]
        return ""

    def followers(self, context: str) -> Counter[str]:
        """Return which characters follow a piece in the counted part, and how often."""
        found: Counter[str] = Counter()
        at = self.counted.find(context)
        while 0 <= at < len(self.counted) - len(context):
            found[self.counted[at + len(context)]] += 1
            at = self.counted.find(context, at + 1)
        return found

    @cached_property
    def prior(self) -> NgramPrior:
        """Counts of pieces of several lengths, which know what to do when a long one is new."""
        return NgramPrior.fit(self.corpus.train, self.vocab_size)

    @cached_property
    def model(self) -> TextModel:
        """The model that comes with the program. Raises TuiGptError."""
        return self.session.open_model(SHIPPED)

    def explain(self, text: str) -> Explanation:
        """Return how the model predicts what comes after a text; one thread at a time. Raises TuiGptError."""
        with self._explaining:
            return self.model.explain(text)

    def measure(self) -> tuple[float, float]:
        """Return the losses of the model and of counts on one passage of the new part, in nats per character.

        A character that the model does not know has the loss of a guess. Raises TuiGptError.
        """
        if self.measured is None:
            passage = self.passage(_MEASURED_AT, MEASURED_CHARACTERS)
            pieces = list(self.model.score(passage))
            tokens = self.tokenizer.lookup(passage)[None, :].astype("int64")
            unknown = len(passage) - sum(len(piece.text) for piece in pieces)
            by_model = unknown * self.guess_loss - sum(piece.logprob for piece in pieces)
            self.measured = by_model / len(passage), float(self.prior.losses(tokens[:, :-1], tokens[:, 1:]).mean())
        return self.measured

    def passage(self, at: float, length: int) -> str:
        """Return `length` characters of the new part, from the line that begins after the fraction `at` of it."""
        start = int(at * max(0, len(self.new) - length))
        line = self.new.find("\n", start) + 1
        start = line if 0 < line <= len(self.new) - length else start
        return self.new[start : start + length]
