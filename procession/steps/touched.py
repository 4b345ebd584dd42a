"""What a wait was computed from: the fields of records that expressions read."""

from collections.abc import Iterable

from procession.ports import ANY_FIELD
from procession.records import Ref, Schema


def of_records(touched: Iterable[tuple[Ref, str]], schema: Schema) -> frozenset[tuple[Ref, str]]:
    """These fields as events name them when they change; a field that follows from others is told of by any of them."""
    return frozenset((ref, name if _is_told(ref, name, schema) else ANY_FIELD) for ref, name in touched)


def _is_told(ref: Ref, name: str, schema: Schema) -> bool:
    known = schema.field(ref.entity, name)
    return known is not None and known.writable
