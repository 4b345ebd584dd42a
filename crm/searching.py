"""Find records by the values of their fields."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, false, select

from crm import tables as t
from crm.checks import known_field, normal, of_type, unknown_entity
from crm.mapping import LAYOUTS, LINKED, TABLES
from crm.reading import Fields, load
from crm.schema import OPEN_STAGES
from procession.errors import StoreError
from procession.records import INT, Record, Ref

Values = list[Any]
Condition = ColumnElement[bool]


def find(
    connection: Connection, entity: str, where: Mapping[str, Any], order: str, limit: int
) -> list[Record]:
    """See `procession.ports.Records.find`."""
    if entity not in LAYOUTS:
        raise unknown_entity(entity)
    query: Select[Any] = LAYOUTS[entity].select
    for name, value in where.items():
        query = query.where(_equals(entity, name, value))
    query = _in_order(query, entity, order).limit(limit)
    found: dict[int, Fields] = load(connection, entity, query, {})
    return [Record(Ref(entity, number), fields) for number, fields in found.items()]


def _equals(entity: str, name: str, value: Any) -> Condition:
    given = value if isinstance(value, (tuple, list)) else (value,)
    if name == "id":
        return TABLES[entity].c.id.in_([of_type(INT, one, f"{entity}.id") for one in given])
    field = known_field(entity, name)
    values = [kept(entity, name, one) for one in given]
    if special := _SPECIAL.get((entity, name)):
        return special(values)
    column = LAYOUTS[entity].select.selected_columns.get(name)
    if column is None and f"{name}_id" in TABLES[entity].c:
        column = TABLES[entity].c[f"{name}_id"]
        values = [one.id if isinstance(one, Ref) else one for one in values]
    if column is None:
        raise StoreError(f"Records cannot be searched by {entity}.{name} ({field.title}).")
    return _one_of(_bare(column), values)


def kept(entity: str, name: str, value: Any) -> Any:
    type_ = known_field(entity, name).type
    if type_.item is not None:
        type_ = type_.item
    if value is None:
        return "" if type_.name == "text" else None
    return of_type(type_, value, f"{entity}.{name}")


def _bare(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return getattr(column, "element", column)


def _one_of(column: ColumnElement[Any], values: Values) -> Condition:
    """SQL knows no equality with NULL."""
    given = [value for value in values if value is not None]
    condition: Condition = column == given[0] if len(given) == 1 else column.in_(given)
    return condition | column.is_(None) if len(given) < len(values) else condition


def _has_address(kind: str, *, primary: bool) -> Callable[[Values], Condition]:
    address = t.contact_address
    of_kind = and_(address.c.contact_id == t.contact.c.id, address.c.kind == kind)
    first = (
        select(address.c.normal)
        .where(of_kind)
        .order_by(address.c.position, address.c.id)
        .limit(1)
        .scalar_subquery()
    )

    def condition(values: Values) -> Condition:
        # The lookup by any address is the one that has an index; the primary one is compared after it.
        given = [normal(kind, value) for value in values if value]
        owners = select(address.c.contact_id).where(address.c.normal.in_(given), address.c.kind == kind)
        found: Condition = t.contact.c.id.in_(owners)
        if primary:
            found = and_(found, first.in_(given))
        return found if len(given) == len(values) else found | ~exists().where(of_kind)

    return condition


def _linked(entity: str) -> Callable[[Values], Condition]:
    """The activity's own link of this kind leads there."""
    link = t.activity_link
    column = link.c[f"{entity}_id"]
    of_kind = and_(link.c.activity_id == t.activity.c.id, column.is_not(None))
    own = select(column).where(of_kind).order_by(link.c.id).limit(1).scalar_subquery()

    def condition(values: Values) -> Condition:
        given = [value.id for value in values if value is not None]
        there = select(link.c.activity_id).where(column.in_(given))
        found = and_(t.activity.c.id.in_(there), own.in_(given))
        return found if len(given) == len(values) else found | ~exists().where(of_kind)

    return condition


def _takes_part(values: Values) -> Condition:
    given = [value.id for value in values if value is not None]
    links = select(t.activity_link.c.activity_id).where(t.activity_link.c.contact_id.in_(given))
    parts = select(t.participant.c.activity_id).where(t.participant.c.contact_id.in_(given))
    return t.activity.c.id.in_(links) | t.activity.c.id.in_(parts)


def _is_open(values: Values) -> Condition:
    is_open = t.opportunity.c.stage.in_(OPEN_STAGES)
    return (is_open if True in values else false()) | (~is_open if False in values else false())


def _in_category(values: Values) -> Condition:
    number, names = t.activity.c.category_id, [value for value in values if value]
    found: Condition = number.in_(select(t.category.c.id).where(t.category.c.name.in_(names)))
    return found if len(names) == len(values) else found | number.is_(None)


def _is_meeting(values: Values) -> Condition:
    number = t.activity.c.category_id
    meetings = select(t.category.c.id).where(t.category.c.is_meeting)
    return (number.in_(meetings) if True in values else false()) | (
        number.is_(None) | number.not_in(meetings) if False in values else false()
    )


_SPECIAL: Mapping[tuple[str, str], Callable[[Values], Condition]] = {
    ("contact", "email"): _has_address("email", primary=True),
    ("contact", "phone"): _has_address("phone", primary=True),
    ("contact", "emails"): _has_address("email", primary=False),
    ("opportunity", "is_open"): _is_open,
    ("activity", "category"): _in_category,
    ("activity", "is_meeting"): _is_meeting,
    ("activity", "participants"): _takes_part,
    **{("activity", entity): _linked(entity) for entity in LINKED},
}


def _in_order(query: Select[Any], entity: str, order: str) -> Select[Any]:
    name = order.removeprefix("-")
    number = TABLES[entity].c.id
    if not name:
        return query.order_by(number)
    if name == "id":
        return query.order_by(number.desc() if order != name else number)
    known_field(entity, name)
    column = LAYOUTS[entity].select.selected_columns.get(name)
    if column is None or name not in LAYOUTS[entity].plain:
        raise StoreError(f"Records cannot be put in order by {entity}.{name}.")
    bare = _bare(column)
    directed = bare.desc() if order != name else bare.asc()
    return query.order_by(directed.nulls_last(), number)
