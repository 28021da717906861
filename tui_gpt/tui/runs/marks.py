"""The runs that are marked to be compared, each with its colour and line style."""

from collections.abc import Container

MAX_MARKS = 6


class Marks:
    """Marked runs. A run keeps its style for as long as it is marked, whatever happens to the others."""

    def __init__(self) -> None:
        self.styles: dict[str, int] = {}
        """The style of each marked run, 0 to 5, in the order in which they were marked."""

    def toggle(self, name: str) -> bool:
        """Mark a run with the lowest free style, or remove its mark; return False if too many are marked already."""
        if self.styles.pop(name, None) is not None:
            return True
        free = set(range(MAX_MARKS)) - set(self.styles.values())
        if free:
            self.styles[name] = min(free)
        return bool(free)

    def keep(self, names: Container[str]) -> None:
        """Remove the marks of all other runs."""
        self.styles = {name: style for name, style in self.styles.items() if name in names}

    def rename(self, name: str, new_name: str) -> None:
        """Let a renamed run keep its mark."""
        self.styles = {new_name if each == name else each: style for each, style in self.styles.items()}

    def clear(self) -> None:
        """Remove all marks."""
        self.styles = {}
