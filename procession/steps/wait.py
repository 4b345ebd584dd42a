"""`wait`: for a while, or until a moment that follows the record it is computed from."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from procession.errors import PermanentError
from procession.records import DATETIME, TEXT, Schema, Type
from procession.steps.fields import Wants
from procession.steps.kind import Context, LiteralMark, Outcome, Pause, Shape, StepKind
from procession.steps.storing import is_duration, moment
from procession.values import BusinessDays


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
        return _for(fields["for"], context)
    due = until(fields.get("until"), context)
    if due is None or due > context.now:
        return Outcome(pause=Pause("timer", due))
    if context.has_waited and due == context.waited_until:
        return _over(context)
    return _past(fields.get("if_past") or "run", context)


def until(value: Any, context: Context) -> datetime | None:
    """Raises:
    PermanentError: it is no moment, or a while.
    """
    if isinstance(value, timedelta | BusinessDays) or is_duration(value):
        raise PermanentError(
            "'until' is a while, not a moment",
            hint="A while begins anew whenever it is looked at: say for how long by 'for' or 'timeout'.",
        )
    return moment(value, "until", context)


def _for(span: Any, context: Context) -> Outcome:
    """How long was said when it began, whatever it is woken by."""
    if not context.has_waited:
        due = moment(span, "for", context)
        if due is None:
            raise PermanentError("'for' is empty", hint="Say how long, such as 2 days.")
        return Outcome(pause=Pause("timer", due))
    if context.waited_until and context.waited_until > context.now:
        return Outcome(pause=Pause("timer", context.waited_until))
    return _over(context)


def _over(context: Context) -> Outcome:
    return Outcome(output={"ended_at": context.now})


def _past(then: str, context: Context) -> Outcome:
    output = {"ended_at": context.now, "if_past": then}
    return Outcome(output=output, leaves=then == "end_branch", passes_over=1 if then == "skip" else 0)


def outputs(_shape: Wait, _schema: Schema) -> Mapping[str, Type]:
    return {"ended_at": DATETIME, "if_past": TEXT}


WAIT = StepKind(
    "wait",
    "waiting",
    "Wait",
    Wait,
    decide,
    outputs,
    asks="nothing",
    needs_id=True,
    live="until",
    shorthand="for",
)
