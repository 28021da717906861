"""The replay of a recorded training: `tui-gpt demo`."""
