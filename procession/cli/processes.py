"""`process`: which version of each process is current, since when and by whom; and its retirement."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from procession.cli import output
from procession.cli.content import Json
from procession.cli.session import session
from procession.errors import InputError
from procession.ports import Publication
from procession.spelling import count, did_you_mean

app = typer.Typer(
    help="The current versions of the processes, as the database has them.", no_args_is_help=True
)


@app.command("list")
def listed(context: typer.Context, json: Json = False) -> None:
    """List the processes: the current version, since when, which folder published it, and how many instances live.

    Examples:

      procession process list
      procession process list --json
    """
    with session(context).application.store.unit(write=False) as unit:
        found = _last(unit.journal.publications())
        live = unit.journal.live()
    if json:
        output.emit([_document(one, live.get(one.process, 0)) for one in found.values()])
        return
    if found:
        rows = [_line(one, live.get(one.process, 0)) for one in found.values()]
        output.table(("process", "version", ">live", "since", "published by"), rows)
    current = sum(bool(one.digest) for one in found.values())
    output.note(f"{count(current, 'process')}{'' if found else '. See: procession deploy'}")


@app.command("retire")
def retire(
    context: typer.Context,
    process: Annotated[str, typer.Argument(metavar="PROCESS", help="The id of a process")],
    json: Json = False,
) -> None:
    """Let a process start nothing more; its live instances go on.

    A changed file starts it again once it is published, its old one with `procession deploy --back`.

    Examples:

      procession process retire notify_contact_of_meeting
    """
    application = session(context).application
    with application.store.unit(write=False) as unit:
        found = _last(unit.journal.publications())
    if process not in found:
        hint = did_you_mean(process, found) or "See: procession process list"
        raise InputError(f"no process {process!r} was ever published", hint=hint)
    retired = application.retire(process)
    with application.store.unit(write=False) as unit:
        last = _last(unit.journal.publications())[process]
        live = unit.journal.live().get(process, 0)
    if json:
        output.emit(_document(last, live))
        return
    output.say(f"{process} is retired: it starts nothing." if retired else f"{process} is retired already.")
    if live:
        output.note(f"{count(live, 'instance')} of it not over: procession instances --process {process}")


def _last(publications: "list[Publication]") -> Mapping[str, Publication]:
    """The last line of each process, by its id."""
    last = {one.process: one for one in publications}
    return {process: last[process] for process in sorted(last)}


def _document(one: Publication, live: int) -> dict[str, Any]:
    return {
        "process": one.process, "state": "current" if one.digest else "retired", "version": one.number or None,
        "digest": one.digest, "since": one.at, "folder": one.folder, "live": live,
    }  # fmt: skip


def _line(one: Publication, live: int) -> tuple[str, str, str, str, str]:
    version = str(one.number) if one.digest else "retired"
    return one.process, version, str(live) if live else "", output.short_time(one.at), one.folder
