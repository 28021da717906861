"""Choose the tokens of one text under constraints: permitted characters, a regular expression, a repetition penalty.

The order: repetition penalty, constraints, then temperature and filters as without constraints. So top_k and top_p
choose among the permitted tokens, and there is always one to draw while any is permitted.
"""

from collections import deque

import numpy as np

from tui_gpt.config import SampleConfig
from tui_gpt.errors import ConfigError
from tui_gpt.generation.sampling import Floats, choose, log_softmax, softmax
from tui_gpt.generation.steering.endings import EndReason
from tui_gpt.generation.steering.partial_characters import decoded, possible_code_points
from tui_gpt.generation.steering.pattern import Pattern
from tui_gpt.generation.steering.repetition import penalized
from tui_gpt.generation.steering.vocabulary import Mask, Vocabulary
from tui_gpt.generation.weights import Ints

NO_TOKEN = -1
"""In place of a token, after the end of a text."""
TAIL = 1e-4
"""The least likely tokens are not matched with the regular expression if they have, together, no more than this
fraction of the probability of those that match."""
_TRIED_CODE_POINTS = 64
"""About this many characters are tried of those that the first byte or two of one can become, besides those that the
regular expression names: all of them could be 196,608."""
_FIRST_TRIED = 0x14
"""The first of them. All steps are multiples of 32, so what is tried for the first byte is tried for the first two."""


def is_guided(config: SampleConfig) -> bool:
    """Return whether tokens must be chosen one by one."""
    return bool(config.allow or config.forbid or config.match or config.repetition_penalty != 1)


class Guide:
    """Chooses the tokens of one text and notes them."""

    def __init__(self, vocabulary: Vocabulary, config: SampleConfig, prompt: Ints) -> None:
        self._vocabulary = vocabulary
        self._config = config
        self._pattern = Pattern(config.match) if config.match else None
        self._is_restricted = bool(config.allow or config.forbid or config.match)
        self._tokens = deque[int](prompt[-config.repetition_window :].tolist(), config.repetition_window)
        self._text, self._pending = "", b""
        self.end: EndReason | None = None
        """Why no token can follow."""
        self._is_end_taken = False

    def take_end(self) -> EndReason | None:
        """Return why no token can follow, once."""
        reason, self._is_end_taken = None if self._is_end_taken else self.end, True
        return reason

    @property
    def end_at_limit(self) -> EndReason | None:
        """What is to be said of a text that ends here because of its length."""
        is_incomplete = self._pattern is not None and self.end is None and not self._is_complete()
        return "incomplete-match" if is_incomplete else None

    def choose(self, logits: Floats, config: SampleConfig, uniform: float) -> int:
        """Return the next token for `logits` (V,), or NO_TOKEN if none is permitted, which ends the text.

        `config` has the sampling settings. Raises ConfigError if not even the first token is permitted, and for a
        regular expression that takes too long.
        """
        if self.end is not None:
            return NO_TOKEN
        logprobs = log_softmax(logits.astype(np.float64))
        if self._config.repetition_penalty != 1:
            logprobs = penalized(logprobs, np.array(self._tokens, np.int64), self._config)
        if self._is_restricted:
            permitted = self._permitted(logprobs, config.temperature)
            if not permitted.any():
                return self._ended()
            logprobs = np.where(permitted, logprobs, -np.inf)
        token = int(choose(logprobs, config, np.array(uniform)))
        self._note(token)
        return token

    def _note(self, token: int) -> None:
        self._tokens.append(token)
        if self._is_restricted:
            text, self._pending = self._read(token)
            self._text += text if self._pattern is not None else ""

    def _read(self, token: int) -> tuple[str, bytes]:
        """Return the characters that a permitted token completes, and the bytes of an incomplete one."""
        found = decoded(self._pending + self._vocabulary.pieces[token])
        assert found is not None
        return found

    def _ended(self) -> int:
        """End the text."""
        if self._pattern is not None and self._is_complete():
            self.end = "match"
        elif self._text:
            self.end = "dead-end"
        else:
            raise ConfigError(f"{self._restrictions()} of the model's alphabet to begin with: change it")
        return NO_TOKEN

    def _restrictions(self) -> str:
        names = [name for name in ("allow", "forbid", "match") if getattr(self._config, name)]
        return f"{' and '.join(names)} {'leave' if len(names) > 1 else 'leaves'} no character"

    def _is_complete(self) -> bool:
        assert self._pattern is not None
        self._pattern.begin_token()
        return not self._pending and self._pattern.is_complete(self._text)

    def _permitted(self, logprobs: Floats, temperature: float) -> Mask:
        """Return the tokens (V,) that may be chosen."""
        mask = self._vocabulary.permitted(self._pending)
        if self._pattern is None or not mask.any():
            return mask
        scaled = np.where(mask, logprobs / (temperature or 1.0), -np.inf)
        return self._matching(self._pattern, scaled, tail=TAIL if temperature else np.inf)

    def _matching(self, pattern: Pattern, logits: Floats, tail: float) -> Mask:
        """Return those of the permitted tokens (V,) with which the text can match.

        It ends where the others together have the fraction `tail` of the probability of those found.
        """
        pattern.begin_token()
        probabilities = softmax(logits)
        matching = np.zeros(len(logits), bool)
        left, found = 1.0, 0.0
        firsts: dict[str, bool] = {}
        for token in np.argsort(-logits, kind="stable").tolist():
            if np.isneginf(logits[token]) or (found and left <= tail * found):
                break
            left -= float(probabilities[token])
            if self._matches(pattern, token, firsts):
                matching[token] = True
                found += float(probabilities[token])
        return matching

    def _matches(self, pattern: Pattern, token: int, firsts: dict[str, bool]) -> bool:
        """Return whether the text with the token can match; `firsts` has what is known of the next character."""
        text, rest = self._read(token)
        if text and text[0] not in firsts:
            firsts[text[0]] = pattern.permits(self._text + text[0])
        if text and not (firsts[text[0]] and (len(text) == 1 or pattern.permits(self._text + text))):
            return False
        return not rest or self._can_match(pattern, self._text + text, possible_code_points(rest))

    def _can_match(self, pattern: Pattern, text: str, codes: range) -> bool:
        """Return whether one of these characters may follow `text`; of many, some are tried."""
        named = [code for code in pattern.named if code in codes]
        step = max(1, len(codes) // _TRIED_CODE_POINTS)
        return any(
            self._vocabulary.permits(chr(code)) and pattern.permits(text + chr(code))
            for code in (*named, *codes[_FIRST_TRIED if step > 1 else 0 :: step])
        )
