"""Records as snapshots, read from the tables."""

from collections.abc import Collection, Iterator

from crm.mapping import LAYOUTS, LINKED
from crm.memory.shapes import Row
from crm.memory.tables import Tables
from crm.reading import Fields, mailbox, stub
from crm.schema import OPEN_STAGES
from procession.records import Record, Ref

_NOT_CATEGORY = {
    entity: tuple(name for name in layout.plain if name in layout.table.c)
    for entity, layout in LAYOUTS.items()
}


def fields_by_id(tables: Tables, entity: str, ids: Collection[int]) -> dict[int, Fields]:
    """The fields of the records that are there, by number."""
    rows = tables[entity].rows
    return {number: fields_of_row(tables, entity, rows[number]) for number in ids if number in rows}


def fields_of_row(tables: Tables, entity: str, row: Row) -> Fields:
    fields: Fields = {name: getattr(row, name) for name in _NOT_CATEGORY[entity]}
    for name, target in LAYOUTS[entity].references.items():
        fields[name] = _named(tables, target, getattr(row, f"{name}_id"))
    match entity:
        case "user":
            fields["mailbox"] = mailbox(row.name, row.email)
        case "opportunity":
            fields["is_open"] = row.stage in OPEN_STAGES
        case "contact":
            _add_addresses(tables, row.id, fields)
        case "activity":
            category = category_of(tables, row)
            fields["category"] = category.name if category else ""
            fields["is_meeting"] = bool(category and category.is_meeting)
            _add_links(tables, row.id, fields)
    return fields


def category_of(tables: Tables, activity: Row) -> Row | None:
    return tables["category"].rows.get(activity.category_id)


def addresses_of(tables: Tables, contact: int) -> list[Row]:
    """The primary one of each kind first."""
    return sorted(tables["contact_address"].of("contact_id", contact), key=lambda row: (row.position, row.id))


def links_of(tables: Tables, activity: int) -> Iterator[tuple[int, Ref]]:
    """`(number of the link, what it leads to)`, the oldest first."""
    for row in sorted(tables["activity_link"].of("activity_id", activity), key=lambda row: row.id):
        for entity in LINKED:
            if (number := getattr(row, f"{entity}_id")) is not None:
                yield row.id, Ref(entity, number)


def targets(tables: Tables, activities: Collection[int]) -> list[tuple[int, Ref]]:
    """All links of these activities: `(activity, connected record)`."""
    return [(activity, ref) for activity in activities for _, ref in links_of(tables, activity)]


def _named(tables: Tables, entity: str, number: int | None) -> Record | None:
    return None if number is None else stub(entity, number, tables[entity].rows[number].name)


def _add_addresses(tables: Tables, contact: int, fields: Fields) -> None:
    fields.update(email="", phone="", emails=())
    for row in addresses_of(tables, contact):
        fields[row.kind] = fields[row.kind] or row.value
        if row.kind == "email":
            fields["emails"] += (row.value,)


def _add_links(tables: Tables, activity: int, fields: Fields) -> None:
    """The first link of each kind is the activity's own; all linked contacts take part."""
    fields.update(dict.fromkeys(LINKED))
    taking_part: dict[int, Record | None] = {}
    for _, ref in links_of(tables, activity):
        record = _named(tables, ref.entity, ref.id)
        fields[ref.entity] = fields[ref.entity] or record
        if ref.entity == "contact":
            taking_part[ref.id] = record
    for row in sorted(tables["participant"].of("activity_id", activity), key=lambda row: row.id):
        if row.contact_id is not None:
            taking_part.setdefault(row.contact_id, _named(tables, "contact", row.contact_id))
    fields["participants"] = tuple(taking_part.values())
