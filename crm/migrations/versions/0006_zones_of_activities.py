"""Activities with a moment and no zone get that of their owner, which they keep from now on."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    user = sa.table("user", sa.column("id"), sa.column("timezone"))
    activity = sa.table("activity", *map(sa.column, ("timezone", "owner_id", "start", "end", "due")))
    zone = sa.select(user.c.timezone).where(user.c.id == activity.c.owner_id).scalar_subquery()
    has_moment = sa.or_(activity.c.start.is_not(None), activity.c.end.is_not(None), activity.c.due.is_not(None))
    op.execute(
        sa.update(activity)
        .where(activity.c.timezone == "", activity.c.owner_id.is_not(None), has_moment)
        .values(timezone=zone)
    )
