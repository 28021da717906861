"""`tui-gpt learn`: the lesson, in the app."""

import click

from tui_gpt.cli.commands import common, completion, terminal
from tui_gpt.config import DEFAULT_CORPUS
from tui_gpt.errors import UsageError
from tui_gpt.tui.learn.opening import LAST_SCREEN, Lesson


@click.command()
@click.argument("corpus", required=False, default=DEFAULT_CORPUS, shell_complete=completion.texts)
@click.option(
    "--screen",
    metavar="N",
    type=click.IntRange(1, LAST_SCREEN),
    cls=common.Option,
    heading="The lesson",
    help=f"Begin with this screen, 1 to {LAST_SCREEN}; without it, where you stopped.",
)
def learn(corpus: str, screen: int | None) -> int:
    """Learn in eight screens how a language model works, with CORPUS as the example: about ten minutes.

    CORPUS is a file, a folder of text files, or a name from `tui-gpt data list`. Everything is computed here.
    Enter shows the next screen, F1 all keys, q quits. No run is stored.
    """
    if not terminal.fits_the_app():
        raise UsageError("the lesson needs a terminal on stdin and stderr: run it in one, or read docs/lesson.md")
    from tui_gpt.text.corpora import require_file
    from tui_gpt.tui.app.app import run_app

    require_file(corpus)
    return run_app(lesson=Lesson(corpus, screen))
