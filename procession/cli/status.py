"""`status`: how many instances of which process do what, which mails are on their way, and what waits longest."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from procession.cli import output
from procession.cli.content import Json
from procession.cli.instances import said_of, wait_document
from procession.cli.session import session
from procession.ports import InstanceState, MailState
from procession.spelling import count

STATES: tuple[InstanceState, ...] = ("ready", "running", "waiting", "queued", "incident")
MAILS: tuple[MailState, ...] = ("draft", "held", "queued", "sending", "unknown", "failed")


def add(app: typer.Typer) -> None:
    app.command(rich_help_panel="Looking")(status)


def status(
    context: typer.Context,
    longest: Annotated[int, typer.Option("--longest", metavar="N", min=0, max=1000, help="So many of those that wait longest.")] = 5,
    json: Json = False,
) -> None:  # fmt: skip
    """Show what is under way: instances by process and state, mails that are not sent yet, and what waits longest.

    Examples:

      procession status
      procession status --longest 20
      procession status --json
    """
    with session(context).application.store.unit(write=False) as unit:
        tally = unit.journal.tally()
        mails = unit.outbox.count(MAILS)
        waits = unit.journal.longest_waits(longest) if longest else []
        found = unit.journal.instances(ids=[wait.instance for wait in waits]) if waits else []
    titles = {instance.id: instance.title for instance in found}
    if json:
        told = [
            {"instance": wait.instance, "title": titles.get(wait.instance), **wait_document(wait)}
            for wait in waits
        ]
        output.emit({"instances": tally, "mails": mails, "longest_waits": told})
        return
    if tally:
        columns = ("process", *(f">{state}" for state in STATES))
        output.table(columns, [_line(process, states) for process, states in sorted(tally.items())])
    for wait in waits:
        output.say(f"#{wait.instance} {output.brief(titles.get(wait.instance, ''), 120)}")
        output.say(f"  {said_of(wait)}", "dim")
    live = sum(sum(states.values()) for states in tally.values())
    on_the_way = ", ".join(f"{number} {state}" for state, number in mails.items() if number)
    output.note(f"{count(live, 'instance')} under way; mails: {on_the_way or 'none on the way'}.")


def _line(process: str, states: Mapping[InstanceState, int]) -> tuple[Any, ...]:
    return process, *(str(states.get(state) or "") for state in STATES)
