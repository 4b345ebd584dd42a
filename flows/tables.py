"""The table on the page of a run for many instances: each with its record and what became of it."""

import json
from collections.abc import Sequence
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import ArtifactCreate

from flows import words
from procession.plan import Plan
from procession.ports import End, Instance


def show(
    client: SyncPrefectClient, run: UUID, plan: Plan, instances: Sequence[Instance], ends: Sequence[End],
    note: str = "",
) -> None:  # fmt: skip
    """Raises:
    UNREACHABLE: see `flows.client`.
    """
    description = f"{words.run_name(plan.title, instances)}: {words.counts(ends)}. {note}".strip()
    client.create_artifact(
        ArtifactCreate(
            key=plan.process.replace("_", "-"), type="table", description=description, flow_run_id=run,
            data=json.dumps(words.table(instances, ends)),
        )
    )  # fmt: skip
