"""The library behind `import tui_gpt`: functions and objects for scripts and notebooks, built on the session.

`tui_gpt/__init__.py` lists the public names and imports each when it is first used. The command line and the app do not
use this package.
"""
