"""Texts that are too large for memory: read in pieces, tokenized once into a file, and mapped into memory."""
