"""`restored`: what is to become of what a database had queued that was put back from a backup."""

from dataclasses import asdict
from typing import Annotated

import typer

from procession.cli import output
from procession.cli.content import Json
from procession.cli.session import session
from procession.errors import InputError
from procession.spelling import count


def add(app: typer.Typer) -> None:
    app.command(rich_help_panel="Running")(restored)


def restored(
    context: typer.Context,
    go_on: Annotated[bool, typer.Option("--go-on", help="What was queued or due goes out.")] = False,
    drop_due: Annotated[bool, typer.Option("--drop-due", help="What was queued or due is cancelled; what is due later stays.")] = False,
    json: Json = False,
) -> None:  # fmt: skip
    """Say what is to become of what a database had queued or due that was put back from a backup.

    Such a database is held: it does not know what happened after the backup, so what it has queued may have gone out
    already. Mails of it that are known to have gone out count as sent either way. What started after the backup is not
    in it: if it is wanted again (a meeting is saved again), its mail goes out again, under a new Message-ID.
    Use --drop-due if you do not know better, and look at what it cancelled in the History of the records.

    Examples:

      procession restored --drop-due
      procession restored --go-on
    """
    if go_on == drop_due:
        raise InputError("say what is to become of what was queued or due", hint="Give --go-on or --drop-due")
    from procession import restoring

    now = session(context)
    application = now.application
    ports, witness = application.ports(), application.witness
    if go_on:
        done = restoring.go_on(ports, witness, now.actor)
    else:
        application.definitions.refresh(0)
        done = restoring.drop_due(ports, application.definitions.plans, witness, now.actor)
    if json:
        output.emit(asdict(done))
        return
    if done.sent:
        output.say(f"{count(done.sent, 'mail')} that had gone out after the backup: sent.")
    if done.unknown:
        them = "it" if done.unknown == 1 else "them"
        output.say(
            f"{count(done.unknown, 'mail')} went out that this database does not know of; what caused {them} may cause"
            f" {them} again."
        )
    if drop_due:
        output.say(f"Cancelled: {count(done.mails, 'mail')}, {count(done.instances, 'instance')}.")
        output.say(f"Events that start nothing any more: {done.events}.")
    output.say("The database is held no more; `procession serve` takes up what is there to do.")
