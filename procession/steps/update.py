"""`update`: change fields of a record. Values that are equal already change nothing and start nothing."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from procession.effects import UpdateRecord
from procession.records import ref_of
from procession.steps.fields import FieldValues, RecordValue
from procession.steps.kind import Context, Outcome, Shape, StepKind
from procession.steps.storing import for_store, record


class Update(Shape):
    record: RecordValue = Field(title="Record", description="The record to change, such as `{{ meeting }}`.")
    values: FieldValues


def decide(fields: Mapping[str, Any], context: Context) -> Outcome:
    ref = ref_of(record(fields.get("record"), "record"))
    return Outcome(effects=(UpdateRecord(ref, for_store(ref.entity, fields["values"], context)),))


UPDATE = StepKind("update", "data", "Change a record", Update, decide, changes_records=True)
