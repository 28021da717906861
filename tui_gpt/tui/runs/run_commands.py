"""The actions of the Runs tab: their keys, buttons and entries in the command palette."""

from dataclasses import dataclass

from textual.binding import Binding


@dataclass(frozen=True)
class RunCommand:
    """An action on the list, or on the run under its cursor."""

    action: str
    keys: str
    label: str
    """A word or two, for footer and button."""
    title: str
    """For the command palette, as is `explanation`."""
    explanation: str
    key_words: str = ""
    """The key as a button shows it, if it is not `keys`."""
    in_footer: bool = False
    row: int = 0
    """The row of its button, 1 or 2; 0 for an action that has another place for the mouse."""

    @property
    def binding(self) -> Binding:
        """The keys."""
        return Binding(self.keys, self.action, self.label, show=self.in_footer)

    @property
    def button(self) -> str:
        """The text of the button."""
        return f"{self.label}  {self.key_words or self.keys}"


RUN_COMMANDS = (
    RunCommand("open_run", "enter", "Open", "Open the run", "Show it in the Train tab", key_words="Enter", row=1),
    RunCommand(
        "resume_run", "r", "Resume", "Resume the run", "Train on from its last checkpoint", in_footer=True, row=1
    ),
    RunCommand(
        "generate_with", "g", "Generate", "Generate with the run", "Open the Generate tab",
        in_footer=True, row=1,
    ),
    RunCommand(
        "compare", "c", "Compare", "Compare the marked runs", "Their curves and settings",
        in_footer=True, row=1,
    ),
    RunCommand(
        "delete_run", "d,delete", "Delete", "Delete the run", "u restores it", key_words="d",
        in_footer=True, row=1,
    ),
    RunCommand("undo", "u", "Undo", "Restore a deleted run", "The one that was deleted last", row=2),
    RunCommand(
        "mark", "space", "Mark", "Mark the run", "Two to six marked runs can be compared", key_words="Space",
        in_footer=True, row=2,
    ),
    RunCommand(
        "filter", "slash", "Filter", "Filter the runs", "By words of name, state, text or note", key_words="/", row=2
    ),
    RunCommand("note", "n", "Note", "Write a note on the run", "One line, shown in the list", row=2),
    RunCommand("rename", "m", "Rename", "Rename the run", "Its folder gets the new name", row=2),
    RunCommand("export", "w", "Export", "Export the run", "Its model, or its losses as CSV or for TensorBoard", row=2),
    RunCommand("sort", "s", "Sort", "Sort the runs by the next column", "A click on a heading does it, too"),
    RunCommand("reverse", "S", "Reverse", "Reverse the order of the runs", "From large to small, or back"),
)  # fmt: skip
