"""`if` with `then` [and `else`]: steps that run on a condition."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from procession.steps.kind import Condition, Context, Outcome, Shape, StepKind, Steps


class If(Shape):
    if_: Condition = Field(alias="if", title="If", description="The condition, without braces.")
    then: Steps = Field(title="Then", description="The steps if it holds.")
    else_: Steps = Field(
        default_factory=list, alias="else", title="Else", description="The steps if it does not."
    )


def decide(fields: Mapping[str, Any], _context: Context) -> Outcome:
    return Outcome(branches=("then",) if fields["if"] else ("else",))


IF = StepKind("if", "flow", "Do steps on a condition", If, decide, asks="nothing")
