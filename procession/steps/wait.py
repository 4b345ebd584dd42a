"""`wait`: for a while, or until a moment that follows the record it is computed from."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from procession.records import DATETIME, Schema, Type
from procession.steps.fields import Wants
from procession.steps.kind import Context, LiteralMark, Outcome, Pause, Shape, StepKind
from procession.steps.storing import moment


class Wait(Shape):
    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["for"]}, {"required": ["until"]}]})

    for_: Annotated[Any, Wants(("duration", "text"))] = Field(
        None,
        alias="for",
        title="For",
        description="How long: `2 days`, `1 business day`, `{{ reply_within }}`.",
    )
    until: Annotated[Any, Wants(("datetime", "date", "text"))] = Field(
        None,
        title="Until",
        description="A moment; one that is computed from a record moves when the record is changed.",
    )
    if_past: Annotated[Literal["run", "skip", "end_branch"] | None, LiteralMark()] = Field(
        None,
        title="If past",
        description="When the moment is over already, or is moved to the past: `run` goes on at once, `skip` leaves out the step"
        " that follows, `end_branch` all the steps that follow in the same list.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.for_ is None) == (self.until is None):
            raise ValueError("a wait has either 'for' or 'until'")
        if self.for_ is not None and self.if_past:
            raise ValueError("'if_past' goes with 'until': a while is never over before it began")
        if self.if_past is None and "-" in _code(self.until):
            raise ValueError("'until' may be over already, so it needs 'if_past': run, skip or end_branch")
        return self


def _code(value: object) -> str:
    """What stands between the braces, without what is quoted there."""
    return "" if not isinstance(value, str) or "{{" not in value else "".join(value.split("'")[::2])


def decide(fields: Mapping[str, Any], context: Context) -> Outcome:
    """Raises:
    PermanentError: what it was given is no duration, or no moment.
    """
    if "for" in fields:
        if context.has_waited:
            return _over(context)
        return Outcome(pause=Pause("timer", moment(fields["for"], "for", context)))
    due = moment(fields.get("until"), "until", context)
    if due is None or due > context.now:
        return Outcome(pause=Pause("timer", due))
    if context.has_waited and due == context.waited_until:
        return _over(context)
    return _past(fields.get("if_past") or "run", context)


def _over(context: Context) -> Outcome:
    return Outcome(output={"ended_at": context.now})


def _past(then: str, context: Context) -> Outcome:
    output: dict[str, datetime] = {"ended_at": context.now}
    return Outcome(output=output, leaves=then == "end_branch", passes_over=1 if then == "skip" else 0)


def outputs(_shape: Wait, _schema: Schema) -> Mapping[str, Type]:
    return {"ended_at": DATETIME}


WAIT = StepKind(
    "wait",
    "waiting",
    "Wait",
    Wait,
    decide,
    outputs,
    asks="nothing",
    needs_id=True,
    is_live=True,
    shorthand="for",
)
