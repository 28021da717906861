"""Styles for parts of a text, where a style sheet does not reach."""

MUTED = "dim"
"""Less important words, readable on any background. `$text-muted` is relative to one that a part does not know."""
