"""`notify`: a short mail to a colleague or a team. It is no part of any History."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from procession.effects import Notify
from procession.errors import PermanentError
from procession.records import Record, ref_of
from procession.steps.fields import TextValue, Wants
from procession.steps.kind import Context, Outcome, Shape, StepKind
from procession.steps.storing import written


class NotifyShape(Shape):
    to: Annotated[Any, Wants(("record", "text"), of=("user",))] = Field(
        title="To", description="A user, or the name of a user or of a team."
    )
    text: TextValue = Field(title="Text")
    subject: TextValue = Field(None, title="Subject", description="The title of the process if left out.")


def decide(fields: Mapping[str, Any], context: Context) -> Outcome:
    to = fields.get("to")
    if isinstance(to, Record) and ref_of(to).entity != "user":
        raise PermanentError(f"'to' must be a user, not the {ref_of(to).entity} {to}")
    if not to:
        raise PermanentError("'to' is empty: there is nobody to notify")
    subject = " ".join(written(fields.get("subject"), context).split()) or context.title
    text = written(fields.get("text"), context)
    who = ref_of(to) if isinstance(to, Record) else str(to)
    return Outcome(effects=(Notify(who, subject, text, context.message_id),))


NOTIFY = StepKind("notify", "comm", "Tell a colleague or a team", NotifyShape, decide)
