"""Styles for parts of a text, where a style sheet does not reach."""

MUTED = "$foreground 65%"
"""Less important words. `$text-muted` is relative to a background, which a part of a text does not know."""
