"""`for_each`: the same steps for every item of a list, one after another."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from procession.errors import PermanentError
from procession.expressions.kinds import said
from procession.steps.fields import ListValue
from procession.steps.kind import Context, LiteralMark, Outcome, Shape, StepKind, Steps


class ForEach(Shape):
    items: ListValue = Field(title="Items", description="A list, such as `{{ outputs.open_ones.records }}`.")
    as_: Annotated[str, LiteralMark()] = Field(
        "item",
        alias="as",
        pattern="^[a-z][a-z0-9_]*$",
        title="As",
        description="What the steps call the item.",
    )
    steps: Steps = Field(title="Steps")
    max: Annotated[int, LiteralMark()] = Field(
        1000, ge=1, le=100_000, title="At most", description="A longer list is an error, and nothing is done."
    )


def decide(fields: Mapping[str, Any], _context: Context) -> Outcome:
    items, most = fields.get("items"), fields.get("max") or 1000
    if not isinstance(items, list | tuple):
        raise PermanentError(
            f"'items' needs a list, not {said(items)}", hint="Name what a `read` step found."
        )
    if len(items) > most:
        raise PermanentError(
            f"'items' holds {len(items)}, more than the {most} allowed", hint="Raise 'max' if that is meant."
        )
    return Outcome(items=tuple(items))


FOR_EACH = StepKind(
    "for_each", "flow", "Repeat steps for every item", ForEach, decide, asks="nothing", quiet=True
)
