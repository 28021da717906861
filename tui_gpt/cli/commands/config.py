"""`tui-gpt config`: show and initialise the user's own defaults."""

import json

import click

from tui_gpt.storage import paths, settings


@click.group()
def config() -> None:
    """Show or edit defaults."""


@config.command("path")
def show_path() -> None:
    """Print the path of the file, which need not exist."""
    click.echo(paths.config_file())


@config.command("show")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def show(as_json: bool) -> None:
    """Print every setting with its value and source."""
    for number, section in enumerate(settings.SETTINGS):
        rows = settings.effective(section)
        if as_json:
            for row in rows:
                record = {"section": section, "name": row.setting.name, "value": row.value, "source": row.source}
                click.echo(json.dumps(record, ensure_ascii=False))
        else:
            click.echo(("\n" if number else "") + settings.as_toml(section, rows))


@config.command("init")
@click.option("--force", is_flag=True, help="Replace an existing file.")
def init(force: bool) -> None:
    """Write a file in which every setting is commented out."""
    click.echo(settings.write_template(replace=force))
