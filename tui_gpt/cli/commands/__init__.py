"""The commands of `tui-gpt`, one subject a file; the only place besides `cli.py` that imports click."""
