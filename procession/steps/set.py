"""`set`: give values a name; later steps read them as `vars.<name>`."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import ConfigDict, Field, model_validator

from procession.steps.kind import Context, Outcome, Shape, StepKind


class Set(Shape):
    """The keys are the names."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Any] = Field(init=False)

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.__pydantic_extra__:
            raise ValueError("'set' names no value. Write it as `set: {name: value}`")
        return self


def decide(fields: Mapping[str, Any], _context: Context) -> Outcome:
    return Outcome(set_vars=dict(fields))


SET = StepKind("set", "data", "Give a value a name", Set, decide, asks="nothing", quiet=True)
