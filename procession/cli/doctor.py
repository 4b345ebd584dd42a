"""`doctor`: tries every connection and says in words what works, and what to mend."""

from collections.abc import Mapping
from dataclasses import asdict

import typer
from rich.text import Text

from procession.cli import output
from procession.cli.content import Json
from procession.cli.session import session

MARKS: Mapping[str, tuple[str, str]] = {
    "well": ("✓", "green"),
    "unwell": ("✗", "red"),
    "not set up": ("–", "yellow"),
}


def add(app: typer.Typer) -> None:
    app.command(rich_help_panel="Running")(doctor)


def doctor(context: typer.Context, json: Json = False) -> None:
    """Try the settings, the database, the mail server with its login, Prefect, the templates and the processes.

    Exit code 1 if something is not well.

    Examples:

      procession doctor
      procession doctor --json
    """
    found = []
    for checkup in session(context).application.checkups():
        found.append(checkup)
        if json:
            continue
        mark, style = MARKS[checkup.state]
        output.say(Text.assemble((f"{mark} {checkup.what}: ", f"bold {style}"), checkup.found))
        if checkup.mend:
            output.say(f"    {checkup.mend}")
    if json:
        output.emit([asdict(checkup) for checkup in found])
    if any(checkup.state == "unwell" for checkup in found):
        raise typer.Exit(1)
