"""Texts that are too large for memory."""
