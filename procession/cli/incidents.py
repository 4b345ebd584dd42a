"""`incidents`: everything a person must look at, where it happened, and what to do about it."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from procession.cli import mails, output
from procession.cli.content import Json
from procession.cli.instances import document, in_the_way, tell_error
from procession.cli.session import session
from procession.errors import InputError
from procession.ports import Envelope, Instance, ListedMail
from procession.spelling import count

app = typer.Typer(help="What a person must look at: stopped instances, and mails nobody knows the fate of.")

Number = Annotated[int, typer.Argument(metavar="N", help="The number shown by `procession incidents`")]


@app.callback(invoke_without_command=True)
def incidents(context: typer.Context, json: Json = False) -> None:
    """List instances that stopped at an error, and mails that failed or whose fate is unknown.

    Each with its place in the process, and what to do.

    Examples:

      procession incidents
      procession incidents resume 12
      procession incidents mark-sent 5
      procession incidents resend 5
    """
    if context.invoked_subcommand:
        return
    with session(context).application.store.unit(write=False) as unit:
        stopped = unit.journal.instances(states=["incident"], limit=1000)
        lines = unit.journal.lines([instance.id for instance in stopped])
        held = unit.outbox.in_state(["unknown", "failed"], limit=1000)
    if json:
        told = [document(instance, lines.get(instance.id, ())) for instance in stopped]
        output.emit({"instances": told, "mails": [mails.document(m) for m in held]})
        return
    for instance in stopped:
        _tell_instance(instance, lines.get(instance.id, ()))
    for mail in held:
        _tell_mail(mail)
    found = len(stopped) + len(held)
    output.note(
        "Nothing to look at." if not found else f"{count(found, 'incident')}.",
        "" if found else "green",
    )


@app.command("resume")
def resume(context: typer.Context, number: Number) -> None:
    """Let a stopped instance try its step again; the running engine takes it up.

    Examples:

      procession incidents resume 12
    """
    application = session(context).application
    with application.store.unit() as unit:
        if not unit.journal.resume(number, application.clock.now()):
            found = unit.journal.instances(ids=[number])
            what = (
                f"instance {number} is {found[0].state}, no incident"
                if found
                else f"there is no instance {number}"
            )
            raise InputError(what, hint="See: procession incidents")
        unit.commit()
    output.say(f"Instance {number} is ready again; `procession serve` takes it up.")


@app.command("mark-sent")
def mark_sent(context: typer.Context, number: Number) -> None:
    """Say that a mail did go out (you found it at its receiver, or in the server's log). Its process goes on.

    Examples:

      procession incidents mark-sent 5
    """
    mails.move(session(context), number, ["unknown"], "sent", "marked as sent", resume=True)
    output.say(f"Mail {number} counts as sent.")


@app.command("resend")
def resend(context: typer.Context, number: Number) -> None:
    """Send a mail again whose fate is unknown, or that was refused. Its receiver may get it twice.

    Examples:

      procession incidents resend 5
    """
    now = session(context)
    waiting = _waits_for_it(now.application, mails.read(now, number))
    at = None if waiting else now.application.clock.now()
    mails.move(now, number, ["unknown", "failed"], "queued", "queued again", not_before=at, resume=waiting)
    output.say(f"Mail {number} is queued; `procession serve` sends it.")


def _waits_for_it(application: Any, mail: Envelope) -> bool:
    """Whether an incident stands at the step of this mail, and will send it when it is resumed."""
    if mail.instance is None:
        return False
    with application.store.unit(write=False) as unit:
        found = unit.journal.instances(ids=[mail.instance])
    return bool(found) and found[0].state == "incident" and _step(found[0].error) == mail.path


def _step(error: Mapping[str, Any] | None) -> str:
    return str((error or {}).get("step", ""))


def _tell_instance(instance: Instance, line: Sequence[int]) -> None:
    output.say(f"instance {instance.id}  {output.brief(instance.title, 120)}", "bold")
    if instance.error:
        tell_error(instance.error)
    for said in in_the_way(instance, line):
        output.say(f"  {said}.")
    output.say(
        f"  Go on: procession incidents resume {instance.id}   Give up: procession instances cancel {instance.id}\n"
    )


def _tell_mail(mail: ListedMail) -> None:
    subject = output.brief(mail.subject, 120)
    output.say(f"mail {mail.id}  “{subject}” to {', '.join(mail.recipients)}", "bold")
    output.say(f"{mail.state}: {mail.error or 'no answer of the mail server was read'}", "red")
    if mail.state == "unknown":
        output.say("  Ask its receiver, or look into the log of the mail server for its Message-ID:")
        output.say(f"  {mail.message_id}")
        output.say(
            f"  It went out: procession incidents mark-sent {mail.id}   It did not: procession incidents resend {mail.id}\n"
        )
    else:
        output.say(
            f"  Again: procession incidents resend {mail.id}   Give up: procession email cancel {mail.id}\n"
        )
