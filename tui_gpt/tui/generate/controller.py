"""The Generate tab without its widgets: what to generate next, and what has been generated since the last look.

The pane calls a method for each request of the user and `poll` on a timer, and draws what they return. Models are
opened and run in threads, one generation at a time.
"""

import dataclasses
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tui_gpt.config import SampleConfig
from tui_gpt.seeds import draw_seed
from tui_gpt.session import SessionLike
from tui_gpt.storage.names import LIVE
from tui_gpt.tui.app.state import AppState
from tui_gpt.tui.generate.job import Burst, GenerationJob
from tui_gpt.tui.generate.lookup import AlternativesLookup
from tui_gpt.tui.generate.notebook import Answer, Card
from tui_gpt.tui.generate.saved_notebook import SavedNotebook
from tui_gpt.tui.threads import start_in_background

BATCH = 4
"""The number of answers that one key generates at once."""
NO_THREAD = "the system has no thread left for it: close another program, and try again"


@dataclass(frozen=True)
class Update:
    """What happened to the generation in progress since the last `poll`."""

    card_id: str
    opened: Card | None
    """The card as it is when its model has just been opened."""
    bursts: Mapping[str, Burst]
    """What arrived, by the answer's id."""
    seconds: float
    """Seconds from opening the model to the last character."""
    waiting_seconds: float
    """Seconds since the request while nothing has arrived."""
    is_done: bool
    """Whether `finish` is due."""


class GenerateController:
    """Cards, the generation in progress, and the settings of the next one."""

    def __init__(
        self,
        session: SessionLike,
        state: AppState,
        report: Callable[[str], object],
        draw_seed: Callable[[], int] = draw_seed,
    ) -> None:
        self.state = state
        self.notebook = SavedNotebook(report)
        self._turn = threading.Lock()
        self.lookup = AlternativesLookup(session, self._turn)
        self.is_live = False
        """Whether a run in training can be generated from."""
        self.session = session
        self.draw_seed = draw_seed
        self._job: GenerationJob | None = None
        self._card_id = ""
        """The card of that job."""
        self._is_opened = False
        self._stopped: list[GenerationJob] = []
        """Jobs whose threads have yet to end, as the copied fraction of their answers is not known before."""

    # Requests. Each returns the card that is being generated from then on.

    def submit(self, prompt: str, edited: str | None = None) -> Card:
        """Generate from a prompt: on a new card, or as another answer of the card `edited`."""
        self.finish()
        card = self.notebook.find(edited)
        if card is None:
            answer = Answer(prompt=prompt, config=self.next_config(), source=self.state.source)
            return self._begin("prompt", Card(answers=(answer,)), answer)
        answer = card.answer.edited(prompt, self.next_config(), self.state.source)
        return self._begin("edit", card.with_answers(answer), answer)

    def score(self, text: str) -> Card:
        """Compute the probability of each character of a text, on a new card."""
        answer = Answer(kind="measured", text=text, config=self.next_config(), source=self.state.source)
        return self._begin("text", Card(answers=(answer,)), answer)

    def regenerate(self, card: Card) -> Card:
        """Generate another answer with a new seed and otherwise equal settings."""
        config = dataclasses.replace(card.answer.config, seed=self.draw_seed())
        return self._begin_variant(card, card.answer.again(config, card.answer.source))

    def repeat(self, card: Card) -> Card:
        """Generate with the same seed and settings: the same text, if the model is the same."""
        answer = card.answer.again(card.answer.config, card.answer.source)
        return self._begin_variant(card, dataclasses.replace(answer, batch=card.answer.batch, place=card.answer.place))

    def generate_batch(self, card: Card) -> Card:
        """Generate several more answers at once."""
        answers = card.answer.batch_of(BATCH, self.next_config(), card.answer.source)
        return self._begin("batch of answers", card.with_answers(*answers), *answers)

    def compare(self, card: Card) -> Card:
        """Generate from the same prompt and seed with the model and the settings chosen now."""
        config = dataclasses.replace(self.state.sampling, seed=card.answer.config.seed)
        return self._begin_variant(card, card.answer.again(config, self.state.source))

    def continue_answer(self, card: Card) -> Card:
        """Continue the shown answer at its end."""
        answer = card.answer.extended(self.next_config(), card.answer.source)
        return self._begin("continuation", card.with_continuation(answer), answer)

    def branch(self, card: Card, index: int, character: str) -> Card:
        """Generate another answer that differs from the shown one from `index` on, where it has `character`."""
        answer = card.answer.branched(index, character, self.next_config(), card.answer.source)
        return self._begin("branch", card.with_answers(answer), answer)

    def begin(self, card: Card, answer: Answer) -> Card:
        """Generate an answer of a card, after what it keeps."""
        return self._begin("answer", card, answer)

    def _begin_variant(self, card: Card, answer: Answer) -> Card:
        return self._begin("answer", card.with_answers(answer), answer)

    def _begin(self, words: str, card: Card, *answers: Answer) -> Card:
        """Generate answers; save them first, as the prompt must not be lost. `words` names the step to be undone."""
        self.finish()
        job = self._job = GenerationJob(*answers)
        self._card_id, self._is_opened = card.id, False
        try:
            start_in_background(lambda: job.run(self.session, self._turn), "generating")
        except RuntimeError:
            job.fail(NO_THREAD)
        self.notebook.put(card, words=words)
        return card

    def next_config(self) -> SampleConfig:
        """Return the settings of the next answer, with a seed."""
        config = self.state.sampling
        return config if config.seed is not None else dataclasses.replace(config, seed=self.draw_seed())

    # The generation in progress

    @property
    def is_generating(self) -> bool:
        """Whether a generation is in progress."""
        return self._job is not None

    @property
    def is_idle(self) -> bool:
        """Whether neither `poll` nor `take_compared` has anything to expect."""
        return self._job is None and not self._stopped

    @property
    def generating_ids(self) -> tuple[str, ...]:
        """The ids of the answers being generated."""
        return () if self._job is None else tuple(answer.id for answer in self._job.answers)

    def poll(self) -> Update | None:
        """Take what was generated since the last call; None without a generation."""
        job = self._job
        if job is None:
            return None
        phase, bursts = job.phase, job.take()
        ids = (answer.id for answer in job.answers)
        return Update(
            card_id=self._card_id,
            opened=self._opened(job) if phase == "generating" and not self._is_opened else None,
            bursts=dict(zip(ids, bursts, strict=True)),
            seconds=job.seconds,
            waiting_seconds=job.waiting_seconds,
            is_done=phase == "done",
        )

    def _opened(self, job: GenerationJob) -> Card | None:
        """Note the model in the card; its answers begin without generated text, which arrives in bursts."""
        self._is_opened = True
        return self.notebook.replace(
            *(
                dataclasses.replace(answer, text="", logprobs=answer.logprobs[: len(answer.kept)], seconds=0.0)
                for answer in job.answers
            )
        )

    def finish(self) -> Card | None:
        """End the generation in progress, keep what was generated, and return its card."""
        job, self._job = self._job, None
        if job is None:
            return None
        job.stop()
        job.take()
        if any(answer.stopped for answer in job.answers):
            self._stopped.append(job)
        return self.notebook.complete(*job.answers)

    def take_compared(self) -> list[Card]:
        """Return the cards with stopped answers whose copied fraction has become known since the last call."""
        over = [job for job in self._stopped if job.is_over]
        self._stopped = [job for job in self._stopped if job not in over]
        known = [[answer for answer in job.answers if answer.copied is not None] for job in over]
        cards = [self.notebook.complete(*answers) for answers in known]
        return [card for card in cards if card is not None]

    def text_of(self, card: Card) -> str:
        """Return the text of the shown answer, with what has been generated so far."""
        answers = card.answers if self._job is None else (*self._job.answers, *card.answers)
        return next(answer.full for answer in answers if answer.id == card.answer.id)

    # Settings

    def change_sampling(self, config: SampleConfig) -> None:
        """Sample with these settings, also for the rest of the generation in progress."""
        if self._job is not None:
            self._job.change(self.state.sampling, config)
        self.state.sampling = config

    def set_training(self, run_name: str | None) -> None:
        """Note that a run began, whose live weights can be generated from, or that it ended (None)."""
        self.is_live = run_name is not None
        if not self.is_live and self.state.source == LIVE:
            self.state.source = None
