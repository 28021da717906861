"""`tui-gpt doctor`: check the installation."""

import dataclasses
import json

import click

from tui_gpt.cli.doctor import Check, examine
from tui_gpt.errors import EXIT_DONE, EXIT_FAILED
from tui_gpt.escaping import escape_controls

_SIGNS = {"ok": "ok     ", "warning": "warning", "failed": "FAILED "}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def doctor(as_json: bool) -> int:
    """Check Python, terminal, disk, PyTorch, speed and the shipped data; name a remedy for each problem."""
    failed = False
    for check in examine():
        failed = failed or check.status == "failed"
        click.echo(json.dumps(dataclasses.asdict(check), ensure_ascii=False) if as_json else _line(check))
    return EXIT_FAILED if failed else EXIT_DONE


def _line(check: Check) -> str:
    remedy = f"\n{'':19}→ {escape_controls(check.remedy)}" if check.remedy else ""
    return f"{_SIGNS[check.status]}  {check.name:<10}{escape_controls(check.detail)}{remedy}"
