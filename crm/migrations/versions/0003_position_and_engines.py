"""Where instances are, which engines there are, which database this is; mails of steps are known by their step."""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
TEXT = sa.Text()
JSON = sa.JSON(none_as_null=True)


def index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def upgrade() -> None:
    _engines()
    _publications()
    _positions()
    _instances()
    _mails()


def _engines() -> None:
    op.create_table(
        "engine",
        sa.Column("id", ID, nullable=False),
        sa.Column("host", TEXT, nullable=False),
        sa.Column("boot", TEXT, nullable=False),
        sa.Column("pid_namespace", TEXT, nullable=False),
        sa.Column("pid", ID, nullable=False),
        sa.Column("began", ID, nullable=False),
        sa.Column("beat", ID, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_engine")),
        sqlite_autoincrement=True,
    )
    planner = op.create_table(
        "planner",
        sa.Column("id", ID, nullable=False),
        sa.Column("engine_id", ID, nullable=True),
        sa.Column("epoch", ID, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_planner")),
    )
    op.bulk_insert(planner, [{"id": 1, "engine_id": None, "epoch": 0}])
    installation = op.create_table(
        "installation",
        sa.Column("id", ID, nullable=False),
        sa.Column("installation", TEXT, nullable=False),
        sa.Column("incarnation", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
    row = {"id": 1, "installation": uuid.uuid4().hex, "incarnation": uuid.uuid4().hex}
    op.bulk_insert(installation, [row])


def _publications() -> None:
    op.create_table(
        "publication",
        sa.Column("id", ID, nullable=False),
        sa.Column("process", TEXT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("folder", TEXT, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_publication")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_publication_process", "publication", ["process", "id"])


def _positions() -> None:
    for table, more in (("position", []), ("kept_value", [sa.Column("name", TEXT, nullable=False)])):
        keys = ["instance_id", *(column.name for column in more)]
        op.create_table(
            table,
            sa.Column("instance_id", ID, nullable=False),
            *more,
            sa.Column("position" if table == "position" else "value", JSON, nullable=False),
            sa.ForeignKeyConstraint(
                ["instance_id"], ["instance.id"], name=op.f(f"fk_{table}_instance_id"), ondelete="CASCADE"
            ),
            sa.PrimaryKeyConstraint(*keys, name=op.f(f"pk_{table}")),
        )


def _instances() -> None:
    for name, type_ in (("fencing_token", sa.Integer()), ("deaths", sa.Integer())):
        op.add_column("instance", sa.Column(name, type_, nullable=False, server_default="0"))
    for name in ("alone", "is_of_0_1"):
        op.add_column("instance", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    for name in ("engine_id", "after_id"):
        op.add_column("instance", sa.Column(name, ID, nullable=True))
    op.execute("UPDATE instance SET fencing_token = claim")
    op.execute("UPDATE instance SET state = 'ready' WHERE state = 'running'")
    op.execute(
        sa.text(
            "UPDATE instance SET is_of_0_1 = :yes WHERE state IN ('ready', 'incident')"
            " AND EXISTS (SELECT 1 FROM step_run WHERE step_run.instance_id = instance.id)"
        ).bindparams(yes=True)
    )
    op.drop_index("ix_instance_running", "instance")
    for name in ("lease_owner", "lease_until", "claim"):
        op.drop_column("instance", name)
    index("ix_instance_running", "instance", ["engine_id"], "state = 'running'")
    index("ix_instance_suspect", "instance", ["due", "id"], "state = 'ready' AND deaths > 1")
    index("ix_instance_shown", "instance", ["flow_run_id"], "state IN ('ready', 'running') AND flow_run_id > ''")


def _mails() -> None:
    """Whoever had claimed a mail is no engine of this version: 0 is nobody."""
    op.drop_index("ix_email_message_sending", "email_message")
    op.drop_column("email_message", "claimed_by")
    op.add_column("email_message", sa.Column("claimed_by", ID, nullable=False, server_default="0"))
    index("ix_email_message_sending", "email_message", ["claimed_by"], "state = 'sending'")
    op.add_column("email_message", sa.Column("part", sa.Integer(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE email_message SET part = (SELECT count(*) FROM email_message AS other WHERE"
        " other.instance_id = email_message.instance_id AND other.path = email_message.path"
        " AND other.round = email_message.round AND other.activity_id < email_message.activity_id)"
        " WHERE instance_id IS NOT NULL"
    )
    op.drop_index("ix_email_message_instance_id", "email_message")
    index(
        "uq_email_message_of_step",
        "email_message",
        ["instance_id", "path", "round", "part"],
        "instance_id IS NOT NULL",
        unique=True,
    )
