"""`delete`: remove a record. The History of what it was connected to stays."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from procession.effects import DeleteRecord
from procession.records import ref_of
from procession.steps.fields import RecordValue
from procession.steps.kind import Context, Outcome, Shape, StepKind
from procession.steps.storing import record


class Delete(Shape):
    record: RecordValue = Field(title="Record", description="The record to delete, such as `{{ meeting }}`.")


def decide(fields: Mapping[str, Any], _context: Context) -> Outcome:
    return Outcome(effects=(DeleteRecord(ref_of(record(fields.get("record"), "record"))),))


DELETE = StepKind("delete", "data", "Delete a record", Delete, decide, changes_records=True)
