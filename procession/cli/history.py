"""`history`: what happened to a record, newest first, with who did it and what became of the mails."""

from typing import Annotated, Any

import typer
from rich.text import Text

from procession.cli import output
from procession.cli.content import Json
from procession.cli.session import session
from procession.errors import InputError
from procession.ports import Actor, HistoryRow
from procession.records import Ref


def add(app: typer.Typer) -> None:
    app.command(rich_help_panel="Looking")(history)


def history(
    context: typer.Context,
    record: Annotated[str, typer.Argument(metavar="RECORD", help="For example opportunity:3")],
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=10_000, help="At most so many rows.")
    ] = 50,
    json: Json = False,
) -> None:
    """Show the History of a record, newest first: its own and that of every activity connected to it.

    Examples:

      procession history opportunity:3
      procession history contact:5 --limit 10
      procession history activity:17 --json
    """
    now = session(context)
    ref = now.ref(record)
    rows, name = read(now.application.store, ref, limit)
    if json:
        output.emit([document(row) for row in rows])
        return
    output.say(f"History of {ref}{f': {name}' if name else ''}", "bold")
    if rows:
        output.table(("when", "what", "by", "mail"), [line(row) for row in rows])
    else:
        output.say("Nothing happened yet.")


def read(store: Any, ref: Ref, limit: int) -> tuple[list[HistoryRow], str]:
    """The rows, and the record's name ("" if it was deleted).

    Raises:
        InputError: neither the record nor any History of it is there.
    """
    with store.unit(write=False) as unit:
        rows = unit.history.of(ref, limit)
        record = unit.records.fetch([ref], frozenset()).get(ref)
    if record is None and not rows:
        raise InputError(f"there is no {ref}", hint=f"See: procession crm list {ref.entity}")
    return rows, str(record or "")


def line(row: HistoryRow) -> tuple[str, str, str, Text]:
    """A row of the table."""
    return (
        output.short_time(row.at),
        output.brief(row.text, 240),
        who(row.actor),
        output.state(row.delivery or ""),
    )


def who(actor: Actor) -> str:
    """The person's name, or the title of the process with the number of its instance."""
    if actor.kind == "process":
        return f"{actor.name} #{actor.instance}"
    return actor.name if actor.kind == "user" else f"{actor.name} ({actor.kind})"


def document(row: HistoryRow) -> dict[str, Any]:
    actor = row.actor
    return {
        "id": row.id, "at": row.at, "on": row.on, "kind": row.kind, "text": row.text,
        "actor": {"kind": actor.kind, "name": actor.name, "process": actor.process,
                  "instance": actor.instance, "step": actor.step},
        "activity": row.activity and Ref("activity", row.activity), "delivery": row.delivery,
    }  # fmt: skip
