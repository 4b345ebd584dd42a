"""`send_message` and `throw_signal`: tell other processes of something that no saved record tells of.

A message is for those whom its record or its data concern; a signal reaches all who wait for it.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from pydantic import Field

from procession.effects import SendMessage
from procession.records import Ref, ref_of
from procession.steps.fields import RecordValue, Word
from procession.steps.kind import Context, Outcome, Shape, StepKind
from procession.steps.storing import record

MessageType = Literal["message", "signal"]


class Message(Shape):
    name: Word = Field(
        min_length=1, title="Name", description="Such as `order paid`; those who wait for it say the same."
    )
    about: RecordValue = Field(None, title="About", description="The record that it is about.")
    data: dict[str, Any] = Field(
        default_factory=dict, title="Data", description="Values by name, read as `event.data.<name>`."
    )


def decide_as(type_: MessageType) -> Callable[[Mapping[str, Any], Context], Outcome]:
    def decide(fields: Mapping[str, Any], _context: Context) -> Outcome:
        """Raises:
        PermanentError: `about` is no record.
        """
        about: Ref | None = ref_of(record(fields["about"], "about")) if "about" in fields else None
        return Outcome(effects=(SendMessage(type_, fields["name"], about, fields.get("data") or {}),))

    return decide


SEND_MESSAGE = StepKind(
    "send_message", "other", "Send a message to processes", Message, decide_as("message"), shorthand="name"
)
THROW_SIGNAL = StepKind(
    "throw_signal", "other", "Throw a signal to all processes", Message, decide_as("signal"), shorthand="name"
)
