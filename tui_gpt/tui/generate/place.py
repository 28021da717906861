"""The place in the Generate tab where a text is continued: the text cursor, the end of a card, or the prompt."""

import dataclasses
import math
from dataclasses import dataclass

from tui_gpt.config import SampleConfig
from tui_gpt.tui.generate.notebook import Answer, Card
from tui_gpt.tui.generate.saved_notebook import SavedNotebook


@dataclass(frozen=True)
class Place:
    """A text that is to be continued."""

    text: str
    source: str | None
    """The model, as `SessionLike.open_model` takes it."""
    card: Card | None = None
    """The card whose shown answer begins with the text; None for the prompt."""

    def answer(self, text: str, logprobs: tuple[float, ...], config: SampleConfig) -> Answer:
        """Return an empty answer that keeps `text`, with the log-probability of each character, after the place."""
        if self.card is None:
            return Answer(prompt=self.text, kept=text, logprobs=logprobs, config=config, source=self.source)
        begun = self.card.answer.branched(len(self.text), "", config, self.source)
        known = (*begun.logprobs, *[math.nan] * (len(begun.kept) - len(begun.logprobs)))
        return dataclasses.replace(begun, kept=begun.kept + text, logprobs=(*known, *logprobs))

    def with_answer(self, answer: Answer) -> Card:
        """Return the card of the place with an answer to it, or a new card."""
        return Card(answers=(answer,)) if self.card is None else self.card.with_answers(answer)


class HandwrittenCard:
    """Keeps a text composed by hand: on a card of the notebook from its first character on."""

    def __init__(self, notebook: SavedNotebook, place: Place, config: SampleConfig) -> None:
        self._notebook, self._place, self._config = notebook, place, config
        self._answer_id: str | None = None
        self.card_id = ""
        """The card, once there is a text."""

    @property
    def is_begun(self) -> bool:
        """Whether there is a text."""
        return self._answer_id is not None

    def save(self, text: str, logprobs: tuple[float, ...]) -> None:
        """Save the text in its present state."""
        answer = self._place.answer(text, logprobs, self._config)
        if self._answer_id is None:
            self._answer_id = answer.id
            card = self._place.with_answer(answer)
            self.card_id = card.id
            self._notebook.put(card, words="text by hand")
        else:
            self._notebook.complete(dataclasses.replace(answer, id=self._answer_id))
