"""Mails that will not be sent: their instance was cancelled, or their step has no more use for them."""

from collections.abc import Collection

from sqlalchemy import Connection, and_, bindparam, or_, text, update

from crm import tables as t
from crm.statements import IDS, portions

WITHDRAWN = "its step did not send it"

_M = t.email_message.c
_HELD, _QUEUED = text("email_message.state = 'held'"), text("email_message.state = 'queued'")
_CANCEL = (
    update(t.email_message)
    .where(_M.instance_id.in_(IDS), text("email_message.state IN ('held', 'queued')"))
    .values(state="cancelled", detail=bindparam("why"), not_before=None)
)
_WITHDRAW = (
    update(t.email_message)
    .where(
        _M.instance_id == bindparam("number"),
        _M.path == bindparam("at_path"),
        _M.round == bindparam("in_round"),
        or_(_HELD, and_(_QUEUED, _M.not_before.is_(None))),
    )
    .values(state="withdrawn", detail=WITHDRAWN, not_before=None)
)


def cancel_mails(connection: Connection, instances: Collection[int], reason: str) -> None:
    """Of cancelled instances: mails that nobody will send. Drafts stay: they wait for a person. What is `sending` is
    in somebody's hands already."""
    for some in portions(instances):
        connection.execute(_CANCEL, {"ids": some, "why": why_cancelled(reason)})


def why_cancelled(reason: str) -> str:
    return f"its process was cancelled: {reason}"


def withdraw_mails(connection: Connection, steps: Collection[tuple[int, str, str]]) -> None:
    """See `procession.ports.Outbox.withdraw`."""
    if steps:
        rows = [{"number": n, "at_path": path, "in_round": round_} for n, path, round_ in sorted(steps)]
        connection.execute(_WITHDRAW, rows)
