"""`choose`: the first branch whose condition holds, or all of them."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from procession.expressions import Expression, evaluate
from procession.steps.kind import Condition, Context, LiteralMark, Outcome, Shape, StepKind, Steps, Stop


class Branch(Shape):
    when: Condition = Field(title="When", description="The condition, without braces.")
    steps: Steps = Field(title="Steps")


class Choose(Shape):
    branches: list[Branch] = Field(min_length=1, title="Branches", description="Tried from the top.")
    match: Annotated[Literal["first", "all"], LiteralMark()] = Field(
        "first", title="Match", description="`first` takes one branch, `all` every one whose condition holds."
    )
    else_: Annotated[Steps | Literal["stop"], LiteralMark()] = Field(
        alias="else", title="Else", description="The steps if no condition holds, or `stop`."
    )


def decide(fields: Mapping[str, Any], context: Context) -> Outcome:
    """Conditions that `fill` left alone (`Deferred`) are worked out in turn, so that one may rely on those before it."""
    taken: list[str] = []
    for number, branch in enumerate(fields["branches"], start=1):
        if _holds(branch["when"], context):
            taken.append(f"branches/{number}")
            if fields.get("match", "first") == "first":
                break
    if taken:
        return Outcome(branches=tuple(taken))
    if fields.get("else") == "stop":
        return Outcome(stop=Stop())
    return Outcome(branches=("else",))


def _holds(when: Any, context: Context) -> bool:
    return bool(evaluate(when, context.names) if isinstance(when, Expression) else when)


CHOOSE = StepKind("choose", "flow", "Choose between branches", Choose, decide, asks="nothing")
