"""A full screen with classes for its size, by which `app.tcss` lays out what fits."""

from typing import TypeVar

from textual.screen import Screen

Result = TypeVar("Result")


class SizedScreen(Screen[Result]):
    """A screen with a class for its width and one for its height; `compose` begins with `set_size_classes`."""

    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (60, "-narrow"), (120, "-wide")]  # noqa: RUF012  # Textual types it as an instance's
    VERTICAL_BREAKPOINTS = [(0, "-tiny"), (18, "-low"), (36, "-tall")]  # noqa: RUF012  # the same

    def set_size_classes(self) -> None:
        """Set the classes of the breakpoints before there are widgets, each of which they would style a second time."""
        width, height = self.app.size
        for size, breakpoints in ((width, self.HORIZONTAL_BREAKPOINTS), (height, self.VERTICAL_BREAKPOINTS)):
            self.add_class(max(each for each in breakpoints if each[0] <= size)[1])
