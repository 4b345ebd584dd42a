"""`stop`: end the instance here, with a result or with an error."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from procession.steps.fields import TextValue
from procession.steps.kind import Context, Outcome, Shape, StepKind, Stop
from procession.steps.storing import written


class StopShape(Shape):
    result: TextValue = Field(None, title="Result", description="What came of it, in a word or two.")
    error: TextValue = Field(None, title="Error", description="Why it failed; the instance counts as failed.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.result is not None and self.error is not None:
            raise ValueError("a process stops with a 'result' or with an 'error', not with both")
        return self


def decide(fields: Mapping[str, Any], context: Context) -> Outcome:
    error = written(fields.get("error"), context)
    return Outcome(stop=Stop(error=error) if error else Stop(result=written(fields.get("result"), context)))


STOP = StepKind("stop", "flow", "End the process", StopShape, decide, asks="nothing", shorthand="result")
