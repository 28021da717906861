"""The commands of `tui-gpt`, one subject per file; the only place besides `cli/main.py` that imports click."""
