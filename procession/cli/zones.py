"""In which time zone the moments of a record are, as they are typed and shown (decision 0008)."""

from collections.abc import Mapping
from datetime import tzinfo

from procession.cli.naming import numbered
from procession.cli.session import Session
from procession.errors import InputError
from procession.records import Record, Ref, fields_of, ref_of
from procession.times import zone


def zone_shown(now: Session, record: Record) -> tzinfo:
    """A meeting is shown in the zone in which it takes place, all else in that of the settings."""
    name = fields_of(record).get("timezone") if ref_of(record).entity == "activity" else ""
    return zone(name) if name else now.application.timezone


def zone_written(now: Session, kept: Record | None, written: Mapping[str, str]) -> tzinfo | None:
    """Of a record as it is saved: its own, else its owner's; None if it has neither.

    Args:
        kept: the record as it is so far, with its owner; None for a new one.
        written: the fields that change, as texts.

    Raises:
        InputError: there is no such zone.
    """
    fields = fields_of(kept) if kept else {}
    name = written["timezone"] if "timezone" in written else fields.get("timezone")
    if not name:
        owner = _user(now, written["owner"]) if written.get("owner") else fields.get("owner")
        name = _zone_of_user(None if written.get("owner") == "" else owner)
    try:
        return zone(name) if name else None
    except ValueError as error:
        raise InputError(f"--timezone: {error}") from None


def _zone_of_user(user: object) -> str:
    return str(fields_of(user).get("timezone") or "") if isinstance(user, Record) else ""


def _user(now: Session, text: str) -> Record | None:
    """None if there is no such user: that is said where the field is read."""
    try:
        number = numbered(now, "user", text)
        ref = now.ref(number if ":" in number else f"user:{number}", of=("user",))
    except InputError:
        return None
    with now.application.store.unit(write=False) as unit:
        return unit.records.fetch([ref], frozenset()).get(Ref("user", ref.id))
