"""The journal: events, versions of processes, engines, instances, where these are and what they did."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from crm.claims import MOST_DEATHS, instance_of
from crm.events import chosen_of, event_of, in_order, row_of
from crm.instances import row_of_step, step_of
from crm.memory.bursts import MemoryBursts
from crm.memory.claims import lines
from crm.memory.imports import MemoryImports
from crm.memory.starting import MemoryStarts
from crm.memory.tables import Tables
from crm.memory.waits import MemoryWaits
from procession.ports import (
    Checkpoint,
    Definition,
    EngineProcess,
    EngineRow,
    Event,
    Glance,
    Identity,
    Instance,
    InstanceState,
    Publication,
    SentMail,
    Standing,
    StepRun,
)

_VERSION = ("process", "digest")
_ROUND = ("instance_id", "path", "round")


class MemoryEvents:
    """See `procession.ports.Journal`."""

    _tables: Tables

    def append(self, events: Sequence[Event]) -> list[int | None]:
        last = self._tables["event"].last
        born = [
            self._tables.insert_new("event", {**row_of(event), "id": last + number})
            for number, event in enumerate(events, 1)
        ]
        return [row.id if row else None for row in born]

    def pending(self, limit: int, *, up_to: int | None = None) -> list[Event]:
        rows = sorted(self._tables["event"].waiting(), key=lambda row: (row.bulk, row.id))
        let_in = [event_of(row) for row in rows if row.import_id == 0]
        if up_to is not None:
            found = [event for event in let_in if event.id <= up_to]
            return sorted(found[:limit], key=lambda event: event.id)
        chosen = chosen_of(let_in[:limit])
        records = {event.ref for event in chosen}
        all_of_them = [event for row in rows if (event := event_of(row)).ref in records]
        return in_order(chosen, all_of_them, limit)

    def dispatched(self, events: Collection[int], at: datetime) -> None:
        there = self._tables["event"].rows
        for number in events:
            if number in there:
                unit = there[number].dispatch or self.units()
                self._tables.change("event", number, dispatched_at=at, dispatch=unit)

    def take_up(self, limit: int) -> list[Event]:
        for event in self.pending(limit):
            if not event.dispatch:
                self._tables.change("event", event.id, dispatch=self.units())
        return self.pending(limit)

    def oldest_pending(self) -> datetime | None:
        rows = [row for row in self._tables["event"].waiting() if row.import_id == 0]
        return min(rows, key=lambda row: row.id).at if rows else None

    def units(self) -> int:
        row = self._tables["planner"].rows.get(1)
        return row.units if row else 0


class MemoryDefinitions:
    """See `procession.ports.Journal`."""

    _tables: Tables

    def publish(self, definition: Definition) -> int:
        if known := self.definition(definition.process, definition.digest):
            return known.number
        rows = self._tables["definition"].rows.values()
        number = 1 + max((row.number for row in rows if row.process == definition.process), default=0)
        row = {"process": definition.process, "digest": definition.digest, "number": number}
        self._tables.insert("definition", [{**row, "files": dict(definition.files)}])
        return number

    def definition(self, process: str, digest: str) -> Definition | None:
        row = self._tables["definition"].known(_VERSION, process, digest)
        return Definition(process, digest, row.number, row.files) if row else None

    def current(self) -> dict[str, str]:
        rows = self._tables["publication"].rows.values()
        last = {row.process: row.digest for row in rows}
        return {process: digest for process, digest in last.items() if digest}

    def publications(self, *, alone: bool = False) -> list[Publication]:
        del alone  # who writes is alone
        rows = self._tables["publication"].rows.values()
        return [
            Publication(row.process, row.digest, self._number(row.process, row.digest), row.folder, row.at)
            for row in rows
        ]

    def _number(self, process: str, digest: str) -> int:
        known = self.definition(process, digest)
        return known.number if known else 0

    def make_current(self, process: str, digest: str, folder: str, at: datetime) -> None:
        row = {"process": process, "digest": digest, "folder": folder, "at": at}
        self._tables.insert("publication", [row])
        planner = self._tables["planner"].rows.get(1)
        engine, epoch, units = (planner.engine_id, planner.epoch, planner.units) if planner else (None, 0, 0)
        self._tables.put("planner", {"id": 1, "engine_id": engine, "epoch": epoch + 1, "units": units})


class MemoryEngines:
    """See `procession.ports.Journal`."""

    _tables: Tables

    def register(self, process: EngineProcess) -> int:
        values = {name: getattr(process, name) for name in EngineProcess.__slots__}
        (row,) = self._tables.insert("engine", [values])
        number: int = row.id
        return number

    def beat(self, engine: int) -> bool:
        row = self._tables["engine"].rows.get(engine)
        if row is None:
            return False
        self._tables.change("engine", engine, beat=row.beat + 1)
        return True

    def engines(self) -> list[EngineRow]:
        return [
            EngineRow(
                row.id, EngineProcess(row.host, row.boot, row.pid_namespace, row.pid, row.began), row.beat
            )
            for row in self._tables["engine"].rows.values()
        ]

    def bury(self, engines: Mapping[int, int]) -> set[int]:
        there = self._tables["engine"].rows
        dead = {number for number, beat in engines.items() if number in there and there[number].beat == beat}
        if dead:
            self._tables.delete("engine", dead)
        return dead

    def lead(self, engine: int) -> int | None:
        row, engines = self._tables["planner"].rows.get(1), self._tables["engine"].rows
        if self._tables.is_held or engine not in engines:
            return None
        if row and row.engine_id != engine and row.engine_id in engines:
            return None
        epoch: int = row.epoch + 1 if row else 1
        self._tables.put("planner", {"id": 1, "engine_id": engine, "epoch": epoch})
        return epoch

    def step_down(self, engine: int) -> None:
        row = self._tables["planner"].rows.get(1)
        if row and row.engine_id == engine:
            self._tables.change("planner", 1, engine_id=None)

    def leads(self, engine: int, epoch: int) -> bool:
        row = self._tables["planner"].rows.get(1)
        if row is None or (row.engine_id, row.epoch) != (engine, epoch) or self._tables.is_held:
            return False
        self._tables.change("planner", 1, units=row.units + 1)
        return True

    def standing(self, mail: SentMail | None = None) -> Standing:
        (row,) = self._tables["installation"].rows.values()
        events = self._tables["event"].rows
        sent = self._tables["email_message"].known(("message_id",), mail.message_id) if mail else None
        is_known = (
            mail is None
            or bool(sent and sent.state == "sent")
            or any(
                (event.entity, event.record_id, event.type) == ("activity", mail.number, "deleted")
                for event in events.values()
            )
        )
        return Standing(
            Identity(row.installation, row.incarnation), tuple(row.former or ()), row.is_witnessed,
            row.held_because if row.held else "", row.held_after, max(events, default=0), is_known,
        )  # fmt: skip

    def hold(self, because: str) -> None:
        after = max(self._tables["event"].rows, default=0)
        self._tables.change("installation", 1, held=True, held_because=because, held_after=after)

    def witness(self) -> None:
        self._tables.change("installation", 1, is_witnessed=True)

    def go_on(self, identity: Identity) -> None:
        (row,) = self._tables["installation"].rows.values()
        former = [*(row.former or ()), row.incarnation]
        now = {"installation": identity.installation, "incarnation": identity.incarnation}
        self._tables.change("installation", 1, held=False, held_because="", former=former, **now)


class MemoryRuns(MemoryStarts):
    """See `procession.ports.Journal`."""

    _tables: Tables

    def lines(self, instances: Collection[int]) -> dict[int, tuple[int, ...]]:
        rows = self._tables["instance"]
        keys = {
            number: row.queue_key
            for number in instances
            if (row := rows.rows.get(number)) and (row.live_key or row.state == "queued")
        }
        found = {
            key: (holder.id, *(row.id for row in line))
            for key, line in lines(self._tables, set(keys.values())).items()
            if (holder := rows.known(("live_key",), key))
        }
        return {number: found[key] for number, key in keys.items() if key in found}

    def live(self) -> dict[str, int]:
        return {process: sum(states.values()) for process, states in self.tally().items()}

    def tally(self) -> dict[str, dict[InstanceState, int]]:
        found: dict[str, dict[InstanceState, int]] = defaultdict(dict)
        for (process, state), number in Counter(
            (row.process, row.state) for row in self._tables["instance"].waiting()
        ).items():
            found[process][state] = number
        return dict(found)

    def glance(self, now: datetime) -> Glance:
        engines, planner = self._tables["engine"].rows, self._tables["planner"].rows.get(1)
        instances, mails = self._tables["instance"].waiting(), self._tables["email_message"].waiting()
        ready = [row for row in instances if row.state == "ready"]
        return Glance(
            pending=any(row.import_id == 0 for row in self._tables["event"].waiting()),
            released=any(row.is_released for row in self._tables["file_import"].rows.values()),
            due=any(row.due <= now for row in self._tables["wait"].waiting()),
            bursts=any(row.due <= now for row in self._tables["burst"].rows.values()),
            live=bool(self._tables["wait_read"].rows or self._tables["subscription"].rows),
            new=any(row.is_new for row in self._tables["wait"].rows.values()),
            ready=any(row.deaths < MOST_DEATHS and self._begins(row) for row in ready),
            suspect=any(row.deaths > 1 for row in ready),
            mail=any(row.state == "queued" and row.not_before and row.not_before <= now for row in mails),
            orphans=any(row.state == "running" and row.engine_id not in engines for row in instances)
            or any(row.state == "sending" and row.claimed_by not in engines for row in mails),
            planner=planner.engine_id if planner and planner.engine_id in engines else 0,
            epoch=planner.epoch if planner else 0,
            publication=self._tables["publication"].last,
            held=self._tables.is_held,
            incarnation=self._tables["installation"].rows[1].incarnation,
        )

    def positions(self, instances: Collection[int]) -> dict[int, Checkpoint]:
        there, values = self._tables["position"].rows, self._tables["kept_value"]
        return {
            number: Checkpoint(
                number,
                there[number].position,
                {row.name: row.value for row in values.of("instance_id", number)},
            )
            for number in sorted(instances)
            if number in there
        }

    def save_positions(self, checkpoints: Sequence[Checkpoint]) -> None:
        for one in checkpoints:
            number, values = one.instance, self._tables["kept_value"].rows
            self._tables.put("position", {"instance_id": number, "position": one.position})
            for name, value in one.kept.items():
                if value is not None:
                    self._tables.put("kept_value", {"instance_id": number, "name": name, "value": value})
                elif (number, name) in values:
                    self._tables.delete("kept_value", [(number, name)])
            if self._tables["instance"].rows[number].deaths:
                self._tables.change("instance", number, deaths=0)

    def steps(self, instances: Collection[int]) -> dict[int, list[StepRun]]:
        """An entry for each of `instances`; steps in the order in which they were first recorded."""
        rows = self._tables["step_run"]
        return {number: [step_of(row) for row in rows.of("instance_id", number)] for number in instances}

    def record(self, rows: Sequence[StepRun]) -> None:
        for step in rows:
            values = row_of_step(step)
            if known := self._tables["step_run"].known(_ROUND, step.instance, step.path, step.round):
                self._tables.change("step_run", known.id, **values)
            else:
                self._tables.insert("step_run", [values])

    def instances(
        self, *, ids: Collection[int] = (), states: Collection[str] = (), process: str = "", limit: int = 100
    ) -> list[Instance]:
        """Newest first; all of `ids`, whatever the limit."""
        rows = self._tables["instance"].rows
        wanted = sorted(set(ids) & rows.keys() if ids else rows, reverse=True)
        found = [
            rows[number]
            for number in wanted
            if (not states or rows[number].state in states) and process in ("", rows[number].process)
        ]
        return [instance_of(row) for row in found[: max(limit, len(ids))]]

    def running_in_prefect(self) -> dict[int, str]:
        return {
            row.id: row.flow_run_id
            for row in self._tables["instance"].waiting()
            if row.state in ("ready", "running") and row.flow_run_id
        }

    def seen_in_prefect(self, flow_runs: Mapping[int, str]) -> None:
        for number, flow_run in flow_runs.items():
            if number in self._tables["instance"].rows:
                self._tables.change("instance", number, flow_run_id=flow_run)

    def unseen_in_prefect(self, limit: int) -> list[Instance]:
        rows = self._tables["instance"].rows.values()
        unseen = [row for row in rows if row.ended_at is not None and not row.flow_run_id]
        return [instance_of(row) for row in sorted(unseen, key=lambda row: (row.ended_at, row.id))[:limit]]


class MemoryJournal(
    MemoryEvents, MemoryBursts, MemoryImports, MemoryDefinitions, MemoryEngines, MemoryWaits, MemoryRuns
):
    """Implements `procession.ports.Journal`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
