"""The journal: events, versions of processes, their instances, where these are and what they did."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, select, text, union_all, update

from crm import journal as j
from crm.bursts import Bursts
from crm.claims import Claims, instance_of
from crm.definitions import Definitions
from crm.engines import Engines
from crm.events import EventLog
from crm.imports import Imports
from crm.queues import QUEUED, Queues
from crm.starting import Starts
from crm.statements import IDS, NOW, Part, Upsert, portions
from crm.waits import Waits
from procession.ports import Checkpoint, Glance, Instance, InstanceState, StepRun

_RECORD = Upsert(
    j.step_run,
    unique=("instance_id", "path", "round"),
    replaced=("kind", "state", "at", "attempts", "branch", "output", "error"),
)
_STEPS = select(j.step_run).where(j.step_run.c.instance_id.in_(IDS)).order_by(j.step_run.c.id)
_POSITIONS = select(j.position).where(j.position.c.instance_id.in_(IDS))
_VALUES = select(j.kept_value).where(j.kept_value.c.instance_id.in_(IDS))
_SAVE_POSITION = Upsert(j.position, unique=("instance_id",), replaced=("position",))
_SAVE_VALUE = Upsert(j.kept_value, unique=("instance_id", "name"), replaced=("value",))
_DROP_VALUE = delete(j.kept_value).where(
    j.kept_value.c.instance_id == bindparam("number"), j.kept_value.c.name == bindparam("dropped")
)
_STEP_FURTHER = (
    update(j.instance).where(j.instance.c.id.in_(IDS), text("instance.deaths > 0")).values(deaths=0)
)
_SHOWN = text("instance.state IN ('ready', 'running') AND instance.flow_run_id > ''")
_RUNNING_IN_PREFECT = select(j.instance.c.id, j.instance.c.flow_run_id).where(_SHOWN)
_STATES = {
    "ready": text("instance.state = 'ready'"),
    "running": text("instance.state = 'running'"),
    "waiting": text("instance.state = 'waiting'"),
    "queued": QUEUED,
}
_LOOKED_AT = text("instance.state IN ('failed', 'incident', 'stopped', 'cancelled')")
_LIVE = union_all(
    *(select(j.instance.c.process, j.instance.c.state).where(state) for state in _STATES.values()),
    select(j.instance.c.process, j.instance.c.state).where(_LOOKED_AT, text("instance.state = 'incident'")),
).subquery("live")  # each by its own partial index
_TALLY = select(*_LIVE.c, func.count().label("live")).group_by(*_LIVE.c)
_SEEN = (
    update(j.instance).where(j.instance.c.id == bindparam("number")).values(flow_run_id=bindparam("flow_run"))
)
_UNSEEN = (
    select(j.instance)
    .where(text("instance.flow_run_id = '' AND instance.ended_at IS NOT NULL"))
    .order_by(j.instance.c.ended_at, j.instance.c.id)
    .limit(bindparam("limit"))
)


_GLANCE = text("""\
SELECT (SELECT id FROM event WHERE dispatched_at IS NULL AND import_id = 0 ORDER BY bulk, id LIMIT 1) AS pending,
       EXISTS (SELECT 1 FROM file_import WHERE is_released) AS released,
       EXISTS (SELECT 1 FROM wait WHERE woken_at IS NULL AND due <= :now) AS due,
       EXISTS (SELECT 1 FROM wait_read) OR EXISTS (SELECT 1 FROM subscription) AS live,
       EXISTS (SELECT 1 FROM wait WHERE is_new) AS new,
       EXISTS (SELECT 1 FROM burst WHERE due <= :now) AS bursts,
       EXISTS (SELECT 1 FROM instance WHERE state = 'ready' AND deaths <= 1
               AND (after_id IS NULL OR NOT EXISTS (
                   SELECT 1 FROM instance AS predecessor
                   WHERE predecessor.id = instance.after_id AND predecessor.ended_at IS NULL))) AS ready,
       EXISTS (SELECT 1 FROM instance WHERE state = 'ready' AND deaths > 1) AS suspect,
       EXISTS (SELECT 1 FROM email_message WHERE state = 'queued' AND bulk IN (false, true) AND not_before <= :now) AS mail,
       EXISTS (SELECT 1 FROM instance WHERE state = 'running'
               AND NOT EXISTS (SELECT 1 FROM engine WHERE engine.id = instance.engine_id))
       OR EXISTS (SELECT 1 FROM email_message WHERE state = 'sending'
                  AND NOT EXISTS (SELECT 1 FROM engine WHERE engine.id = email_message.claimed_by)) AS orphans,
       (SELECT engine.id FROM planner JOIN engine ON engine.id = planner.engine_id WHERE planner.id = 1) AS planner,
       (SELECT epoch FROM planner WHERE id = 1) AS epoch,
       (SELECT max(id) FROM publication) AS publication,
       (SELECT held FROM installation WHERE id = 1) AS held,
       (SELECT incarnation FROM installation WHERE id = 1) AS incarnation
""").bindparams(NOW)


class Runs(Part):
    """See `procession.ports.Journal`."""

    def glance(self, now: datetime) -> Glance:
        row = self._connection.execute(_GLANCE, {"now": now}).one()
        return Glance(
            bool(row.pending), bool(row.released), bool(row.due), bool(row.live), bool(row.new), bool(row.bursts), bool(row.ready), bool(row.suspect), bool(row.mail), bool(row.orphans),
            row.planner or 0, row.epoch or 0, row.publication or 0, bool(row.held), row.incarnation or "",
        )  # fmt: skip

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

    def positions(self, instances: Collection[int]) -> dict[int, Checkpoint]:
        values: dict[int, dict[str, Any]] = defaultdict(dict)
        found: dict[int, Mapping[str, Any]] = {}
        for some in portions(instances):
            rows = self._connection.execute(_POSITIONS, {"ids": some})
            found |= {row.instance_id: row.position for row in rows}
        for some in portions(found):
            for row in self._connection.execute(_VALUES, {"ids": some}):
                values[row.instance_id][row.name] = row.value
        return {
            number: Checkpoint(number, position, values.get(number, {})) for number, position in found.items()
        }

    def save_positions(self, checkpoints: Sequence[Checkpoint]) -> None:
        if not checkpoints:
            return
        run = self._connection.execute
        ordered = sorted(checkpoints, key=lambda one: one.instance)
        run(
            _SAVE_POSITION.on(self._connection),
            [{"instance_id": one.instance, "position": one.position} for one in ordered],
        )
        values = [(one.instance, name, value) for one in ordered for name, value in one.kept.items()]
        if kept := [
            {"instance_id": number, "name": name, "value": value}
            for number, name, value in values
            if value is not None
        ]:
            run(_SAVE_VALUE.on(self._connection), kept)
        if dropped := [
            {"number": number, "dropped": name} for number, name, value in values if value is None
        ]:
            run(_DROP_VALUE, dropped)
        for some in portions(one.instance for one in ordered):
            run(_STEP_FURTHER, {"ids": some})

    def instances(
        self, *, ids: Collection[int] = (), states: Collection[str] = (), process: str = "", limit: int = 100
    ) -> list[Instance]:
        """Newest first; all of `ids`, whatever the limit."""
        query = select(j.instance).order_by(j.instance.c.id.desc()).limit(max(limit, len(ids)))
        if ids:
            query = query.where(j.instance.c.id.in_(ids))
        if states and set(states) <= set(_STATES):
            each = [select(j.instance.c.id).where(_STATES[state]) for state in sorted(states)]
            query = query.where(j.instance.c.id.in_(union_all(*each)))  # each by its own partial index
        elif states:
            query = query.where(j.instance.c.state.in_(states))
        if states and set(states) <= {"failed", "incident", "stopped", "cancelled"}:
            query = query.where(_LOOKED_AT)  # said as the index says it, or SQLite would not use it
        if process:
            query = query.where(j.instance.c.process == process)
        return list(map(instance_of, self._connection.execute(query)))

    def live(self) -> dict[str, int]:
        return {process: sum(states.values()) for process, states in self.tally().items()}

    def tally(self) -> dict[str, dict[InstanceState, int]]:
        found: dict[str, dict[InstanceState, int]] = defaultdict(dict)
        for row in self._connection.execute(_TALLY):
            found[row.process][row.state] = row.live
        return dict(found)

    def running_in_prefect(self) -> dict[int, str]:
        rows = self._connection.execute(_RUNNING_IN_PREFECT)
        return {row.id: row.flow_run_id for row in rows}

    def seen_in_prefect(self, flow_runs: Mapping[int, str]) -> None:
        rows = [{"number": number, "flow_run": flow_run} for number, flow_run in sorted(flow_runs.items())]
        if rows:
            self._connection.execute(_SEEN, rows)

    def unseen_in_prefect(self, limit: int) -> list[Instance]:
        return list(map(instance_of, self._connection.execute(_UNSEEN, {"limit": limit})))


class CrmJournal(EventLog, Bursts, Imports, Definitions, Starts, Engines, Claims, Queues, Waits, Runs):
    """Implements `procession.ports.Journal`."""


def step_of(row: Row[Any]) -> StepRun:
    return StepRun(
        instance=row.instance_id,
        path=row.path,
        round=row.round,
        kind=row.kind,
        state=row.state,
        at=row.at,
        attempts=row.attempts,
        branch=row.branch,
        output=row.output or {},
        error=row.error,
    )


def row_of_step(step: StepRun) -> dict[str, Any]:
    return {
        "instance_id": step.instance,
        "path": step.path,
        "round": step.round,
        "kind": step.kind,
        "state": step.state,
        "at": step.at,
        "attempts": step.attempts,
        "branch": step.branch,
        "output": step.output or None,
        "error": step.error,
    }
