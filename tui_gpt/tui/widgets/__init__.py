"""Widgets, one visual idea a file."""
