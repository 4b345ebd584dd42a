"""`send_email`: one mail, from a template or from the text beside it.

What a recipient's record says comes with it: address, name, language, zone, and whether they want no
mail. A mail that answers another (`reply_to`) joins its thread (RFC 5322, section 3.6.4).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from procession import times
from procession.effects import LogHistory, Recipient, SendMail
from procession.errors import PermanentError
from procession.ports import Rendered
from procession.records import TEXT, Schema, Type, record_of
from procession.steps.fields import (
    ConnectedTo,
    FixedDuration,
    PeopleValue,
    RecordValue,
    TextValue,
    Wants,
    Word,
)
from procession.steps.kind import Condition, Context, LiteralMark, Outcome, Pause, Shape, StepKind
from procession.steps.recipients import Person, people, sender
from procession.steps.storing import record, refs, written, zone_of
from procession.steps.windows import SendWindow, next_open, window


class Attach(Shape):
    invitation: RecordValue = Field(title="Invitation", description="A meeting, attached as an .ics file.")


class SendEmail(Shape):
    to: PeopleValue = Field(title="To", description="A contact, a user, an address, or a list of these.")
    cc: PeopleValue = Field(None, title="Cc", description="As `to`.")
    bcc: PeopleValue = Field(None, title="Bcc", description="As `to`; the others do not see them.")
    from_: Annotated[Any, Wants(("record", "text"), of=("user",))] = Field(
        None, alias="from", title="From", description="A user or a mailbox; the default sender if left out."
    )
    template: TextValue = Field(None, title="Template", description="The folder in `templates/`.")
    subject: TextValue = Field(None, title="Subject", description="With `text`, in place of a template.")
    text: TextValue = Field(None, title="Text", description="The mail as plain text.")
    html: TextValue = Field(None, title="HTML", description="The same as HTML, beside `text`.")
    with_: dict[str, Any] = Field(
        default_factory=dict, alias="with", title="With", description="More names for the template."
    )
    reply_to: Word = Field(
        "", title="Reply to", description="The id of an earlier `send_email`: same thread."
    )
    attach: list[Attach] = Field(default_factory=list, title="Attach")
    connected_to: ConnectedTo = None
    language: TextValue = Field(
        None, title="Language", description="`de`; the recipient's if left out, else `en`."
    )
    timezone: TextValue = Field(
        None, title="Time zone", description="Of times in the mail; the recipient's, else the process's."
    )
    undo: FixedDuration | None = Field(
        None,
        title="Undo",
        description="Holds the mail back that long, so that it can be stopped; it is written anew then.",
    )
    send_window: Annotated[SendWindow | Literal["office_hours"] | None, LiteralMark()] = Field(
        None,
        title="Send window",
        description="When it may go out, on the clock of who it is to: `office_hours` (Monday to Friday, 8:00 to 18:00),"
        ' or `{days: [mon, tue], from: "09:00", to: "17:00"}`. Until then it is held back, and written anew.',
    )
    still: Condition = Field(
        "",
        title="Still",
        description="What must hold when the mail is to go, on the records as they are then; else it is withdrawn. It is asked before it is held back, too.",
    )
    send: Annotated[Literal["now", "draft"], LiteralMark()] = Field(
        "now", title="Send", description="`draft` leaves it for a person to send."
    )
    on_unknown: Annotated[Literal["hold", "resend"], LiteralMark()] = Field(
        "hold", title="If unknown", description="What to do if nobody can know whether the server took it."
    )
    opt_out: Annotated[Literal["respect", "ignore"], LiteralMark()] = Field(
        "respect", title="Opt-out", description="`ignore` writes even to contacts that want no mail."
    )

    @model_validator(mode="after")
    def _one_content(self) -> Self:
        written = self.subject is not None or self.text is not None or self.html is not None
        if self.template is None and (self.subject is None or self.text is None):
            raise ValueError("a mail needs a 'template', or a 'subject' and a 'text'")
        if self.template is not None and written:
            raise ValueError("a mail has a 'template', or a 'subject' and a 'text', not both")
        return self


def decide(fields: Mapping[str, Any], context: Context) -> Outcome:
    """Raises:
    PermanentError: nobody to write to, a record without an address, text that is no address.
    ExpressionError: the template failed on these values.
    """
    if not fields.get("still", True):
        return Outcome(output={"message_id": "", "record": None, "state": "withdrawn"})
    to = people(fields.get("to"), "to")
    if not to:
        raise PermanentError("'to' is empty: there is nobody to write to")
    wanted = [one for one in to if _wants_mail(one, fields)]
    if not wanted:
        return _nobody_left(to, context)
    return _write(wanted, fields, context)


def _write(to: list[Person], fields: Mapping[str, Any], context: Context) -> Outcome:
    by = sender(fields.get("from"), context.default_sender)
    content = _content(to[0], by, fields, context)
    recipients = tuple(one.recipient for one in to)
    held_until = _held_until(to[0], fields, context)
    cc = _copies("cc", fields, beside=recipients)
    answered, chain = _thread(fields.get("reply_to") or "", context)
    mail = SendMail(
        message_id=context.message_id,
        sender=by.recipient,
        to=recipients,
        cc=cc,
        bcc=_copies("bcc", fields, beside=(*recipients, *cc)),
        subject=" ".join(content.subject.split()),
        text=content.text,
        html=content.html,
        in_reply_to=answered,
        references=chain,
        attachments=tuple(
            context.renderer.invitation(
                record(one["invitation"], "invitation"), sender=by.recipient, to=recipients
            )
            for one in fields.get("attach") or ()
        ),
        connected_to=refs(fields.get("connected_to"), context.history_on),
        template=written(fields.get("template"), context),
        language=content.language,
        draft=fields.get("send") == "draft",
        not_before=held_until,
        on_unknown=fields.get("on_unknown") or "hold",
    )
    pause = Pause("mail", held_until) if held_until else None
    return Outcome(effects=(mail,), output={"references": chain}, pause=pause)


def _wants_mail(one: Person, fields: Mapping[str, Any]) -> bool:
    return not one.opt_out or fields.get("opt_out") == "ignore"


def _copies(word: str, fields: Mapping[str, Any], beside: tuple[Recipient, ...]) -> tuple[Recipient, ...]:
    """Who gets a copy: nobody who is addressed already."""
    addressed = {one.address.lower() for one in beside}
    wanted = [one.recipient for one in people(fields.get(word), word) if _wants_mail(one, fields)]
    return tuple(one for one in wanted if one.address.lower() not in addressed)


def _nobody_left(to: list[Person], context: Context) -> Outcome:
    names = ", ".join(one.recipient.name or one.recipient.address for one in to)
    on = context.history_on or to[0].recipient.ref
    said = (LogHistory(on, f"No e-mail to {names}: opted out"),) if on else ()
    return Outcome(effects=said, output={"message_id": "", "record": None, "state": "opted_out"})


def _content(to: Person, by: Person, fields: Mapping[str, Any], context: Context) -> Rendered:
    language = written(fields.get("language"), context) or to.language or "en"
    template = written(fields.get("template"), context)
    if not template:
        subject, text, html = (written(fields.get(word), context) for word in ("subject", "text", "html"))
        return Rendered(subject, text, html, language)
    timezone = written(fields.get("timezone"), context) or to.timezone or zone_of(context).key
    names = {**context.names, "recipient": to.about, "sender": by.about, **(fields.get("with") or {})}
    return context.renderer.render(template, names, language=language, timezone=timezone)


def _thread(reply_to: str, context: Context) -> tuple[str, tuple[str, ...]]:
    """(the Message-ID this mail answers, the whole chain up to it); empty if that step sent nothing."""
    earlier = context.names.get("outputs", {}).get(reply_to) or {}
    answered = earlier.get("message_id") or ""
    return answered, (*earlier.get("references", ()), answered) if answered else ()


def _held_until(to: Person, fields: Mapping[str, Any], context: Context) -> datetime | None:
    """None if it may go at once. A draft waits for a person instead."""
    undo, opens = fields.get("undo"), window(fields.get("send_window"))
    if context.is_hastened:
        return None
    at = context.now + times.parse_duration(undo) if undo and not context.has_waited else context.now
    if opens:
        at = next_open(opens, at, times.zone(to.timezone) if to.timezone else zone_of(context))
    return at if at > context.now and fields.get("send") != "draft" else None


def outputs(_shape: SendEmail, _schema: Schema) -> Mapping[str, Type]:
    return {"message_id": TEXT, "record": record_of("activity"), "state": TEXT}


SEND_EMAIL = StepKind(
    "send_email", "comm", "Send an e-mail", SendEmail, decide, outputs, asks="outside", needs_id=True
)
