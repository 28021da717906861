"""`tui-gpt config`: the user's own defaults."""

import json

import click

from tui_gpt.storage import paths, settings


@click.group()
def config() -> None:
    """Look at and set your own defaults."""


@config.command("path")
def show_path() -> None:
    """Print where the file is, or would be."""
    click.echo(paths.config_file())


@config.command("show")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def show(as_json: bool) -> None:
    """Print every setting as it holds now, and where it comes from."""
    for number, section in enumerate(settings.SETTINGS):
        rows = settings.effective(section)
        if as_json:
            for row in rows:
                record = {"section": section, "name": row.setting.name, "value": row.value, "source": row.source}
                click.echo(json.dumps(record, ensure_ascii=False))
        else:
            click.echo(("\n" if number else "") + settings.as_toml(section, rows))


@config.command("init")
@click.option("--force", is_flag=True, help="Replace the file that is there.")
def init(force: bool) -> None:
    """Write a file with every setting in it, each as a comment."""
    click.echo(settings.write_template(replace=force))
