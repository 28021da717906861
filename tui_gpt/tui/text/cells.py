"""Words in a given number of terminal cells; a wide character, as in Chinese, takes two."""

from rich.cells import cell_len, set_cell_size


def fitted(words: str, width: int, *, to_the_right: bool = False) -> str:
    """Return words in exactly `width` cells, with an ellipsis where they are cut off."""
    words = words.replace("\n", " ")
    if cell_len(words) > width:
        return set_cell_size(words, max(0, width - 1)) + "…"
    return " " * (width - cell_len(words)) + words if to_the_right else set_cell_size(words, width)
