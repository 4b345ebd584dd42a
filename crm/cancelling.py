"""What a cancelled instance leaves in the outbox: mails that nobody will send are cancelled with it."""

from collections.abc import Collection

from sqlalchemy import Connection, bindparam, text, update

from crm import tables as t
from crm.parameters import IDS, portions

_CANCEL = (
    update(t.email_message)
    .where(t.email_message.c.instance_id.in_(IDS), text("email_message.state = 'queued'"))
    .values(state="cancelled", detail=bindparam("why"), not_before=None)
)


def cancel_mails(connection: Connection, instances: Collection[int], reason: str) -> None:
    """Drafts stay: they wait for a person. What is `sending` is in somebody's hands already."""
    for some in portions(instances):
        connection.execute(_CANCEL, {"ids": some, "why": f"its process was cancelled: {reason}"})
