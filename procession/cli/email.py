"""`email`: a mail written by hand takes the way of every other: the same outbox, the same History.

`new` writes a draft with the same `decide` as the step `send_email`; `send` hands it over as the engine would.
"""

import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.text import Text

from procession.cli import mails, output, records
from procession.cli.by_hand import NO_MAIL, check_reader, person, template_names, with_place
from procession.cli.content import Json
from procession.cli.fields import pairs
from procession.cli.session import Session, session
from procession.effects import SendMail
from procession.errors import ExpressionError, InputError, Place
from procession.ports import Envelope, HistoryRow, ListedMail, Ports, QueuedMail
from procession.records import Ref
from procession.spelling import count, did_you_mean, one_of

app = typer.Typer(help="Mails: write one by hand, see what went out, send a draft.", no_args_is_help=True)

STATES = ("draft", "held", "queued", "sending", "sent", "failed", "unknown", "cancelled", "withdrawn")
ANOTHER_ENGINE_SECONDS = 10.0
Number = Annotated[int, typer.Argument(metavar="N", help="The number shown by `procession email list`")]


@app.command("new")
def new(
    context: typer.Context,
    to: Annotated[list[str], typer.Option("--to", metavar="WHO", help="A contact, a user, or an address; may be given again.")],
    subject: Annotated[str | None, typer.Option("--subject", metavar="TEXT", help="With --text, in place of a template.")] = None,
    text: Annotated[str | None, typer.Option("--text", metavar="TEXT", help="The mail as plain text; - reads it from standard input.")] = None,
    template: Annotated[str | None, typer.Option("--template", metavar="NAME", help="A mail template; see `procession template list`.")] = None,
    with_: Annotated[list[str] | None, typer.Option("--with", metavar="NAME=VALUE", help="A name for the template: a record or text.")] = None,
    connected_to: Annotated[list[str] | None, typer.Option("--connected-to", metavar="RECORD", help="What the mail is connected to.")] = None,
    from_: Annotated[str | None, typer.Option("--from", metavar="WHO", help="A user, or a mailbox; otherwise the default sender.")] = None,
    cc: Annotated[list[str] | None, typer.Option("--cc", metavar="WHO", help="As --to.")] = None,
    language: Annotated[str | None, typer.Option("--language", metavar="LANGUAGE", help="Otherwise that of the contact.")] = None,
    reply_to: Annotated[int | None, typer.Option("--reply-to", metavar="N", help="The mail this one answers: same thread.")] = None,
    ignore_opt_out: Annotated[bool, typer.Option("--ignore-opt-out", help="Write even to contacts that want no mail.")] = False,
    json: Json = False,
) -> None:  # fmt: skip
    """Write a mail and keep it as a draft, to be looked at and sent with `email send`.

    Examples:

      procession email new --to contact:3 --template meeting_new --with meeting=activity:17
      procession email new --to ann@acme.example --subject Hello --text "See you on Friday."
    """
    now = session(context)
    check_reader(language)
    if template:
        now.application.warm_up()
    fields = {
        "to": [person(now, one, "--to") for one in to], "cc": [person(now, one, "--cc") for one in cc or ()],
        "from": person(now, from_, "--from") if from_ else None, "template": _template(now, template),
        "subject": subject, "text": sys.stdin.read() if text == "-" else text, "language": language,
        "connected_to": [records.read_record(now, now.ref(one)) for one in connected_to or ()],
        "opt_out": "ignore" if ignore_opt_out else "respect", "reply_to": "answered" if reply_to else "", "send": "draft",
    }  # fmt: skip
    if template is None and (subject is None or text is None):
        raise InputError("a mail needs a --template, or a --subject and a --text")
    if template is not None and (subject is not None or text is not None):
        raise InputError("a mail has a --template, or a --subject and a --text, not both")
    draft = _keep(now, _written(now, fields, pairs(with_ or (), "--with"), reply_to))
    if json:
        output.emit(mails.document(draft))
    else:
        output.say(f"Mail {draft.id} is a draft, to {', '.join(draft.recipients)}.")
        output.note(
            f"Look at it: procession email show {draft.id}   Send it: procession email send {draft.id}"
        )


@app.command("list")
def list_(
    context: typer.Context,
    state: Annotated[list[str] | None, typer.Option("--state", "-s", metavar="STATE", help=f"Only these: {', '.join(STATES)}.")] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=10_000, help="At most so many, the newest.")] = 50,
    json: Json = False,
) -> None:  # fmt: skip
    """List mails that are not sent yet, or those in the states you name, newest first.

    Examples:

      procession email list
      procession email list --state sent --limit 10
      procession email list --state draft --json
    """
    for word in state or ():
        if word not in STATES:
            raise InputError(
                f"there is no state {word!r}", hint=did_you_mean(word, STATES) or f"It is {one_of(STATES)}."
            )
    wanted = state or [word for word in STATES if word not in ("sent", "cancelled", "withdrawn")]
    with session(context).application.store.unit(write=False) as unit:
        found = unit.outbox.in_state(wanted, limit, newest=True)  # type: ignore[arg-type]  # checked above
    if json:
        output.emit([mails.document(mail) for mail in found])
        return
    if not found:
        output.note("None.")
        return
    output.table(("#", "state", "to", "subject"), [_line(mail) for mail in found])
    output.note(f"{count(len(found), 'mail')}.")


@app.command("show")
def show(context: typer.Context, number: Number, json: Json = False) -> None:
    """Show a mail as its receiver sees it: headers, text, attachments.

    Examples:

      procession email show 21
      procession email show 21 --json
    """
    mail = mails.read(session(context), number)
    read_back = mails.written(mail.mime)
    if json:
        output.emit(
            {
                **mails.document(mail),
                "headers": read_back.headers,
                "text": read_back.text,
                "html": read_back.html,
            }
        )
        return
    output.say(f"mail {mail.id}: {_state(mail)}{f' ({mail.error})' if mail.error else ''}", "bold")
    show_written(read_back)


def show_written(mail: mails.Written) -> None:
    """Headers, text and attachments."""
    for name, value in mail.headers.items():
        output.say(f"{name}: {value}", "dim")
    output.say()
    output.say(mail.text)
    for name, media_type, size in mail.attachments:
        output.say(f"\n[attached: {name}, {media_type}, {size:,} bytes]")


@app.command("send")
def send(context: typer.Context, number: Number, json: Json = False) -> None:
    """Send a draft, or a mail that is held back, now and from here.

    Exit code 1 if the mail server did not take it.

    Examples:

      procession email send 21
    """
    now = session(context)
    application = now.application
    ports = application.ports()
    from procession.witness import refuse_if_held

    refuse_if_held(ports)
    if mails.read(now, number).state == "held":
        mail = _sent_by_its_step(now, ports, number)
    else:
        mail = _sent_as_it_is(now, ports, number)
    if json:
        output.emit(mails.document(mail))
    elif mail.state == "sent":
        redirect = application.redirect_all_to
        instead = f"{redirect} in place of " if redirect and redirect not in mail.recipients else ""
        output.say(f"Sent to {instead}{', '.join(mail.recipients)}.")
    else:
        output.note(_not_sent(mail), "red")
    if mail.state != "sent":
        raise typer.Exit(1)


@app.command("cancel")
def cancel(context: typer.Context, number: Number) -> None:
    """Give up a mail that did not go out: a draft, one that is held back, or one that failed.

    Examples:

      procession email cancel 21
    """
    mails.move(session(context), number, ["draft", "held", "queued", "failed"], "cancelled", "cancelled")
    output.say(f"Mail {number} is cancelled.")


def _sent_as_it_is(now: Session, ports: Ports, number: int) -> Envelope:
    from procession.deliver import deliver
    from procession.engines import beating
    from procession.unattended import NoSteps

    at = now.application.clock.now()
    mails.move(now, number, ["draft", "queued"], "queued", "sent by hand", not_before=at)
    with beating(ports.engine):
        deliver([mails.read(now, number)], ports, NoSteps())
    return mails.read(now, number)


def _sent_by_its_step(now: Session, ports: Ports, number: int) -> Envelope:
    """Written anew, if its process still wants it; here, or by an engine that was faster."""
    from procession.advance import advance
    from procession.engine import by_version, claim
    from procession.engines import beating

    mail = mails.read(now, number)
    with now.application.store.unit() as unit:
        if unit.journal.instances(ids=[mail.instance or 0], states=["incident"]):
            hint = f"See: procession incidents; then: procession incidents resume {mail.instance}"
            raise InputError(f"the process of mail {number} is held by an error", hint=hint)
        unit.journal.wake(mail.instance or 0, mail.path, mail.round, now.application.clock.now(), hasten=True)
        unit.commit()
    with beating(ports.engine):
        for plan, instances in by_version(
            claim(ports, 1, [mail.instance or 0]), now.application.definitions, ports
        ):
            advance(plan, instances, ports)
    until = time.monotonic() + ANOTHER_ENGINE_SECONDS
    while (mail := mails.read(now, number)).state in ("held", "sending") and time.monotonic() < until:
        time.sleep(0.1)
    return mail


def _written(
    now: Session, fields: Mapping[str, Any], names: Mapping[str, str], reply_to: int | None
) -> SendMail:
    """The mail, as the step `send_email` writes it; a person's, so not marked as automatic.

    Raises:
        InputError: the recipient wants no mail.
        PermanentError: no address.
        ProcessError: the template failed.
    """
    from procession.steps.kind import Context
    from procession.steps.send_email import decide

    application = now.application
    ports = application.ports(mail_out=NO_MAIL)
    given: dict[str, Any] = template_names(now, str(fields["template"] or ""), names)
    if reply_to:
        given["outputs"] = {"answered": {"message_id": mails.read(now, reply_to).message_id}}
    context = Context(
        names=given, now=application.clock.now(), process="", title="", at=Place("command line", 1, 1),
        message_id=f"<{uuid.uuid4().hex}@{ports.mail_domain}>", mail_domain=ports.mail_domain,
        default_sender=ports.default_sender, history_on=None, renderer=application.renderer,
        schema=application.schema, functions=application.functions,
    )  # fmt: skip
    try:
        outcome = decide(fields, context)
    except ExpressionError as error:
        raise with_place(error, names) from error
    for effect in outcome.effects:
        if isinstance(effect, SendMail):
            return replace(effect, automatic=False)
    raise InputError("whoever this is to wants no mail", hint="Write all the same with --ignore-opt-out")


def _keep(now: Session, mail: SendMail) -> Envelope:
    """Put the draft into the outbox, with its line of History."""
    from procession.mail import composed

    at, redirect = now.application.clock.now(), now.application.redirect_all_to
    with now.application.store.unit() as unit:
        mime = composed(mail, at, redirect)
        (draft,) = unit.outbox.queue([QueuedMail(mail, mime, now.actor, "draft", redirected_to=redirect)], at)
        about = Ref("activity", draft.activity)
        names = ", ".join(one.name or one.address for one in mail.to)
        text = f"Drafted e-mail “{mail.subject}” to {names}"
        unit.history.append([HistoryRow(about, at, now.actor, "email", text, draft.activity)])
        unit.commit()
    return draft


def _template(now: Session, name: str | None) -> str | None:
    names: Sequence[str] = now.application.templates.names() if name else ()
    if name and name not in names:
        hint = did_you_mean(name, names) or "See: procession template list"
        raise InputError(f"there is no mail template {name!r}", hint=hint)
    return name


def _line(mail: ListedMail) -> tuple[Any, ...]:
    subject = output.brief(mail.subject, 160)
    return str(mail.id), Text(_state(mail), output.STATES[mail.state]), ", ".join(mail.recipients), subject


def _state(mail: Envelope | ListedMail) -> str:
    """The state, and until when a mail is held back."""
    held = mail.state in ("held", "queued") and mail.not_before is not None
    return f"{mail.state} until {output.short_time(mail.not_before)}" if held else mail.state


def _not_sent(mail: Envelope) -> str:
    match mail.state:
        case "queued":
            again = f" It is tried again after {output.short_time(mail.not_before)} while `procession serve` runs."
            return f"Not accepted yet: {mail.error}.{again}"
        case "unknown":
            return f"It is not known whether the mail server took it: {mail.error}. See: procession incidents"
        case "sending":
            return "A running engine is sending it."
        case "held":
            return "A running engine has its process in hand, and sends it."
        case "withdrawn":
            return "Withdrawn: its process does not want it any more."
        case _:
            return f"Not sent ({mail.state}): {mail.error}."
