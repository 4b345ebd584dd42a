"""`call`: a function that the application registered. It may be called again after a crash."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from procession.effects import CallFunction
from procession.records import ANY, Schema, Type
from procession.steps.fields import Word
from procession.steps.kind import Context, Outcome, Shape, StepKind


class Call(Shape):
    function: Word = Field(title="Function", description="The name it was registered under.")
    args: dict[str, Any] = Field(default_factory=dict, title="Arguments", description="By name.")


def decide(fields: Mapping[str, Any], _context: Context) -> Outcome:
    return Outcome(effects=(CallFunction(fields["function"], dict(fields.get("args") or {})),))


def outputs(_shape: Call, _schema: Schema) -> Mapping[str, Type]:
    return {"value": ANY}


CALL = StepKind("call", "other", "Call a function of the application", Call, decide, outputs, asks="outside")
