"""The lesson: how a language model works, in eight screens computed on the user's machine: `tui-gpt learn`."""
