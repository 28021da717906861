"""A text composed by hand, one token after the other, with the model's probability of each: no widgets."""

import math
from collections.abc import Sequence

from tui_gpt.config import SampleConfig
from tui_gpt.generation.branches import Branch, TokenPath, joined, spread_logprobs, without_part
from tui_gpt.generation.continuations import drawn
from tui_gpt.generation.steering.vocabulary import PermittedCharacters
from tui_gpt.text.any_bytes import bytes_of, text_of

MAX_KEPT = 32
"""Predictions that are kept, so that taking back shows the earlier one at once."""


class Composition:
    """What was chosen so far, and what may follow. Typed characters wait until the model has predicted them."""

    def __init__(self) -> None:
        self._chosen: list[Branch] = []
        self._predictions: dict[TokenPath, Sequence[Branch]] = {}
        self._typed = ""
        """Characters typed that are not chosen yet."""
        self.unknown = ""
        """The newest typed character that the model does not know."""
        self.preview: Sequence[Branch] = ()
        """The most likely continuation of what was chosen."""

    @property
    def path(self) -> TokenPath:
        """The tokens that were chosen."""
        return self._chosen[-1].path if self._chosen else ()

    @property
    def text(self) -> str:
        """The text of the tokens that were chosen; parts of a character at its end are lone surrogates."""
        return joined([branch.text for branch in self._chosen])

    @property
    def typed(self) -> str:
        """The characters that wait for a prediction."""
        return self._typed

    @property
    def bits(self) -> float:
        """The sum of the negative log-probabilities of what was chosen, in bits."""
        return max(0.0, -math.fsum(branch.logprob for branch in self._chosen) / math.log(2))

    @property
    def logprobs(self) -> tuple[float, ...]:
        """The log-probability of each character of `whole_text`."""
        known = spread_logprobs([(branch.text, branch.logprob) for branch in self._chosen])
        length = len(self.whole_text)
        return known if len(known) == length else (math.nan,) * length

    @property
    def whole_text(self) -> str:
        """The text without an unfinished character at its end."""
        return without_part(self.text)

    @property
    def preview_text(self) -> str:
        """What the preview adds to the text, from the unfinished character at its end on."""
        whole = joined([branch.text for branch in (*self._chosen, *self.preview)])
        return without_part(whole)[len(self.whole_text) :] if self.preview else ""

    @property
    def alternatives(self) -> Sequence[Branch] | None:
        """What may follow, the most likely first; None while it is being predicted."""
        return self._predictions.get(self.path)

    def predict(self, path: TokenPath, branches: Sequence[Branch]) -> None:
        """Note what may follow `path`, and choose what was typed."""
        self._predictions[path] = branches
        while len(self._predictions) > MAX_KEPT:
            del self._predictions[next(iter(self._predictions))]
        self._choose_typed()

    def set_preview(self, path: TokenPath, branches: Sequence[Branch]) -> None:
        """Note the most likely continuation of `path`."""
        if path == self.path and not self._typed:
            self.preview = branches

    def choose(self, branch: Branch) -> None:
        """Choose a token, one of `alternatives`."""
        self.preview = self.preview[1:] if self.preview and self.preview[0].path[-1:] == branch.path[-1:] else ()
        self._chosen.append(branch._replace(path=(*self.path, branch.path[-1])))

    def type(self, text: str) -> None:
        """Choose these characters, now or when they have been predicted."""
        self._typed += text
        self._choose_typed()

    def draw(self, config: SampleConfig, uniform: float) -> bool:
        """Let the model choose a token of permitted characters with its settings and a number in [0, 1); return False
        if there is none, or no prediction."""
        characters = PermittedCharacters.of(config)
        permitted = [one for one in self.alternatives or () if all(char in characters for char in one.text)]
        if not permitted or self._typed:
            return False
        self.choose(drawn(permitted, config, uniform))
        return True

    def take_preview(self, whole: bool) -> bool:
        """Choose the next word of the preview, or all of it; return whether there is one."""
        taken = list(self.preview) if whole else _first_word(self.preview)
        for branch in taken:
            self.choose(branch)
        return bool(taken)

    def take_back(self) -> None:
        """Remove the last typed character, or the tokens of the last character chosen."""
        self.preview = ()
        if self._typed:
            self._typed = self._typed[:-1]
        elif self._chosen:
            parts = self._chosen.pop().text
            while self._chosen and bytes_of(parts)[0] & 0xC0 == 0x80:
                parts = self._chosen.pop().text + parts

    def _choose_typed(self) -> None:
        while self._typed and (alternatives := self.alternatives) is not None:
            branch = _matching(alternatives, self._typed)
            if branch is None:
                self.unknown = self._typed[0]
                self._typed = self._typed[1:]
            else:
                self.choose(branch)
                rest = bytes_of(self._typed)[len(bytes_of(branch.text)) :]
                self._typed = text_of(rest)


def _matching(alternatives: Sequence[Branch], typed: str) -> Branch | None:
    """Return the longest token that begins the first character typed or is it, else the first byte of it."""
    first = bytes_of(typed[0])
    found = [branch for branch in alternatives if branch.text and first.startswith(bytes_of(branch.text))]
    return max(found, key=lambda branch: len(bytes_of(branch.text)), default=None)


def _first_word(preview: Sequence[Branch]) -> list[Branch]:
    """Return the tokens up to the end of the first word."""
    taken = list[Branch]()
    for branch in preview:
        if branch.text[:1].isspace() and "".join(one.text for one in taken).strip():
            break
        taken.append(branch)
    return taken
