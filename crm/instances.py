"""The journal: events, versions of processes, their instances and step runs."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import bindparam, select, text, update

from crm import journal as j
from crm.definitions import Definitions
from crm.dialects import Upsert
from crm.events import EventLog
from crm.leases import Leases
from crm.parameters import IDS, portions
from crm.part import Part
from crm.rows import instance_of, row_of_step, step_of
from crm.starting import Starts
from procession.ports import Instance, StepRun

_RECORD = Upsert(
    j.step_run,
    unique=("instance_id", "path", "round"),
    replaced=("kind", "state", "at", "attempts", "branch", "output", "error"),
)
_STEPS = select(j.step_run).where(j.step_run.c.instance_id.in_(IDS)).order_by(j.step_run.c.id)
_LOOKED_AT = text("instance.state IN ('failed', 'incident')")
_SEEN = (
    update(j.instance).where(j.instance.c.id == bindparam("number")).values(flow_run_id=bindparam("flow_run"))
)
_UNSEEN = (
    select(j.instance)
    .where(text("instance.flow_run_id = '' AND instance.ended_at IS NOT NULL"))
    .order_by(j.instance.c.ended_at, j.instance.c.id)
    .limit(bindparam("limit"))
)


class Runs(Part):
    """See `procession.ports.Journal`."""

    def steps(self, instances: Collection[int]) -> dict[int, list[StepRun]]:
        """An entry for each of `instances`; steps in the order in which they were first recorded."""
        found: dict[int, list[StepRun]] = {number: [] for number in instances}
        for some in portions(found):
            for row in self._connection.execute(_STEPS, {"ids": some}):
                found[row.instance_id].append(step_of(row))
        return found

    def record(self, rows: Sequence[StepRun]) -> None:
        if rows:
            self._connection.execute(_RECORD.on(self._connection), list(map(row_of_step, rows)))

    def instances(
        self, *, ids: Collection[int] = (), states: Collection[str] = (), process: str = "", limit: int = 100
    ) -> list[Instance]:
        """Newest first; all of `ids`, whatever the limit."""
        query = select(j.instance).order_by(j.instance.c.id.desc()).limit(max(limit, len(ids)))
        if ids:
            query = query.where(j.instance.c.id.in_(ids))
        if states:
            query = query.where(j.instance.c.state.in_(states))
        if states and set(states) <= {"failed", "incident"}:
            query = query.where(_LOOKED_AT)  # said as the index says it, or SQLite would not use it
        if process:
            query = query.where(j.instance.c.process == process)
        return list(map(instance_of, self._connection.execute(query)))

    def seen_in_prefect(self, flow_runs: Mapping[int, str]) -> None:
        rows = [{"number": number, "flow_run": flow_run} for number, flow_run in flow_runs.items()]
        if rows:
            self._connection.execute(_SEEN, rows)

    def unseen_in_prefect(self, limit: int) -> list[Instance]:
        return list(map(instance_of, self._connection.execute(_UNSEEN, {"limit": limit})))


class CrmJournal(EventLog, Definitions, Starts, Leases, Runs):
    """Implements `procession.ports.Journal`."""
