"""The first tables, and the categories of activities every store begins with."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
TEXT = sa.Text()
JSON = sa.JSON(none_as_null=True)


def index(
    name: str, table: str, columns: list[str], where: str | None = None, *, unique: bool = False
) -> None:
    """An index; `where` makes it partial on both databases."""
    condition = sa.text(where) if where else None
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def upgrade() -> None:
    op.create_table(
        "category",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("is_meeting", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_category")),
        sa.UniqueConstraint("name", name=op.f("uq_category_name")),
    )
    op.create_table(
        "definition",
        sa.Column("id", ID, nullable=False),
        sa.Column("process", TEXT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("files", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_definition")),
        sa.UniqueConstraint("process", "digest", name=op.f("uq_definition_process_digest")),
        sa.UniqueConstraint("process", "number", name=op.f("uq_definition_process_number")),
    )
    op.create_table(
        "event",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("entity", TEXT, nullable=False),
        sa.Column("record_id", ID, nullable=True),
        sa.Column("changed", JSON, nullable=True),
        sa.Column("process", TEXT, nullable=False),
        sa.Column("trigger", TEXT, nullable=False),
        sa.Column("origin", TEXT, nullable=False),
        sa.Column("payload", JSON, nullable=True),
        sa.Column("dedupe_key", TEXT, nullable=True),
        sa.Column("dispatched_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_event_dedupe_key")),
        sqlite_autoincrement=True,
    )
    index("ix_event_record", "event", ["entity", "record_id"], "record_id IS NOT NULL")
    index("ix_event_undispatched", "event", ["id"], "dispatched_at IS NULL")
    op.create_table(
        "user",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("email", TEXT, nullable=False),
        sa.Column("timezone", TEXT, nullable=False),
        sa.Column("language", TEXT, nullable=False),
        sa.Column("team", TEXT, nullable=False),
        sa.Column("phone", TEXT, nullable=False),
        sa.Column("signature", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user")),
        sa.UniqueConstraint("email", name=op.f("uq_user_email")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "account",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("website", TEXT, nullable=False),
        sa.Column("phone", TEXT, nullable=False),
        sa.Column("industry", TEXT, nullable=False),
        sa.Column("country", TEXT, nullable=False),
        sa.Column("owner_id", ID, nullable=True),
        sa.ForeignKeyConstraint(["owner_id"], ["user.id"], name=op.f("fk_account_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sqlite_autoincrement=True,
    )
    index("ix_account_name", "account", ["name"])
    op.create_table(
        "activity",
        sa.Column("id", ID, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("category_id", ID, nullable=True),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("priority", TEXT, nullable=False),
        sa.Column("start", MOMENT, nullable=True),
        sa.Column("end", MOMENT, nullable=True),
        sa.Column("due", MOMENT, nullable=True),
        sa.Column("all_day", sa.Boolean(), nullable=False),
        sa.Column("timezone", TEXT, nullable=False),
        sa.Column("location", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.Column("owner_id", ID, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("modified_at", MOMENT, nullable=False),
        sa.Column("external", sa.Boolean(), nullable=False),
        sa.CheckConstraint("priority IN ('low', 'normal', 'high')", name=op.f("ck_activity_priority")),
        sa.CheckConstraint(
            "status IN ('planned', 'in_progress', 'done', 'cancelled')", name=op.f("ck_activity_status")
        ),
        sa.CheckConstraint("type IN ('email', 'call', 'task')", name=op.f("ck_activity_type")),
        sa.ForeignKeyConstraint(["category_id"], ["category.id"], name=op.f("fk_activity_category_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["user.id"], name=op.f("fk_activity_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity")),
        sqlite_autoincrement=True,
    )
    index("ix_activity_due", "activity", ["due"], "due IS NOT NULL")
    index("ix_activity_start", "activity", ["start"], "start IS NOT NULL")
    op.create_table(
        "instance",
        sa.Column("id", ID, nullable=False),
        sa.Column("process", TEXT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("title", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("live_key", TEXT, nullable=True),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("inputs", JSON, nullable=False),
        sa.Column("trigger", JSON, nullable=False),
        sa.Column("trigger_id", TEXT, nullable=False),
        sa.Column("event_id", ID, nullable=True),
        sa.Column("event_at", MOMENT, nullable=True),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("due", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("result", TEXT, nullable=False),
        sa.Column("error", JSON, nullable=True),
        sa.Column("flow_run_id", TEXT, nullable=False),
        sa.Column("lease_owner", TEXT, nullable=False),
        sa.Column("lease_until", MOMENT, nullable=True),
        sa.Column("claim", sa.Integer(), nullable=False),
        sa.Column("stop_requested", TEXT, nullable=True),
        sa.Column("stop_requested_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "state IN ('ready', 'running', 'completed', 'stopped', 'failed', 'cancelled', 'incident')",
            name=op.f("ck_instance_state"),
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["event.id"], name=op.f("fk_instance_event_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instance")),
        sa.UniqueConstraint("live_key", name=op.f("uq_instance_live_key")),
        sa.UniqueConstraint(
            "process", "trigger_id", "event_id", name=op.f("uq_instance_process_trigger_id_event_id")
        ),
        sqlite_autoincrement=True,
    )
    index("ix_instance_event_id", "instance", ["event_id"], "event_id IS NOT NULL")
    index("ix_instance_looked_at", "instance", ["state"], "state IN ('failed', 'incident')")
    index("ix_instance_ready", "instance", ["due", "id"], "state = 'ready'")
    index("ix_instance_running", "instance", ["lease_owner", "lease_until"], "state = 'running'")
    index("ix_instance_unseen", "instance", ["ended_at"], "flow_run_id = '' AND ended_at IS NOT NULL")
    op.create_table(
        "contact",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("salutation", TEXT, nullable=False),
        sa.Column("first_name", TEXT, nullable=False),
        sa.Column("last_name", TEXT, nullable=False),
        sa.Column("job_title", TEXT, nullable=False),
        sa.Column("account_id", ID, nullable=True),
        sa.Column("timezone", TEXT, nullable=False),
        sa.Column("language", TEXT, nullable=False),
        sa.Column("country", TEXT, nullable=False),
        sa.Column("opt_out", sa.Boolean(), nullable=False),
        sa.Column("owner_id", ID, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_contact_account_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["user.id"], name=op.f("fk_contact_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact")),
        sqlite_autoincrement=True,
    )
    index("ix_contact_account_id", "contact", ["account_id"])
    index("ix_contact_name", "contact", ["name"])
    op.create_table(
        "email_message",
        sa.Column("activity_id", ID, autoincrement=False, nullable=False),
        sa.Column("message_id", TEXT, nullable=False),
        sa.Column("direction", TEXT, nullable=False),
        sa.Column("sender", TEXT, nullable=False),
        sa.Column("sender_name", TEXT, nullable=False),
        sa.Column("to", JSON, nullable=False),
        sa.Column("cc", JSON, nullable=True),
        sa.Column("bcc", JSON, nullable=True),
        sa.Column("in_reply_to", TEXT, nullable=False),
        sa.Column("references", JSON, nullable=True),
        sa.Column("template", TEXT, nullable=False),
        sa.Column("language", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=True),
        sa.Column("claimed_by", TEXT, nullable=False),
        sa.Column("claimed_at", MOMENT, nullable=True),
        sa.Column("not_before", MOMENT, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("detail", TEXT, nullable=False),
        sa.Column("on_unknown", TEXT, nullable=False),
        sa.Column("instance_id", ID, nullable=True),
        sa.Column("path", TEXT, nullable=False),
        sa.Column("round", TEXT, nullable=False),
        sa.Column("sent_at", MOMENT, nullable=True),
        sa.CheckConstraint("direction IN ('in', 'out')", name=op.f("ck_email_message_direction")),
        sa.ForeignKeyConstraint(
            ["activity_id"],
            ["activity.id"],
            name=op.f("fk_email_message_activity_id"),
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["instance_id"], ["instance.id"], name=op.f("fk_email_message_instance_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("activity_id", name=op.f("pk_email_message")),
        sa.UniqueConstraint("message_id", name=op.f("uq_email_message_message_id")),
    )
    index("ix_email_message_instance_id", "email_message", ["instance_id"], "instance_id IS NOT NULL")
    index(
        "ix_email_message_looked_at", "email_message", ["state"], "state NOT IN ('queued', 'sending', 'sent')"
    )
    index("ix_email_message_queued", "email_message", ["not_before"], "state = 'queued'")
    index("ix_email_message_sending", "email_message", ["claimed_by"], "state = 'sending'")
    op.create_table(
        "history",
        sa.Column("id", ID, nullable=False),
        sa.Column("entity", TEXT, nullable=False),
        sa.Column("record_id", ID, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("text", TEXT, nullable=False),
        sa.Column("activity_id", ID, nullable=True),
        sa.Column("actor_kind", TEXT, nullable=False),
        sa.Column("actor_name", TEXT, nullable=False),
        sa.Column("actor_process", TEXT, nullable=False),
        sa.Column("actor_instance", ID, nullable=True),
        sa.Column("actor_step", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["activity_id"], ["activity.id"], name=op.f("fk_history_activity_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_history")),
    )
    index("ix_history_activity_id", "history", ["activity_id"], "activity_id IS NOT NULL")
    index("ix_history_record", "history", ["entity", "record_id", "at"])
    op.create_table(
        "step_run",
        sa.Column("id", ID, nullable=False),
        sa.Column("instance_id", ID, nullable=False),
        sa.Column("path", TEXT, nullable=False),
        sa.Column("round", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("branch", TEXT, nullable=False),
        sa.Column("output", JSON, nullable=True),
        sa.Column("error", JSON, nullable=True),
        sa.ForeignKeyConstraint(
            ["instance_id"], ["instance.id"], name=op.f("fk_step_run_instance_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_step_run")),
        sa.UniqueConstraint("instance_id", "path", "round", name=op.f("uq_step_run_instance_id_path_round")),
    )
    op.create_table(
        "contact_address",
        sa.Column("id", ID, nullable=False),
        sa.Column("contact_id", ID, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("value", TEXT, nullable=False),
        sa.Column("normal", TEXT, nullable=False),
        sa.Column("label", TEXT, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.CheckConstraint("kind IN ('email', 'phone')", name=op.f("ck_contact_address_kind")),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_contact_address_contact_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_address")),
        sa.UniqueConstraint(
            "contact_id", "kind", "normal", name=op.f("uq_contact_address_contact_id_kind_normal")
        ),
    )
    index("ix_contact_address_normal", "contact_address", ["normal", "kind"])
    op.create_table(
        "email_source",
        sa.Column("activity_id", ID, autoincrement=False, nullable=False),
        sa.Column("mime", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["activity_id"],
            ["email_message.activity_id"],
            name=op.f("fk_email_source_activity_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("activity_id", name=op.f("pk_email_source")),
    )
    op.create_table(
        "opportunity",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("stage", TEXT, nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=2, asdecimal=False), nullable=True),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("close_date", sa.Date(), nullable=True),
        sa.Column("account_id", ID, nullable=True),
        sa.Column("contact_id", ID, nullable=True),
        sa.Column("owner_id", ID, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_opportunity_account_id")),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_opportunity_contact_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["user.id"], name=op.f("fk_opportunity_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opportunity")),
        sqlite_autoincrement=True,
    )
    index("ix_opportunity_account_id", "opportunity", ["account_id"])
    op.create_table(
        "participant",
        sa.Column("id", ID, nullable=False),
        sa.Column("activity_id", ID, nullable=False),
        sa.Column("contact_id", ID, nullable=True),
        sa.Column("address", TEXT, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("response", TEXT, nullable=False),
        sa.CheckConstraint("contact_id IS NOT NULL OR address <> ''", name=op.f("ck_participant_someone")),
        sa.ForeignKeyConstraint(
            ["activity_id"], ["activity.id"], name=op.f("fk_participant_activity_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_participant_contact_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_participant")),
    )
    index("ix_participant_activity_id", "participant", ["activity_id"])
    index("ix_participant_contact_id", "participant", ["contact_id"], "contact_id IS NOT NULL")
    op.create_table(
        "activity_link",
        sa.Column("id", ID, nullable=False),
        sa.Column("activity_id", ID, nullable=False),
        sa.Column("contact_id", ID, nullable=True),
        sa.Column("account_id", ID, nullable=True),
        sa.Column("opportunity_id", ID, nullable=True),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.CheckConstraint(
            "CASE WHEN contact_id IS NULL THEN 0 ELSE 1 END + CASE WHEN account_id IS NULL THEN 0 ELSE 1 END + CASE WHEN opportunity_id IS NULL THEN 0 ELSE 1 END = 1",
            name=op.f("ck_activity_link_one_target"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_activity_link_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["activity_id"], ["activity.id"], name=op.f("fk_activity_link_activity_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_activity_link_contact_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["opportunity_id"],
            ["opportunity.id"],
            name=op.f("fk_activity_link_opportunity_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity_link")),
    )
    index("ix_activity_link_activity_id", "activity_link", ["activity_id"])
    index(
        "uq_activity_link_account",
        "activity_link",
        ["account_id", "activity_id"],
        unique=True,
        where="account_id IS NOT NULL",
    )
    index(
        "uq_activity_link_contact",
        "activity_link",
        ["contact_id", "activity_id"],
        unique=True,
        where="contact_id IS NOT NULL",
    )
    index(
        "uq_activity_link_opportunity",
        "activity_link",
        ["opportunity_id", "activity_id"],
        unique=True,
        where="opportunity_id IS NOT NULL",
    )
    category = sa.table("category", sa.column("name", TEXT), sa.column("is_meeting", sa.Boolean()))
    names = [("meeting", True), ("call", False), ("to do", False), ("paperwork", False)]
    op.bulk_insert(category, [{"name": name, "is_meeting": is_meeting} for name, is_meeting in names])
