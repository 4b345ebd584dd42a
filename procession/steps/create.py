"""`create`: a new record of any entity."""

from collections.abc import Mapping
from typing import Any

from procession.effects import CreateRecord
from procession.records import Schema, Type, record_of
from procession.steps.fields import ConnectedTo, EntityName, FieldValues
from procession.steps.kind import Context, Outcome, Shape, StepKind
from procession.steps.storing import for_store, refs


class Create(Shape):
    entity: EntityName
    values: FieldValues
    connected_to: ConnectedTo = None


def decide(fields: Mapping[str, Any], context: Context) -> Outcome:
    entity = fields["entity"]
    values = for_store(entity, fields["values"], context)
    return Outcome(effects=(CreateRecord(entity, values, refs(fields.get("connected_to"))),))


def outputs(shape: Create, _schema: Schema) -> Mapping[str, Type]:
    return {"record": record_of(shape.entity)}


CREATE = StepKind("create", "data", "Create a record", Create, decide, outputs, changes_records=True)
