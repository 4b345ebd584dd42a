"""`create_activity`: plan a call, a task or an e-mail for a colleague.

What is left out is filled in: it is planned, it belongs to the owner of the opportunity, account or
contact it is about (else to the sender of the process's mail), and it is connected to the record whose
History the process writes.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from procession.effects import CreateRecord
from procession.records import Record, Ref, Schema, Type, fields_of, record_of
from procession.steps.fields import ConnectedTo, MomentValue, RecordValue, TextValue, UserValue
from procession.steps.kind import Context, LiteralMark, Outcome, Shape, StepKind
from procession.steps.storing import for_store, refs

_ABOUT = ("opportunity", "account", "contact")
_COPIED = (
    "type", "category", "subject", "status", "priority", "body", "location", "due", "start", "end", "owner",
)  # fmt: skip


class CreateActivity(Shape):
    type: Annotated[Literal["call", "task", "email"], LiteralMark()] = Field(title="Type")
    subject: TextValue = Field(title="Subject", description="What is to be done, in one line.")
    category: TextValue = Field(
        None, title="Category", description="The name of a category, such as `Meeting`."
    )
    owner: UserValue = Field(
        None, title="Owner", description="Who is to do it; else the owner of what the activity is about."
    )
    due: MomentValue = Field(
        None, title="Due", description="A moment, or a duration from now such as `1 business day`."
    )
    start: MomentValue = Field(None, title="Start", description="A moment, or a duration from now.")
    end: MomentValue = Field(None, title="End", description="A moment, or a duration from now.")
    status: TextValue = Field(None, title="Status", description="`planned` if left out.")
    priority: TextValue = Field(None, title="Priority", description="`low`, `normal` or `high`.")
    body: TextValue = Field(None, title="Notes")
    location: TextValue = Field(None, title="Place")
    contact: RecordValue = Field(None, title="Contact")
    opportunity: RecordValue = Field(None, title="Opportunity")
    account: RecordValue = Field(None, title="Account")
    connected_to: ConnectedTo = None


def decide(fields: Mapping[str, Any], context: Context) -> Outcome:
    given = {name: fields[name] for name in _COPIED if fields.get(name) is not None}
    values = for_store("activity", {"status": "planned", **given}, context)
    if "owner" not in values and (owner := _owner(fields, context)):
        values["owner"] = owner
    connected = refs(*(fields.get(word) for word in _ABOUT), fields.get("connected_to"), context.history_on)
    return Outcome(effects=(CreateRecord("activity", values, connected),))


def _owner(fields: Mapping[str, Any], context: Context) -> Ref | None:
    for word in _ABOUT:
        about = fields.get(word)
        owner = fields_of(about).get("owner") if isinstance(about, Record) else None
        if owner is not None:
            return refs(owner)[0]
    sender = context.default_sender.ref
    return sender if sender and sender.entity == "user" else None


def outputs(_shape: CreateActivity, _schema: Schema) -> Mapping[str, Type]:
    return {"record": record_of("activity")}


CREATE_ACTIVITY = StepKind(
    "create_activity",
    "data",
    "Plan a call, a task or an e-mail",
    CreateActivity,
    decide,
    outputs,
    changes_records=True,
)
