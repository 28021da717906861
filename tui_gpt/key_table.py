"""Every action that has a key: its id, its default keys, and what it does.

The bindings of the app, the page of F1, the command palette and the section [keys] of `config.toml` are all made from
this table. The word before the dot of an id is its place: keys of one place work at the same time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class KeyAction:
    """An action with its default keys, comma-separated, in Textual's names."""

    id: str
    keys: str
    help: str
    """What it does, on the page of F1 and in tooltips."""
    title: str = ""
    """Its title in the command palette; "" for keys that only move inside a widget or a dialog, and for those that
    Textual's own entries do the same as."""

    @property
    def place(self) -> str:
        """Return where its keys work."""
        return self.id.partition(".")[0]


@dataclass(frozen=True)
class HelpRow:
    """A line of the page of F1: actions, what does the same without a binding of the app, and what that is."""

    actions: tuple[KeyAction, ...]
    also: str = ""
    words: str = ""
    """What the line says, if not what its actions do."""


@dataclass(frozen=True)
class HelpSection:
    """A part of the page of F1; `tab` is the tab or the screen that it belongs to."""

    title: str
    tab: str
    rows: tuple[HelpRow, ...]


def _row(*actions: KeyAction, also: str = "", words: str = "") -> HelpRow:
    return HelpRow(actions, also, words)


_A = KeyAction

_TRAIN = HelpSection(
    "Train",
    "train",
    (
        _row(_A("form.start", "s", "start the run in the form", "Start training")),
        _row(_A("form.all_settings", "a", "all settings, each with its range", "All settings")),
        _row(_A("form.start_from", "f", "start from other weights than new ones", "Start from…")),
        _row(_A("form.previous", "left", "previous choice"), _A("form.next", "right", "next choice")),
        _row(_A("run.pause", "p", "pause, continue", "Pause or continue training")),
        _row(_A("run.change_learning_rate", "e", "change the learning rate while paused", "Change the learning rate")),
        _row(_A("run.stop", "x", "stop and save", "Stop training")),
        _row(_A("run.detach", "d", "detach from a run of another process", "Detach from this run")),
        _row(_A("run.resume", "r", "resume a stopped run", "Resume this run")),
        _row(_A("run.generate", "g", "generate with this run", "Generate with this run")),
        _row(_A("run.new", "n", "new run", "New run")),
        _row(_A("run.toggle_log", "l", "logarithmic loss axis", "Toggle logarithmic loss axis")),
        _row(
            _A("chart.back", "left", "read values one column to the left"),
            _A("chart.forward", "right", "read values one column to the right"),
            _A("chart.first", "home", "read values at the first step"),
            _A("chart.latest", "end", "read values at the newest step"),
            words="read values and samples at a step",
        ),
        _row(
            _A("chart.far_back", "shift+left", "ten columns to the left"),
            _A("chart.far_forward", "shift+right", "ten columns to the right"),
            words="ten columns at once",
        ),
        _row(_A("chart.stop_reading", "escape", "end reading values")),
        _row(
            _A("run.previous_sample", "less_than_sign", "previous sample", "Previous sample"),
            _A("run.next_sample", "greater_than_sign", "next sample", "Next sample"),
            words="previous and next sample, with the cursor",
        ),
        _row(
            _A("sample.previous", "left", "previous sample"),
            _A("sample.next", "right", "next sample"),
            _A("sample.first", "home", "first sample"),
            _A("sample.last", "end", "last sample"),
            words="the same in the sample with the focus",
        ),
        _row(_A("chart.axis", "a", "x axis: steps, characters read, seconds", "Chart: x axis")),
        _row(_A("chart.value", "v", "loss, learning rate, gradient norm, speed", "Chart: next value")),
        _row(
            _A("chart.rougher", "left_square_bracket", "smooth less", "Chart: smooth less"),
            _A("chart.smoother", "right_square_bracket", "smooth more", "Chart: smooth more"),
        ),
        _row(
            _A("chart.zoom_in", "plus,equals_sign", "zoom in at the cursor", "Chart: zoom in"),
            _A("chart.zoom_out", "minus", "zoom out", "Chart: zoom out"),
            also="mouse wheel",
        ),
        _row(
            _A("chart.earlier", "comma", "earlier steps", "Chart: earlier steps"),
            _A("chart.later", "full_stop", "later steps", "Chart: later steps"),
        ),
        _row(
            _A("chart.tail", "t", "last steps", "Chart: last steps"),
            _A("chart.follow", "f", "follow the newest", "Chart: follow"),
            _A("chart.whole", "0", "whole run", "Chart: whole run"),
        ),
    ),
)
_DEMO = HelpSection(
    "The demo",
    "demo",
    (
        _row(_A("demo.pause", "p", "pause, continue", "Pause or continue the demo")),
        _row(
            _A("demo.slower", "minus", "slower", "Play slower"),
            _A("demo.faster", "plus,equals_sign", "faster; the mouse wheel zooms", "Play faster"),
        ),
        _row(_A("demo.replay", "r", "play from the beginning", "Replay")),
        _row(
            _A("demo.train", "s", "train a model of your own", "Train a model"),
            _A("demo.generate", "g", "generate text", "Generate text"),
        ),
        _row(_A("demo.toggle_log", "l", "logarithmic loss axis", "Toggle logarithmic loss axis")),
        _row(_A("demo.leave", "q", "leave the demo", "Leave the demo")),
    ),
)
_LEARN = HelpSection(
    "The lesson",
    "learn",
    (
        _row(
            _A("learn.next", "n,enter", "next screen", "Lesson: next screen"),
            _A("learn.back", "b,backspace", "the one before", "Lesson: screen before"),
        ),
        _row(
            _A("learn.less", "left", "less, or to the left"),
            _A("learn.more", "right", "more, or to the right"),
            words="change a value",
        ),
        _row(
            _A("learn.above", "up", "the one above"),
            _A("learn.below", "down", "the one below"),
            words="choose what is changed or shown",
        ),
        _row(_A("learn.again", "space", "draw or write again; start, stop", "Lesson: again, start, stop")),
        _row(_A("learn.view", "v", "show something else", "Lesson: show something else")),
        _row(
            _A("learn.type", "t", "type a text of your own", "Lesson: type a text"),
            _A("learn.stop_typing", "escape", "end typing"),
        ),
        _row(_A("learn.scroll_up", "pageup", "scroll up"), _A("learn.scroll_down", "pagedown", "scroll down")),
        _row(_A("learn.game", "g", "guess the next character", "Lesson: guess the next character")),
        _row(_A("learn.train", "s", "leave for a training of your own", "Train a model of your own")),
        _row(_A("learn.leave", "q", "leave the lesson", "Leave the lesson")),
    ),
)
_PROMPT = HelpSection(
    "Generate: the prompt",
    "generate",
    (
        _row(_A("prompt.submit", "enter", "generate", "Generate from the prompt")),
        _row(_A("prompt.line_break", "ctrl+j,shift+enter,alt+enter", "start a new line")),
        _row(also="↑ ↓", words="earlier prompts"),
        _row(
            _A("prompt.accept_word", "tab", "accept the next word of the preview", "Preview: next word"),
            _A("prompt.accept_all", "end", "accept all of the preview", "Preview: all of it"),
            also="→",
            words="accept the preview: a word; all; a word",
        ),
        _row(_A("prompt.toggle_preview", "ctrl+g", "show a preview while typing, or none", "Toggle the preview")),
        _row(_A("prompt.undo", "ctrl+underscore", "undo typing", "Undo typing")),
        _row(
            _A("prompt.score", "ctrl+r", "compute the probability of each character", "Probabilities of the prompt"),
        ),
        _row(
            _A("generate.next_preset", "ctrl+t", "next sampling preset: steady, lively, wild", "Next sampling preset")
        ),
        _row(
            _A(
                "generate.limits",
                "ctrl+l",
                "limits: stop strings, permitted characters …",
                "Limits: stop strings and constraints",
            ),
        ),
        _row(_A("generate.model", "ctrl+o", "choose the model", "Choose the model")),
        _row(_A("generate.stop", "escape,ctrl+c", "stop generating", "Stop generating")),
        _row(_A("prompt.cards", "escape", "go to the cards", "Go to the cards")),
        _row(
            _A("sampling.previous", "left", "previous sampling setting"),
            _A("sampling.next", "right", "next sampling setting"),
            _A("sampling.more", "up", "next value of the setting"),
            _A("sampling.less", "down", "previous value of the setting"),
            words="sampling settings: select; change",
        ),
        _row(
            _A("sampling.accept", "enter", "apply the typed value, or return to the prompt"),
            _A("sampling.cancel", "escape", "return to the prompt"),
            words="apply the typed value; back to the prompt",
        ),
        _row(_A("examples.previous", "left", "previous example"), _A("examples.next", "right", "next example")),
    ),
)
_CARDS = HelpSection(
    "Generate: a card",
    "generate",
    (
        _row(
            _A("card.above", "up,k", "card above"),
            _A("card.below", "down,j", "card below"),
            _A("card.first", "home", "first card"),
            _A("card.last", "end", "last card"),
            words="select a card",
        ),
        _row(
            _A("card.previous_answer", "left", "previous answer", "Previous answer"),
            _A("card.next_answer", "right", "next answer", "Next answer"),
        ),
        _row(
            _A("card.regenerate", "r", "regenerate with a new seed", "Regenerate the card"),
            _A("card.repeat", "R", "regenerate with the same seed", "Repeat the card with the same seed"),
            words="regenerate: with a new seed; with the same",
        ),
        _row(
            _A("card.continue", "c", "continue at the end", "Continue the card"),
            _A("card.edit", "e", "edit, then continue", "Edit the card"),
        ),
        _row(_A("card.batch", "n", "generate four more answers", "Generate four more answers")),
        _row(_A("card.compare", "b", "compare with the current model and settings", "Compare the card")),
        _row(_A("card.toggle_columns", "v", "show the answers side by side", "Show the answers side by side")),
        _row(
            _A("card.toggle_probabilities", "p", "colour each character by its probability", "Toggle probabilities"),
        ),
        _row(_A("card.inspect", "enter,t", "show the ten alternatives at a text cursor", "Show alternatives")),
        _row(_A("card.stop_inspecting", "escape", "end showing alternatives", "Hide alternatives")),
        _row(
            _A("why.toggle", "d", "why the character at the cursor was predicted", "Explain the prediction"),
            _A("why.attention", "o", "what attention looked at", "Show attention in the text"),
            words="at a cursor: why this character; attention",
        ),
        _row(
            _A("why.layer", "l", "next layer, or their mean", "Attention: next layer"),
            _A("why.head", "h", "next head, or their mean", "Attention: next head"),
            _A("why.network", "N", "next network, or their mean", "Attention: next network"),
            words="attention of which layer; head; network",
        ),
        _row(_A("why.skip_first", "s", "leave the first position out", "Attention: leave out the first position")),
        _row(
            _A("alternatives.previous", "up,k", "alternative above"),
            _A("alternatives.next", "down,j", "alternative below"),
            words="select an alternative",
        ),
        _row(
            _A("alternatives.branch", "enter", "generate from the alternative", "Generate from the alternative"),
            _A("alternatives.close", "escape,left", "back"),
        ),
        _row(
            _A("card.copy", "y,ctrl+c", "copy", "Copy the card"),
            _A("card.save_text", "w", "save as text", "Save the card as text"),
            _A("card.save_markdown", "W", "save as Markdown", "Save the card as Markdown"),
        ),
        _row(
            _A("card.undo", "u", "undo", "Undo the last change of the cards"),
            _A("card.redo", "U", "redo", "Redo the change that was undone"),
        ),
        _row(
            _A("card.remove", "delete,backspace", "remove the card", "Remove the card"),
            _A("card.remove_branch", "x", "remove the branch", "Remove the branch"),
            _A("card.remove_all", "X", "remove all cards", "Remove all cards"),
            words="remove the card; the branch; all cards",
        ),
        _row(_A("card.focus_prompt", "i", "back to the prompt", "Go to the prompt")),
    ),
)
_NOTEBOOK = HelpSection(
    "Generate: the notebook",
    "generate",
    (
        _row(_A("card.tree", "T", "all branches of all cards as a tree", "Tree of all branches")),
        _row(
            _A("card.parent", "shift+up,K", "parent branch", "Parent branch"),
            _A("card.child", "shift+down,J", "first child", "First child branch"),
            _A("card.previous_sibling", "shift+left,H", "previous sibling", "Previous sibling branch"),
            _A("card.next_sibling", "shift+right,L", "next sibling", "Next sibling branch"),
            words="parent, first child, siblings of a branch",
        ),
        _row(
            _A("card.search", "slash", "search all cards and notes", "Search the cards"),
            _A("card.next_found", "f", "next place found", "Next place found"),
            _A("card.previous_found", "F", "previous place found", "Previous place found"),
            words="search cards and notes; next, previous place",
        ),
        _row(_A("card.end_search", "escape", "end the search", "End the search")),
        _row(
            _A("card.bookmark", "m", "set or remove a bookmark", "Set or remove a bookmark"),
            _A("card.previous_bookmark", "left_square_bracket", "previous bookmark", "Previous bookmark"),
            _A("card.next_bookmark", "right_square_bracket", "next bookmark", "Next bookmark"),
            _A("card.only_bookmarks", "M", "only cards with bookmarks, or all", "Only cards with bookmarks"),
            words="bookmark: set; previous, next; only those",
        ),
        _row(_A("card.note", "a", "write a note", "Write a note on the branch")),
        _row(
            _A("card.export", "E", "export all as JSON", "Export the notebook"),
            _A("card.import", "I", "add an exported notebook", "Import a notebook"),
        ),
        _row(
            _A("search.next", "down", "next place found"),
            _A("search.previous", "up", "previous place found"),
            _A("search.close", "escape", "end the search"),
            also="Enter",
            words="typing: next, previous; end; to the cards",
        ),
        _row(
            _A("note.save", "enter", "save the note"),
            _A("note.line_break", "ctrl+j,shift+enter,alt+enter", "start a new line"),
            words="while typing a note: save; new line",
        ),
    ),
)
_TREE = HelpSection(
    "The tree of branches",
    "generate",
    (
        _row(
            _A("tree.above", "up,k", "row above"),
            _A("tree.below", "down,j", "row below"),
            _A("tree.first", "home", "first row"),
            _A("tree.last", "end", "last row"),
            words="select a branch",
        ),
        _row(_A("tree.page_up", "pageup", "a page up"), _A("tree.page_down", "pagedown", "a page down")),
        _row(
            _A("tree.parent", "left,shift+up,K", "parent", "Tree: parent"),
            _A("tree.child", "right,shift+down,J", "first child", "Tree: first child"),
            _A("tree.previous_sibling", "shift+left,H", "previous sibling", "Tree: previous sibling"),
            _A("tree.next_sibling", "shift+right,L", "next sibling", "Tree: next sibling"),
            words="parent, first child, siblings",
        ),
        _row(_A("tree.open", "enter", "show the branch in its card", "Tree: show the branch")),
        _row(
            _A("tree.continue", "c", "continue at the end", "Tree: continue the branch"),
            _A("tree.regenerate", "r", "regenerate with a new seed", "Tree: regenerate the branch"),
            _A("tree.edit", "e", "edit, then continue", "Tree: edit the branch"),
            words="continue; regenerate, new seed; edit",
        ),
        _row(
            _A("tree.bookmark", "m", "set or remove a bookmark", "Tree: bookmark"),
            _A("tree.previous_bookmark", "left_square_bracket", "previous bookmark", "Tree: previous bookmark"),
            _A("tree.next_bookmark", "right_square_bracket", "next bookmark", "Tree: next bookmark"),
            _A("tree.only_bookmarks", "M", "only bookmarks, or all", "Tree: only bookmarks"),
            words="bookmark: set; previous, next; only those",
        ),
        _row(_A("tree.note", "a", "write a note", "Tree: note"), _A("tree.search", "slash", "search", "Tree: search")),
        _row(
            _A("tree.remove", "x,delete", "remove the branch", "Tree: remove the branch"),
            _A("tree.undo", "u", "undo", "Tree: undo"),
            _A("tree.redo", "U", "redo", "Tree: redo"),
        ),
        _row(_A("tree.close", "escape,T,q", "back to the cards", "Back to the cards")),
    ),
)
_DESK = HelpSection(
    "Generate: tree, by hand, two sides, who wrote this?",
    "generate",
    (
        _row(
            _A("generate.probability_tree", "f6", "tree of the most likely continuations", "Probability tree"),
            _A("generate.by_hand", "f7", "compose by hand, one character at a time", "Compose by hand"),
            words="at the cursor or the end: tree; by hand",
        ),
        _row(_A("generate.sides", "f8", "two models or settings side by side", "Two models side by side")),
        _row(_A("generate.who_wrote", "f9", "who wrote this? a text under several runs", "Who wrote this?")),
        _row(
            _A("probability_tree.enter", "right,l", "into the continuation", "Tree: into"),
            _A("probability_tree.leave", "left,h", "out of it", "Tree: out"),
            _A("probability_tree.above", "up,k", "the more likely sibling", "Tree: more likely sibling"),
            _A("probability_tree.below", "down,j", "the less likely one", "Tree: less likely sibling"),
            words="tree: into, out, siblings",
        ),
        _row(
            _A("probability_tree.accept", "enter", "tree: generate from the text walked", "Tree: generate from here"),
            _A("probability_tree.back", "escape,q", "back", "Tree: back"),
        ),
        _row(
            _A("probability_tree.deeper", "plus,equals_sign", "one token deeper", "Tree: deeper"),
            _A("probability_tree.shallower", "minus", "one token less", "Tree: less deep"),
            words="tree: depth, 4 to 8",
        ),
        _row(
            _A("by_hand.above", "up", "the more likely choice", "By hand: more likely choice"),
            _A("by_hand.below", "down", "the less likely one", "By hand: less likely choice"),
            _A("by_hand.take", "enter", "take the choice", "By hand: take the choice"),
            also="or type it",
            words="by hand: select, take a choice",
        ),
        _row(
            _A("by_hand.draw", "right", "by hand: the model takes one", "By hand: let the model take one"),
            _A("by_hand.take_back", "backspace,left", "take one back", "By hand: take one back"),
        ),
        _row(
            _A("by_hand.word", "tab", "the next word of the preview", "By hand: next word of the preview"),
            _A("by_hand.all", "end", "all of it", "By hand: all of the preview"),
            words="by hand: the preview: a word; all",
        ),
        _row(_A("by_hand.line_break", "ctrl+j,shift+enter,alt+enter", "by hand: a line break")),
        _row(_A("by_hand.keep", "escape,ctrl+c", "by hand: keep the text as a card", "By hand: keep the text")),
        _row(
            _A("sides.model_a", "f6", "model of the left side", "Sides: model A"),
            _A("sides.model_b", "f7", "model of the right side", "Sides: model B"),
            _A("sides.new_seed", "f8", "generate with another seed", "Sides: another seed"),
            words="two sides: models; another seed",
        ),
        _row(_A("sides.limits", "ctrl+l", "two sides: limits of one, or of both", "Sides: limits")),
        _row(_A("sides.back", "escape", "stop, then back to the cards", "Sides: back")),
        _row(
            _A("who_wrote.score", "ctrl+r", "who wrote this? score the text", "Score the text under the runs"),
            _A("who_wrote.back", "escape", "back", "Who wrote this: back"),
        ),
        _row(
            _A("authors.above", "up,k", "run above"),
            _A("authors.below", "down,j", "run below"),
            _A("authors.mark", "space", "mark", "Mark the run to be scored"),
            words="who wrote this? select, mark runs",
        ),
        _row(_A("who_wrote.colours", "ctrl+t", "colours: best run, or two runs compared", "Switch the colours")),
    ),
)
_RUNS = HelpSection(
    "Runs",
    "runs",
    (
        _row(_A("runs.open", "enter", "open a run; follow one of another process", "Open the run")),
        _row(
            _A("runs.above", "up,k", "run above"),
            _A("runs.below", "down,j", "run below"),
            _A("runs.first", "home", "first run"),
            _A("runs.last", "end", "last run"),
            words="select a run",
        ),
        _row(
            _A("runs.page_up", "pageup", "a page up"),
            _A("runs.page_down", "pagedown", "a page down"),
        ),
        _row(
            _A("runs.resume", "r", "resume", "Resume the run"),
            _A("runs.generate", "g", "generate with its model", "Generate with the run"),
        ),
        _row(
            _A("runs.mark", "space", "mark", "Mark the run"),
            _A("runs.compare", "c", "compare two to six marked runs", "Compare the marked runs"),
        ),
        _row(
            _A("runs.filter", "slash", "filter by typing", "Filter the runs"),
            _A("runs.clear", "escape", "all runs, then no marks", "Show all runs, remove the marks"),
        ),
        _row(
            _A("runs.sort", "s", "sort by the next column", "Sort the runs by the next column"),
            _A("runs.reverse", "S", "reverse", "Reverse the order of the runs"),
            also="or a heading",
        ),
        _row(
            _A("runs.note", "n", "note", "Write a note on the run"),
            _A("runs.rename", "m", "rename", "Rename the run"),
            _A("runs.export", "w", "export", "Export the run"),
        ),
        _row(
            _A("runs.delete", "d,delete", "delete", "Delete the run"),
            _A("runs.undo", "u", "restore the run deleted last", "Restore a deleted run"),
        ),
    ),
)
_COMPARE = HelpSection(
    "Comparing runs",
    "runs",
    (
        _row(
            _A("compare.pin_next", "p", "pin the next run", "Pin the next run"),
            _A("compare.pin_previous", "P", "the previous one", "Pin the previous run"),
        ),
        _row(also="← → Home End", words="read values at a step of the pinned run"),
        _row(_A("compare.toggle_log", "l", "logarithmic loss axis", "Toggle logarithmic loss axis")),
        _row(
            _A("compare.back", "escape", "back to the list", "Back to the list"),
            _A("compare.leave", "c,q", "back to the list"),
        ),
    ),
)
_DATA = HelpSection(
    "Data",
    "data",
    (
        _row(_A("data.train", "t", "train on the text", "Train on this text"), also="Enter"),
        _row(_A("data.add", "a", "add a file or a folder; or drop files here", "Add a text")),
        _row(also="paste", words="add the pasted text"),
        _row(
            _A("data.rename", "r", "rename", "Rename this text"),
            _A("data.remove", "d,delete", "remove", "Remove this text"),
        ),
    ),
)
_EVERYWHERE = HelpSection(
    "Everywhere",
    "",
    (
        _row(
            _A("tab.train", "1,f2", "Train", "Go to Train"),
            _A("tab.generate", "2,f3", "Generate", "Go to Generate"),
            _A("tab.runs", "3,f4", "Runs", "Go to Runs"),
            _A("tab.data", "4,f5", "Data", "Go to Data"),
            words="Train, Generate, Runs, Data",
        ),
        _row(also="Tab, arrows", words="move the focus; the mouse works everywhere"),
        _row(_A("app.palette", "ctrl+p", "all commands and themes; a click on tui-gpt")),
        _row(_A("app.suspend", "ctrl+z", "back to the shell; fg returns here", "Back to the shell")),
        _row(_A("app.help", "f1,question_mark", "this page", "Help")),
        _row(
            _A("app.quit", "q", "quit; a run in progress is saved first"),
            _A("app.quit_anywhere", "ctrl+q", "quit, also while typing"),
            words="quit; a run in progress is saved first",
        ),
    ),
)
_DIALOGS = HelpSection(
    "Dialogs",
    "",
    (
        _row(_A("dialog.previous", "left", "previous answer"), _A("dialog.next", "right", "next answer")),
        _row(_A("dialog.save_and_quit", "s", "save and quit"), _A("dialog.delete", "d", "remove")),
        _row(_A("dialog.cancel", "escape", "cancel"), _A("dialog.leave_list", "q", "leave a list")),
        _row(_A("dialog.clear", "ctrl+l", "clear all limits")),
        _row(_A("help.close", "escape,f1,question_mark,q,enter", "close this page")),
    ),
)

HELP_SECTIONS = (
    _TRAIN, _DEMO, _LEARN, _PROMPT, _CARDS, _DESK, _NOTEBOOK, _TREE, _RUNS, _COMPARE, _DATA, _EVERYWHERE, _DIALOGS,
)  # fmt: skip

KEY_ACTIONS: Mapping[str, KeyAction] = MappingProxyType(
    {action.id: action for section in HELP_SECTIONS for row in section.rows for action in row.actions}
)
"""Every action, by its id."""

PLACES_TOGETHER = tuple(
    frozenset(places.split())
    for places in (
        "form tab app",
        "run chart tab app",
        "run sample tab app",
        "compare chart app",
        "demo chart app",
        "learn app",
        "prompt generate tab app",
        "card why generate tab app",
        "alternatives why generate tab app",
        "tree app",
        "search generate",
        "note dialog",
        "sampling generate tab app",
        "examples generate tab app",
        "probability_tree app",
        "by_hand app",
        "prompt sides sampling app",
        "who_wrote authors app",
        "runs tab app",
        "data tab app",
        "dialog",
        "help",
    )
)
"""Places whose keys work at the same time."""

PLACES_OF_TYPING = frozenset({"prompt", "generate", "search", "note", "by_hand", "sides", "who_wrote"})
"""Places where a printable character is typed and cannot be a key."""
NEVER_TYPED = frozenset(
    {"app.palette", "app.suspend", "app.quit_anywhere", "dialog.cancel", "dialog.clear", "runs.clear"}
)
"""Actions whose keys work while a text is typed."""
