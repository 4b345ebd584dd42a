"""The inputs of a process as the form of Prefect's "Run" button: a signature, and values in both directions.

Prefect makes the form from the signature of the flow function. Titles and descriptions are taken from `Field`
defaults only, bounds and patterns from the annotation only (measured with Prefect 3.8.8), so both are given.
A record is asked for by its number; a duration is text; dates and moments have pickers.
"""

import inspect
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.fields import FieldInfo

from procession.inputs import Caller, checked
from procession.plan import Input, Plan
from procession.records import Record, Ref, Type, ref_of
from procession.times import spoken
from procession.values import from_json

EVENT = "event"
"""The parameter that an automation fills in: the number of the CRM's event."""

_KINDS: dict[str, Any] = {
    "text": str, "template": str, "duration": str, "int": int, "record": int, "number": float, "bool": bool,
    "date": date, "datetime": datetime,
}  # fmt: skip


def signature(plan: Plan) -> inspect.Signature:
    """The parameters of the flow: the inputs of the process, then `event`."""
    event = Field(
        default=None,
        description="Filled in by an automation; leave empty.",
        json_schema_extra={"title": "Event"},
    )
    parameters = [_parameter(declared) for declared in plan.inputs]
    if EVENT not in {declared.name for declared in plan.inputs}:
        parameters.append(inspect.Parameter(EVENT, _KIND, annotation=int, default=event))
    return inspect.Signature(parameters)


_KIND = inspect.Parameter.POSITIONAL_OR_KEYWORD


def _parameter(declared: Input) -> inspect.Parameter:
    annotation = _annotation(declared.type, declared.options)
    numeric = declared.type.name in ("int", "number")
    bounds = {
        **({"ge": declared.minimum} if numeric and declared.minimum is not None else {}),
        **({"le": declared.maximum} if numeric and declared.maximum is not None else {}),
        **({"pattern": declared.pattern} if declared.pattern and annotation is str else {}),
    }
    return inspect.Parameter(
        declared.name,
        _KIND,
        annotation=Annotated[annotation, Field(**bounds)] if bounds else annotation,
        default=_default(declared),
    )


def _annotation(kind: Type, options: Sequence[str] = ()) -> Any:
    if options:
        return Literal[tuple(options)]
    if kind.name == "list":
        return list[_annotation(kind.item) if kind.item else Any]  # type: ignore[misc]  # a type made at run time
    return _KINDS.get(kind.name, Any)


def _default(declared: Input) -> Any:
    told: dict[str, Any] = {
        "description": _description(declared) or None,
        "json_schema_extra": {"title": _title(declared)},
    }
    if declared.default is not None:
        return Field(default=_shown(declared.default), **told)
    if declared.required:
        return Field(default=..., **told)
    return Field(default=None, **told)


def _title(declared: Input) -> str:
    title = declared.title or declared.name.replace("_", " ").capitalize()
    return f"{title} (number of the {declared.type.of})" if declared.type.name == "record" else title


def _description(declared: Input) -> str:
    if declared.type.name != "duration":
        return declared.description
    bounds = [
        f"at {word} {spoken(bound)}"
        for word, bound in (("least", declared.minimum), ("most", declared.maximum))
        if bound is not None
    ]
    hint = f"A duration like 24h, 30m or 2 business days{', ' if bounds else ''}{' and '.join(bounds)}."
    return f"{declared.description} {hint}".strip()


def _shown(value: Any) -> Any:
    """A typed value as the form holds it."""
    match value:
        case Ref():
            return value.id
        case Record():
            return ref_of(value).id
        case Decimal():
            return float(value)
        case tuple() | list():
            return [_shown(item) for item in value]
        case None | bool() | int() | float() | str() | date():
            return value
    return _duration(value)


def _duration(value: Any) -> str:
    seconds = value.total_seconds() if isinstance(value, timedelta) else None
    if seconds is None:
        return str(value)
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and not seconds % length:
            return f"{int(seconds // length)}{unit}"
    return f"{seconds:g}s"


# --- values


def given(plan: Plan, parameters: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    """Parameters of a flow run → typed inputs, as `procession.dispatch.start_by_hand` takes them. A field that was left
    empty is not given.

    Raises:
        InputError: an input is missing, not of its type, or outside of its limits.
    """
    known = {declared.name for declared in plan.inputs}
    filled_in = {
        name: value
        for name, value in parameters.items()
        if name in known and value not in ("", None) and not isinstance(value, FieldInfo)
    }
    return checked(plan, filled_in, caller)


def event_of(plan: Plan, parameters: Mapping[str, Any]) -> int | None:
    value = parameters.get(EVENT)
    if EVENT in {declared.name for declared in plan.inputs} or isinstance(value, FieldInfo) or value is None:
        return None
    return int(value)


def parameters(plan: Plan, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs of an instance (JSON values of the journal) → parameters to show for its flow run.

    Free text is left out: nobody knows what it holds, and Prefect shows it to everybody (decision 0021).
    """
    values = from_json(inputs)
    shown = {
        declared.name: _shown(values[declared.name])
        for declared in plan.inputs
        if values.get(declared.name) is not None and (declared.type.name not in ("text", "any", "list") or declared.options)
    }  # fmt: skip
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in shown.items()}
