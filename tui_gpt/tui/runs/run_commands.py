"""The actions of the Runs tab, with the words of their buttons; keys and titles are in the table of keys."""

from dataclasses import dataclass

from textual.binding import Binding

from tui_gpt.tui.keys import key_binding


@dataclass(frozen=True)
class RunCommand:
    """An action on the list, or on the run under its cursor."""

    action: str
    key: str
    """Its id in the table of keys."""
    label: str
    """A word or two, for footer and button."""
    in_footer: bool = False
    row: int = 0
    """The row of its button, 1 or 2; 0 for an action that has another place for the mouse."""

    @property
    def binding(self) -> Binding:
        """The keys."""
        return key_binding(self.key, self.action, self.label, show=self.in_footer)


RUN_COMMANDS = (
    RunCommand("open_run", "runs.open", "Open", row=1),
    RunCommand("resume_run", "runs.resume", "Resume", in_footer=True, row=1),
    RunCommand("generate_with", "runs.generate", "Generate", in_footer=True, row=1),
    RunCommand("compare", "runs.compare", "Compare", in_footer=True, row=1),
    RunCommand("delete_run", "runs.delete", "Delete", in_footer=True, row=1),
    RunCommand("undo", "runs.undo", "Undo", row=2),
    RunCommand("mark", "runs.mark", "Mark", in_footer=True, row=2),
    RunCommand("filter", "runs.filter", "Filter", row=2),
    RunCommand("note", "runs.note", "Note", row=2),
    RunCommand("rename", "runs.rename", "Rename", row=2),
    RunCommand("export", "runs.export", "Export", row=2),
    RunCommand("sort", "runs.sort", "Sort"),
    RunCommand("reverse", "runs.reverse", "Reverse"),
)
