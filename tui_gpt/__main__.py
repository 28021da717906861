"""`python -m tui_gpt`: the same command as `tui-gpt`, and what torchrun starts."""

from tui_gpt.cli.main import main

if __name__ == "__main__":
    main()
