"""What a save changes, and whether it may, decided of values alone. Nothing here asks the database."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

from crm.checks import unknown_entity
from crm.columns import Money
from crm.mapping import LAYOUTS
from procession.errors import StoreError
from procession.records import Record, Ref, ref_of
from procession.spelling import did_you_mean

Values = Mapping[str, Any]
Change = tuple[Ref, Values]

ON_ITS_WAY = ("held", "queued", "sending", "unknown")
"""States of e-mails that cannot be deleted: they would be lost without a word."""


MOMENTS = ("start", "end", "due")


def known_entity(entity: str) -> None:
    if entity not in LAYOUTS:
        raise unknown_entity(entity)


def named(entity: str, whole: dict[str, Any]) -> dict[str, Any]:
    """An activity with what calendars know it by: a UUID (RFC 7986, 5.3), unless it came from a calendar."""
    if entity == "activity" and not whole["uid"]:
        whole["uid"] = str(uuid4())
    return whole


def placed(whole: dict[str, Any], zones: Mapping[int, str]) -> dict[str, Any]:
    """An activity that has a moment keeps the zone that it is saved in, its own or that of its owner (decision 0008): its
    day must not move when it is given to somebody else.

    Args:
        zones: of the owners, by their numbers.
    """
    if _lacks_a_zone(whole):
        whole["timezone"] = zones.get(_owner(whole), "")
    return whole


def _lacks_a_zone(whole: Values) -> bool:
    has_moment = any(whole.get(name) for name in MOMENTS)
    return has_moment and not whole.get("timezone") and bool(_owner(whole))


def to_be_placed(changed: Mapping[Ref, dict[str, Any]], before: Mapping[int, Values]) -> dict[Ref, int]:
    """Activities that get a moment or an owner and have no zone yet, with their owners' numbers."""
    wholes = {ref: {**before[ref.id], **values} for ref, values in changed.items()}
    return {
        ref: _owner(whole)
        for ref, whole in wholes.items()
        if changed[ref].keys() & {*MOMENTS, "owner"}
        and "timezone" not in changed[ref]
        and _lacks_a_zone(whole)
    }


def _owner(whole: Values) -> int:
    owner = whole.get("owner")
    ref = ref_of(owner) if isinstance(owner, Record) else owner
    return ref.id if ref else 0


def refs_in(rows: Iterable[Values]) -> list[Ref]:
    return [value for row in rows for value in row.values() if isinstance(value, Ref)]


def columns_of(entity: str, values: Values, categories: Mapping[str, int]) -> dict[str, Any]:
    """The part of the values that stands in the table of the entity."""
    layout = LAYOUTS[entity]
    columns: dict[str, Any] = {}
    for name, value in values.items():
        if name in layout.references:
            columns[f"{name}_id"] = value.id if value is not None else None
        elif name == "category":
            columns["category_id"] = categories[value] if value else None
        elif name in layout.table.c:
            columns[name] = value
    return columns


def gone(ref: Ref) -> StoreError:
    return StoreError(f"{ref} does not exist any more.")


def changed_by_each(changes: Iterable[Change], before: Mapping[int, Values]) -> Iterator[tuple[str, ...]]:
    """The fields that each change changes. One of the same record finds what those before it left."""
    left: dict[Ref, dict[str, Any]] = {}
    for ref, values in changes:
        there = left.setdefault(ref, {})
        known = before[ref.id]
        yield tuple(
            name for name, new in values.items() if not _same(name, there.get(name, known[name]), new)
        )
        there.update(values)


def differences(changes: Iterable[Change], before: Mapping[int, Values]) -> dict[Ref, dict[str, Any]]:
    """What is different after all changes; a later one of the same field counts."""
    wanted: dict[Ref, dict[str, Any]] = {}
    for ref, values in changes:
        wanted.setdefault(ref, {}).update(values)
    changed = {
        ref: {name: new for name, new in values.items() if not _same(name, before[ref.id][name], new)}
        for ref, values in wanted.items()
    }
    return {ref: values for ref, values in changed.items() if values}


def _same(name: str, old: Any, new: Any) -> bool:
    if isinstance(old, Record):
        return bool(ref_of(old) == new)
    if name == "amount" and None not in (old, new):
        return bool(round(old, Money.cents) == round(new, Money.cents))
    if name == "category":
        return bool(old.casefold() == new.casefold())
    return bool(old == new)


def numbers_of(wanted: Iterable[str], there: Iterable[Any]) -> dict[str, int]:
    """`{name: number}` of categories by their names, in large or small letters; `there` are the rows of all.

    Raises:
        StoreError: there is no such category.
    """
    names = {row.name.casefold(): row for row in there}
    for name in sorted(wanted):
        if name.casefold() not in names:
            known = sorted(row.name for row in names.values())
            hint = did_you_mean(name, known) or f"There are {', '.join(known)}."
            raise StoreError(f"There is no category {name!r}.", hint=hint)
    return {name: names[name.casefold()].id for name in wanted}


def can_be_connected(entity: str, connected_to: Sequence[Sequence[Ref]], rows: int) -> bool:
    """Whether new records are to be connected to others.

    Raises:
        StoreError: they cannot be.
    """
    if not any(connected_to):
        return False
    if entity != "activity":
        raise StoreError(f"Only activities are connected to records, a new {entity} is not.")
    if len(connected_to) != rows:
        raise StoreError(f"{rows} records cannot be connected to {len(connected_to)} lists of records.")
    return True


def each_once(refs: Iterable[Ref]) -> list[Ref]:
    """Records to delete.

    Raises:
        StoreError: a kind of record that is not there, or one twice.
    """
    counted = Counter(refs)
    for ref, times in counted.items():
        known_entity(ref.entity)
        if times > 1:
            raise gone(ref)  # as the second one would say if they went one after the other
    return list(counted)


# --- refusals


def not_there(ref: Ref) -> StoreError:
    return StoreError(f"{ref} does not exist.")


def needed(ref: Ref, name: str, by: Ref) -> StoreError:
    return StoreError(f"{ref} cannot be deleted: it is the {name} of {by}.")


def on_its_way(activity: int, state: str) -> StoreError:
    return StoreError(
        f"{Ref('activity', activity)} cannot be deleted: it is an e-mail that is {state}.",
        hint="Wait until it is sent, or cancel it first.",
    )
