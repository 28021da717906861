"""Screen 7: from probabilities to text; temperature and its friends."""

import dataclasses
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile

from textual.content import Content

from tui_gpt.config import SampleConfig
from tui_gpt.errors import TuiGptError
from tui_gpt.generation.explanation import Explanation
from tui_gpt.generation.sampling import filtered_probabilities
from tui_gpt.tui.generate.alternatives import percent, spelled
from tui_gpt.tui.learn.drawing import Part, bar_of, joined, lines_of, padded
from tui_gpt.tui.learn.material import Material
from tui_gpt.tui.learn.page import Direction, LessonPage
from tui_gpt.tui.threads import in_background

_VALUES: dict[str, tuple[float, ...]] = {
    "temperature": (0.0, 0.2, 0.5, 0.8, 1.0, 1.2, 1.5, 2.0, 3.0),
    "top_k": (0, 1, 2, 3, 5, 10),
    "top_p": (1.0, 0.95, 0.9, 0.7, 0.5, 0.2),
    "min_p": (0.0, 0.02, 0.05, 0.1, 0.2, 0.5),
}
"""What each setting can be; the filters are off at the first value."""
_NAMES = {"temperature": "temperature", "top_k": "top-k", "top_p": "top-p", "min_p": "min-p"}
_PROMPT = "ROMEO:\nI"
_WRITTEN = 300


@dataclass(frozen=True)
class Choice:
    """The distribution of the next character before and after the settings."""

    prompt: str
    before: Sequence[float]
    """The model's probabilities of all tokens."""
    after: Sequence[float]
    """Those that are drawn from."""
    texts: Sequence[str]

    @property
    def order(self) -> list[int]:
        """The tokens, the most likely first."""
        return sorted(range(len(self.before)), key=lambda token: -self.before[token])

    @property
    def possible(self) -> int:
        """How many tokens can be drawn."""
        return sum(probability > 0 for probability in self.after)


class SamplingPage(LessonPage[Choice]):
    """Settings that the reader changes, bars of the distribution, and the text."""

    TITLE = "Temperature and its friends"
    USES = frozenset({"change", "choose", "again", "type"})
    PLACEHOLDER = "the beginning of a text"
    SOURCE = "top-k: Fan 2018; top-p: Holtzman 2020; min-p: Nguyen 2024, each with others"

    def __init__(self, material: Material) -> None:
        super().__init__(material)
        self.config = SampleConfig(temperature=1.0, max_new_tokens=_WRITTEN, seed=1)
        self._explained: tuple[str, Explanation] | None = None
        """The text that was explained last, and its explanation."""
        self.written: tuple[str, SampleConfig, str] | None = None
        """A text with the beginning and the settings that it was written with."""
        self.selected = 0
        """The place of the setting that is changed."""

    def compute(self) -> Choice:
        """Predict, and apply the settings."""
        prompt = self.typed or _PROMPT
        if self._explained is None or self._explained[0] != prompt:
            self._explained = prompt, self.material.explain(prompt)
        found = self._explained[1]
        after = filtered_probabilities(found.probs, self.config)
        return Choice(prompt, found.probs.tolist(), after.tolist(), found.texts)

    def show(self) -> None:
        """Show the distribution, then write a text with it."""
        super().show()
        if self.data is not None and (self.written is None or self.written[:2] != (self.data.prompt, self.config)):
            self.run_in_background(self._write, "text")

    async def _write(self) -> None:
        assert self.data is not None
        prompt, config = self.data.prompt, self.config
        with suppress(TuiGptError):
            self.written = prompt, config, await in_background(self._continue, prompt, config)
            self.picture.refresh()

    def _continue(self, prompt: str, config: SampleConfig) -> str:
        pieces = self.material.model.stream(prompt, config)
        return "".join(piece.text for piece in takewhile(lambda _: self.config is config, pieces))

    def choose(self, by: Direction) -> None:
        """Choose the setting to change."""
        self.selected = (self.selected + by) % len(_VALUES)
        self.show()

    def change(self, by: Direction) -> None:
        """Take the next value of the setting."""
        name = list(_VALUES)[self.selected]
        values = _VALUES[name]
        place = min(max(0, values.index(getattr(self.config, name)) + by), len(values) - 1)
        self.config = dataclasses.replace(self.config, **{name: values[place]})  # type: ignore[arg-type]  # by name
        self.recompute()

    def again(self) -> None:
        """Draw another text."""
        self.config = dataclasses.replace(self.config, seed=(self.config.seed or 0) + 1)
        self.recompute()

    def words(self, data: Choice) -> Content:
        """Explain sampling."""
        return Content.assemble(
            "To write, one character is ",
            ("drawn", "bold"),
            " by its probability and put at the end of the text; then the model predicts again. ",
            ("Temperature", "bold"),
            ": careful below 1, daring above 1, at 0 always the most likely one. The others cut off unlikely "
            "characters: ",
            ("top-k", "bold"),
            " keeps the k best, ",
            ("top-p", "bold"),
            " the best that together have the probability p, ",
            ("min-p", "bold"),
            f" those with at least this fraction of the best. Now {data.possible} of {len(data.before)} can be drawn.",
        )

    def draw(self, data: Choice, width: int, height: int) -> Content:
        """Draw the settings, the two distributions, and the text."""
        written = max(3, height // 4)
        rows = max(3, height - written - 4)
        cells = max(4, min(40, (width - 30) // 2))
        head = padded("", 7) + padded("the model's", cells + 8) + "after the settings"
        bars = [self._line(data, token, cells) for token in data.order[:rows]]
        heading: list[Part] = [("Written after ", "bold"), (data.prompt[-40:].replace("\n", "↵"), "bold reverse")]
        is_current = self.written is not None and self.written[:2] == (data.prompt, self.config)
        shown = self.written[2] if self.written and is_current else "writing …"
        text = [[(line, "$foreground")] for line in lines_of(shown, width, written - 1)]
        return joined([self._settings(), [(head, "dim")], *bars, [""], heading, *text])

    def _settings(self) -> list[Part]:
        parts: list[Part] = []
        for place, (name, values) in enumerate(_VALUES.items()):
            value = getattr(self.config, name)
            shown = "off" if name != "temperature" and value == values[0] else f"{value:g}"
            words = f"◂ {_NAMES[name]} {shown} ▸" if place == self.selected else f"  {_NAMES[name]} {shown}  "
            parts += [(words, "bold reverse" if place == self.selected else ""), " "]
        return parts

    def _line(self, data: Choice, token: int, cells: int) -> list[Part]:
        before, after = data.before[token], data.after[token]
        drawn = percent(after) if after else "out"
        return [
            padded(spelled(data.texts[token]), 7),
            (bar_of(before, cells), "$primary"), f"{percent(before):>6}  ",
            (bar_of(after, cells), "$text-accent"), (f"{drawn:>6}", "" if after else "dim"),
        ]  # fmt: skip

    def hint(self) -> str:
        """Return what to try."""
        return (
            "{learn.above} {learn.below}: a setting, {learn.less} {learn.more}: its value. When does the text repeat "
            "itself, when does it fall apart? {learn.again}: draw again. {learn.type}: your beginning."
        )
