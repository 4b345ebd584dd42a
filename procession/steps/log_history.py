"""`log_history`: a line of History in the author's own words."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from procession.effects import LogHistory
from procession.errors import PermanentError
from procession.records import ref_of
from procession.steps.fields import RecordValue, TextValue
from procession.steps.kind import Context, Outcome, Shape, StepKind
from procession.steps.storing import record, written


class LogHistoryShape(Shape):
    text: TextValue = Field(title="Text", description="What happened.")
    on: RecordValue = Field(
        None,
        title="On",
        description="Whose History; the record of the process's `history: {on: …}` if left out.",
    )


def decide(fields: Mapping[str, Any], context: Context) -> Outcome:
    on = ref_of(record(fields["on"], "on")) if fields.get("on") is not None else context.history_on
    if on is None:
        raise PermanentError(
            "there is no record to write History on",
            hint="Name one with 'on', or give the process a `history: {on: …}` that is not empty.",
        )
    return Outcome(effects=(LogHistory(on, written(fields.get("text"), context)),))


LOG_HISTORY = StepKind(
    "log_history", "comm", "Write a line of History", LogHistoryShape, decide, shorthand="text"
)
