"""What the expressions of an instance can see: its inputs as live records, and what earlier steps left.

Records are read here, at the start of a segment and after a step that changed some, for all its instances
at once and with exactly the references the plan follows (`Plan.reads`). So it makes no difference to an
instance whether it was interrupted after the change.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from procession.absent import Absent, Outputs
from procession.errors import ExpressionError
from procession.expressions import Fillable, fill, touching
from procession.plan import Plan, Step
from procession.ports import Clock, Instance, Unit
from procession.records import Record, Ref, Schema, ref_of
from procession.steps.touched import of_records
from procession.values import from_json


def read_inputs(
    plan: Plan, instances: Sequence[Instance], deleted: Mapping[int, Mapping[Ref, Record]], unit: Unit
) -> dict[int, dict[str, Any] | None]:
    """`{instance: {input: value}}`; None for an instance one of whose records is no longer there.

    Args:
        deleted: `{instance: records that it deleted itself, as they were}`.
    """
    values = {i.id: dict(from_json(i.inputs)) for i in instances}
    for declared in plan.inputs:
        refs = {ref for given in values.values() if isinstance(ref := given.get(declared.name), Ref)}
        if not refs:
            continue
        records = unit.records.fetch(refs, plan.reads.get(declared.name, frozenset()))
        for instance, given in values.items():
            if isinstance(ref := given.get(declared.name), Ref):
                given[declared.name] = records.get(ref) or deleted.get(instance, {}).get(ref)
    needed = [i.name for i in plan.inputs if i.type.name == "record" and i.required]
    return {
        instance: None if any(given.get(name) is None for name in needed) else given
        for instance, given in values.items()
    }


def first_names(plan: Plan, instance: Instance, clock: Clock) -> dict[str, Any]:
    """What an instance's expressions see before its records are read."""
    return {
        "trigger": {"id": "", "event": "", "changed": (), **from_json(instance.trigger)},
        "process": {"id": plan.process, "title": plan.title, "instance": instance.id, "timezone": "UTC"},
        "outputs": Outputs(),
        "vars": Absent(),
        "error": Absent(),
        "now": clock.now,
    }


def with_records(plan: Plan, inputs: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    """`names` with the records as they are now.

    Raises:
        ExpressionError: the `timezone` of the process failed on these inputs.
    """
    given = {declared.name: inputs.get(declared.name, declared.default) for declared in plan.inputs}
    known = {**names, **given, "inputs": given}
    known["process"] = {**names["process"], "timezone": fill(plan.timezone, known) or "UTC"}
    return known


def fields_of(
    step: Step, plan: Plan, names: Mapping[str, Any], schema: Schema
) -> tuple[dict[str, Any], frozenset[tuple[Ref, str]]]:
    """The fields of a step, worked out; and of one that waits for what is computed from records, which of their fields that
    was, those of the process's zone included where a day or a text has no zone of its own. An empty field among these makes it
    empty, whatever else the expression does. (A step that waits for one of several things looks at each by itself.)

    Raises:
        ExpressionError: an expression failed on these values.
    """
    if step.kind.live not in step.fields or isinstance(step.fields[step.kind.live], tuple):
        return {name: fill(value, names) for name, value in step.fields.items()}, frozenset()
    with touching() as touched:
        found = {name: _or_empty(value, names, touched) for name, value in step.fields.items()}
        if not isinstance(found[step.kind.live], datetime):
            fill(plan.timezone, names)
    return found, of_records(touched, schema)


def _or_empty(value: Fillable, names: Mapping[str, Any], touched: Mapping[tuple[Ref, str], Any]) -> Any:
    try:
        return fill(value, names)
    except ExpressionError:
        if None in touched.values():
            return None
        raise


def history_ref(plan: Plan, names: Mapping[str, Any]) -> Ref | None:
    """The record whose History the process writes to, if it has one on these inputs.

    Raises:
        ExpressionError: `history.on` failed on these inputs.
    """
    on = fill(plan.history_on, names)
    return ref_of(on) if isinstance(on, Record) else None


def trigger_ref(instance: Instance) -> Ref | None:
    """The record that started it, if one did."""
    record = instance.trigger.get("record")
    return Ref.parse(record) if isinstance(record, str) else None
