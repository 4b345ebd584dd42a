"""`read`: look records up by their fields. What it finds is a snapshot, and says whether there is more."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from procession.effects import FindRecords
from procession.records import BOOL, INT, Schema, Type, list_of, record_of
from procession.steps.fields import EntityName, Word
from procession.steps.kind import Context, LiteralMark, Outcome, Shape, StepKind
from procession.steps.storing import for_store


class Read(Shape):
    entity: EntityName
    where: dict[str, Any] = Field(
        default_factory=dict,
        title="Where",
        description="What each field must equal; a list means one of these.",
    )
    order: Word = Field(
        "", title="Order", description="The field to sort by; `-field` puts the largest first."
    )
    limit: Annotated[int, LiteralMark()] = Field(
        100,
        ge=1,
        le=1000,
        title="Limit",
        description="How many records at most; `outputs.<id>.more` says whether there are others.",
    )


def decide(fields: Mapping[str, Any], context: Context) -> Outcome:
    entity = fields["entity"]
    where = for_store(entity, fields.get("where") or {}, context)
    return Outcome(
        effects=(FindRecords(entity, where, fields.get("order") or "", fields.get("limit") or 100),)
    )


def outputs(shape: Read, _schema: Schema) -> Mapping[str, Type]:
    found = record_of(shape.entity)
    return {"records": list_of(found), "first": found, "count": INT, "more": BOOL}


READ = StepKind("read", "data", "Look records up", Read, decide, outputs, quiet=True)
