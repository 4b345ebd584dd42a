"""Find records by the values of their fields: row by row, the cheapest condition first."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from crm.checks import known_field, normal, of_type, unknown_entity
from crm.mapping import LAYOUTS, LINKED, TABLES
from crm.memory.reading import addresses_of, category_of, fields_of_row, links_of
from crm.memory.shapes import SHAPES, Row
from crm.memory.tables import Tables
from crm.schema import OPEN_STAGES
from crm.searching import kept
from procession.errors import StoreError
from procession.records import INT, Record, Ref

Condition = Callable[[Row], bool]


def find(tables: Tables, entity: str, where: Mapping[str, Any], order: str, limit: int) -> list[Record]:
    """See `procession.ports.Records.find`."""
    if entity not in LAYOUTS:
        raise unknown_entity(entity)
    conditions = [_condition(tables, entity, name, value) for name, value in where.items()]
    in_order = _order(entity, order)
    rows = [row for row in tables[entity].rows.values() if all(holds(row) for holds in conditions)]
    return [Record(Ref(entity, row.id), fields_of_row(tables, entity, row)) for row in in_order(rows)[:limit]]


def _condition(tables: Tables, entity: str, name: str, value: Any) -> Condition:
    given = value if isinstance(value, (tuple, list)) else (value,)
    if name == "id":
        numbers = {of_type(INT, one, f"{entity}.id") for one in given}
        return lambda row: row.id in numbers
    field = known_field(entity, name)
    values = [kept(entity, name, one) for one in given]
    if special := _SPECIAL.get((entity, name)):
        return special(tables, values)
    if name in LAYOUTS[entity].plain:
        as_kept = SHAPES[entity].kept.get(name)
        wanted = {as_kept(one) if as_kept else one for one in values}
        return lambda row: getattr(row, name) in wanted
    if f"{name}_id" in TABLES[entity].c:
        targets = {one.id if isinstance(one, Ref) else one for one in values}
        return lambda row: getattr(row, f"{name}_id") in targets
    raise StoreError(f"Records cannot be searched by {entity}.{name} ({field.title}).")


def _has_address(kind: str, *, primary: bool) -> Callable[[Tables, list[Any]], Condition]:
    def condition(tables: Tables, values: list[Any]) -> Condition:
        wanted = {normal(kind, value) for value in values if value}
        or_none = not all(values)

        def holds(row: Row) -> bool:
            there = [each.normal for each in addresses_of(tables, row.id) if each.kind == kind]
            return (or_none and not there) or not wanted.isdisjoint(there[:1] if primary else there)

        return holds

    return condition


def _linked(entity: str) -> Callable[[Tables, list[Any]], Condition]:
    """The activity's own link of this kind leads there."""

    def condition(tables: Tables, values: list[Any]) -> Condition:
        def holds(row: Row) -> bool:
            own = next((ref for _, ref in links_of(tables, row.id) if ref.entity == entity), None)
            return own in values

        return holds

    return condition


def _takes_part(tables: Tables, values: list[Any]) -> Condition:
    given = {value.id for value in values if value is not None}

    def holds(row: Row) -> bool:
        linked = {ref.id for _, ref in links_of(tables, row.id) if ref.entity == "contact"}
        parts = {each.contact_id for each in tables["participant"].of("activity_id", row.id)}
        return not given.isdisjoint(linked | parts)

    return holds


def _is_open(_tables: Tables, values: Collection[Any]) -> Condition:
    return lambda row: (row.stage in OPEN_STAGES) in values


def _in_category(tables: Tables, values: Collection[Any]) -> Condition:
    def holds(row: Row) -> bool:
        category = category_of(tables, row)
        return (category.name if category else "") in values

    return holds


def _is_meeting(tables: Tables, values: Collection[Any]) -> Condition:
    def holds(row: Row) -> bool:
        category = category_of(tables, row)
        return bool(category and category.is_meeting) in values

    return holds


_SPECIAL: Mapping[tuple[str, str], Callable[[Tables, list[Any]], Condition]] = {
    ("contact", "email"): _has_address("email", primary=True),
    ("contact", "phone"): _has_address("phone", primary=True),
    ("contact", "emails"): _has_address("email", primary=False),
    ("opportunity", "is_open"): _is_open,
    ("activity", "category"): _in_category,
    ("activity", "is_meeting"): _is_meeting,
    ("activity", "participants"): _takes_part,
    **{("activity", entity): _linked(entity) for entity in LINKED},
}


def _order(entity: str, order: str) -> Callable[[list[Row]], list[Row]]:
    """Those without a value come last."""
    name = order.removeprefix("-")
    is_down = order != name
    if name in ("", "id"):
        return lambda rows: sorted(rows, key=lambda row: row.id, reverse=is_down)
    known_field(entity, name)
    if name not in LAYOUTS[entity].plain or name not in TABLES[entity].c:
        raise StoreError(f"Records cannot be put in order by {entity}.{name}.")

    def in_order(rows: list[Row]) -> list[Row]:
        some = sorted((row for row in rows if getattr(row, name) is not None), key=lambda row: row.id)
        none = sorted((row for row in rows if getattr(row, name) is None), key=lambda row: row.id)
        return sorted(some, key=lambda row: getattr(row, name), reverse=is_down) + none

    return in_order
