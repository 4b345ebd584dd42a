"""What the expressions of an instance can see: its inputs as live records, and what earlier steps left.

Records are read here, at the start of a segment, for all its instances at once and with exactly the
references the plan follows (`Plan.reads`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from procession.expressions import fill
from procession.plan import Plan
from procession.ports import Clock, Instance, Unit
from procession.records import Record, Ref, ref_of
from procession.values import from_json


class Absent(dict[str, Any]):
    """The outputs of a step that was not taken: every one of them is None."""

    def __missing__(self, _name: str) -> None:
        return None


class Outputs(dict[str, Any]):
    """`outputs.<step id>`; the rules have proved that the id exists."""

    def __missing__(self, _step: str) -> Absent:
        return Absent()


def read_inputs(plan: Plan, instances: Sequence[Instance], unit: Unit) -> dict[int, dict[str, Any] | None]:
    """`{instance: {input: value}}`; None for an instance one of whose records is no longer there."""
    values = {i.id: dict(from_json(i.inputs)) for i in instances}
    for declared in plan.inputs:
        refs = {ref for given in values.values() if isinstance(ref := given.get(declared.name), Ref)}
        if not refs:
            continue
        records = unit.records.fetch(refs, plan.reads.get(declared.name, frozenset()))
        for given in values.values():
            if isinstance(ref := given.get(declared.name), Ref):
                given[declared.name] = records.get(ref)
    needed = [i.name for i in plan.inputs if i.type.name == "record" and i.required]
    return {
        instance: None if any(given.get(name) is None for name in needed) else given
        for instance, given in values.items()
    }


def names_of(plan: Plan, instance: Instance, inputs: Mapping[str, Any], clock: Clock) -> dict[str, Any]:
    """The scope of the instance's expressions (language.md, section 3).

    Raises:
        ExpressionError: the `timezone` of the process failed on these inputs.
    """
    given = {declared.name: inputs.get(declared.name, declared.default) for declared in plan.inputs}
    names: dict[str, Any] = {
        **given,
        "inputs": given,
        "trigger": {"id": "", "event": "", "changed": (), **from_json(instance.trigger)},
        "outputs": Outputs(),
        "vars": Absent(),
        "error": Absent(),
        "now": clock.now,
    }
    names["process"] = {"id": plan.process, "title": plan.title, "instance": instance.id, "timezone": "UTC"}
    names["process"]["timezone"] = fill(plan.timezone, names) or "UTC"
    return names


def history_ref(plan: Plan, names: Mapping[str, Any]) -> Ref | None:
    """The record whose History the process writes to, if it has one on these inputs.

    Raises:
        ExpressionError: `history.on` failed on these inputs.
    """
    on = fill(plan.history_on, names)
    return ref_of(on) if isinstance(on, Record) else None
