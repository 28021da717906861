"""Train a small GPT on a text of your choice and generate text with it, in your terminal."""

__version__ = "0.1.0"
