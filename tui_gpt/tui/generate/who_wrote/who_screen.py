"""Who wrote this? A pasted text scored under several runs, and coloured by which of them predicts it best."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Static, TextArea

from tui_gpt.control import Control
from tui_gpt.escaping import escape_controls
from tui_gpt.generation.authorship import Authorship, Opener, who_wrote
from tui_gpt.session import SessionLike
from tui_gpt.tui.app.key_footer import KeyFooter
from tui_gpt.tui.generate.background import LatestTask
from tui_gpt.tui.generate.desk_screen import DeskScreen
from tui_gpt.tui.generate.who_wrote.author_colours import best_tones, compared_tones, rival_of
from tui_gpt.tui.generate.who_wrote.authors_table import AuthorsTable
from tui_gpt.tui.generate.who_wrote.coloured_text import ColouredText
from tui_gpt.tui.keys import key_binding, keymap_of
from tui_gpt.tui.text.tail import in_a_row

MAX_CHARACTERS = 20_000
"""Characters of the text that are scored; the command `eval` scores any length."""

Wanted = tuple[tuple[str, ...], str]
"""Models and a text."""


class WhoScreen(DeskScreen[None]):
    """A text, the models, and the text again in their colours."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key_binding("who_wrote.score", "score", "Score"),
        key_binding("who_wrote.colours", "switch_colours", "Colours"),
        key_binding("who_wrote.back", "back", "Back", key_display="esc"),
        key_binding("app.help", "help", "Help", key_display="F1"),
    ]

    def __init__(
        self, session: SessionLike, find_sources: Callable[[], Sequence[str]], text: str, marked: Collection[str] = ()
    ) -> None:
        """`find_sources` is called in a thread and returns the models that can be compared; `marked` are runs."""
        super().__init__()
        self._marked = set(marked)
        self._session, self._find_sources, self._first_text = session, find_sources, text
        self._latest = LatestTask[Wanted, Authorship](
            self._compute,
            lambda wanted, found: self.call_later(self._show, wanted, found),
            lambda _, sentence: self.call_later(self._show_error, sentence),
        )
        self.found: Authorship | None = None
        self._scored: tuple[str, ...] = ()
        self._compares_two = False
        self._error = ""

    def compose(self) -> ComposeResult:
        """Lay out text, table and coloured text."""
        self.set_size_classes()
        yield from self.title_row(
            "who wrote this?",
            ("Score", "who_wrote.score", "score"),
            ("Colours", "who_wrote.colours", "switch_colours"),
            ("Back", "who_wrote.back", "back"),
        )
        with Vertical(classes="desk"):
            yield TextArea(self._first_text, soft_wrap=True, tab_behavior="focus", compact=True, id="who-text")
            yield AuthorsTable()
            yield Static(id="who-facts", markup=False)
            yield ColouredText()
        yield KeyFooter(show_command_palette=False)

    def on_mount(self) -> None:
        """List the models."""
        self.leave_buttons_to_the_mouse()
        area = self.query_one("#who-text", TextArea)
        area.placeholder = keymap_of(self).fill("Paste a text; {who_wrote.score} scores it under the models below.")
        area.focus()
        self.run_worker(self._list_sources, thread=True, exit_on_error=False)
        self._draw()

    def _list_sources(self) -> None:
        sources = self._find_sources()
        marked = {source for source in sources if source.partition("@")[0] in self._marked}
        self.call_later(self.table.set_sources, sources, marked)

    def on_unmount(self) -> None:
        """Stop scoring."""
        self._latest.cancel()

    @property
    def table(self) -> AuthorsTable:
        """The models."""
        return self.query_one(AuthorsTable)

    def _compute(self, wanted: Wanted, control: Control) -> Iterator[Authorship]:
        sources, text = wanted
        opener = Opener(self._session.open_model, self._session.release_models)
        yield from who_wrote(opener, sources, text, control, keep_logprobs=True)

    def action_score(self) -> None:
        """Score the text under the marked models, or under all of them."""
        text = self.query_one("#who-text", TextArea).text[:MAX_CHARACTERS]
        if not text:
            self.notify("Paste or type a text first.")
            return
        self._scored, self._error = tuple(self.table.chosen), ""
        self._latest.request((self._scored, text))
        self.table.focus()

    def _show(self, wanted: Wanted, found: Authorship) -> None:
        self._scored, self.found = wanted[0], found
        self._draw()

    def _show_error(self, sentence: str) -> None:
        self._error = sentence
        self._draw()

    def action_switch_colours(self) -> None:
        """Colour by the best model, or by whether the selected one is better than the best of the others."""
        self._compares_two = not self._compares_two
        self._draw()

    @on(AuthorsTable.Moved)
    def _moved(self) -> None:
        if self._compares_two:
            self._draw()

    def action_back(self) -> None:
        """Return to the cards."""
        self.dismiss(None)

    # Drawing

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        self.table.show_scores(self._scored, self.found)
        self.query_one("#who-facts", Static).update(self._facts())
        if self.found is not None:
            self.query_one(ColouredText).show_text(self.found.text, self._tones(self.found))

    def _compared(self, found: Authorship) -> tuple[int, int] | None:
        """Return the places of the two models whose predictions are compared by colour."""
        selected = self.table.selected
        if not self._compares_two or selected not in self._scored:
            return None
        place = self._scored.index(selected)
        rival = rival_of(found, place)
        return None if rival is None or found.scores[place].bits_per_char is None else (place, rival)

    def _tones(self, found: Authorship) -> list[str]:
        compared = self._compared(found)
        return best_tones(found) if compared is None else compared_tones(found, *compared)

    def _facts(self) -> Text:
        """Return what was scored, what was left out, and what the colours mean."""
        found = self.found
        if self._error:
            return Text(f"✗ {escape_controls(self._error)}")
        if found is None:
            return Text("bits per character compare models with any tokenizer; fewer is better", "dim")
        words = [f"{len(found.text):,} characters scored"]
        if found.left_out:
            shown = in_a_row(found.left_out[:12])
            words.append(f"{found.left_out_count:,} left out for all, as not every model knows them: {shown}")
        compared = self._compared(found)
        if compared is not None:
            names = [found.scores[place].name for place in compared]
            words.append(f"green: {names[0]} predicts it better than {names[1]}; red: worse")
        elif found.best is not None:
            words.append("colour: the model that predicts the character best")
        return Text(" · ".join(words))
