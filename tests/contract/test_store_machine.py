"""Any order of starts, claims, ends, stops and deaths keeps what must always hold."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import text
from store_world import NOW, START, SetClock, do, wait_of
from twin_store import TwinStore

from crm.memory import MemoryStore
from crm.store import CrmStore, open_store
from procession.ports import LIVE, Checkpoint, End, EngineProcess, Event, Instance, Store

MOMENTS = st.integers(0, 5).map(lambda minutes: NOW + timedelta(minutes=minutes))
ENDS = st.sampled_from(["completed", "stopped", "failed", "cancelled", "incident", "waiting"])
SEATS = st.sampled_from("AB")
"""Two engines at a time: who dies is followed by a new one in the same seat."""
MODES = st.sampled_from(["restart", "restart", "single", "parallel", "queued", "queued"])


class Machine(RuleBasedStateMachine):
    """Engines that claim, work, die and take over. `working` are the tokens that each believes to hold, `given` all
    that were ever given, `stopping` the instances that run and were asked to stop, `alone` those that were claimed so the
    last time."""

    open: Callable[[Path], Store]

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.store = self.open(self.folder)
        self.engines = {seat: self.do("register", EngineProcess(seat)) for seat in "AB"}
        self.working: dict[str, dict[int, int]] = {"A": {}, "B": {}}
        self.given: dict[int, int] = {}
        self.started: set[int] = set()
        self.stopping: set[int] = set()
        self.alone: set[int] = set()

    def do(self, call: str, *args: Any, **named: Any) -> Any:
        return do(self.store, call, *args, **named)

    def all(self) -> dict[int, Instance]:
        return {one.id: one for one in self.do("instances", limit=10_000)}

    @initialize()
    def events(self) -> None:
        self.event_ids = self.do("append", [Event(0, NOW, "manual")] * 16)

    @rule(
        wishes=st.lists(st.tuples(st.sampled_from("ab"), MODES, st.integers(0, 15)), min_size=1, max_size=3)
    )
    def start(self, wishes: list[tuple[str, Any, int]]) -> None:
        before = self.all()
        starts = [
            replace(START, process=f"{mode} {key}", key=key, mode=mode, event_id=self.event_ids[event])
            for key, mode, event in wishes
        ]
        for number, wish in zip(self.do("start", starts, NOW), starts, strict=True):
            if number is not None:
                assert number not in self.started
                self.started.add(number)
                if wish.mode == "restart":
                    self.stopping |= {
                        one.id
                        for one in before.values()
                        if one.state == "running" and one.process == wish.process
                    }

    @rule(seat=SEATS, now=MOMENTS, limit=st.integers(1, 3), alone=st.booleans())
    def claim(self, seat: str, now: Any, limit: int, alone: bool) -> None:
        claimed = self.do("claim", self.engines[seat], now, limit, alone=alone)

        assert len(claimed) <= (1 if alone else limit)
        for one in claimed:
            assert (one.deaths > 1) is alone
            assert one.fencing_token == self.given.get(one.id, 0) + 1
            assert not self.do("fence", {one.id: one.fencing_token - 1})
            self.given[one.id] = self.working[seat][one.id] = one.fencing_token
            self.alone = self.alone | {one.id} if alone else self.alone - {one.id}
        assert sorted(claimed, key=lambda one: one.id) == claimed

    @rule(seat=SEATS, further=st.booleans())
    def work(self, seat: str, further: bool) -> None:
        believed = self.working[seat]
        with self.store.unit() as unit:
            mine = unit.journal.fence(believed)
            if further:
                unit.journal.save_positions([Checkpoint(number, {"at": number}) for number in mine])
            unit.commit()

        assert mine <= believed.keys()
        assert all(self.given[number] == believed[number] for number in mine)
        assert not mine & self.stopping
        self.working[seat] = {number: believed[number] for number in mine}

    @rule(seat=SEATS, state=ENDS, due=MOMENTS)
    def end(self, seat: str, state: Any, due: Any) -> None:
        with self.store.unit() as unit:
            mine = unit.journal.fence(self.working[seat])
            if state == "waiting":
                unit.journal.save_waits([wait_of(number, due) for number in sorted(mine)])
            unit.journal.end([End(number, state) for number in sorted(mine)], NOW)
            unit.commit()
        self.working[seat] = {}

        assert {one.state for one in self.all().values() if one.id in mine} <= {state}

    @rule(now=MOMENTS, limit=st.integers(1, 3))
    def wake_due(self, now: Any, limit: int) -> None:
        due = self.do("glance", now).due

        assert bool(self.do("wake_due", now, limit)) is due

    @rule(number=st.integers(1, 10))
    def wake(self, number: int) -> None:
        before = self.all().get(number)
        self.do("wake", number, "invite", "", NOW)

        if before and before.state == "waiting":
            assert self.all()[number].state == "ready"

    @rule(seat=SEATS)
    def give_back(self, seat: str) -> None:
        deaths = {one.id: one.deaths for one in self.all().values()}

        self.do("give_back", self.working[seat])

        self.working[seat] = {}
        assert {one.id: one.deaths for one in self.all().values()} == deaths

    @rule(seat=SEATS)
    def die(self, seat: str) -> None:
        """Its thread does not know yet: it goes on working with what it had."""
        dead = self.engines[seat]
        beats = {row.id: row.beat for row in self.do("engines")}
        assert self.do("bury", {dead: beats[dead]}) == {dead}
        self.engines[seat] = self.do("register", EngineProcess(seat))
        assert self.engines[seat] > dead

    @rule(seat=SEATS, alone=st.booleans(), times=st.integers(1, 2))
    def die_of_it(self, seat: str, alone: bool, times: int) -> None:
        """An engine claims what it dies with, and the others take that back."""
        for _ in range(times):
            self.claim(seat, NOW, 2, alone)
            self.die(seat)
            self.release(NOW)

    @rule(now=MOMENTS)
    def release(self, now: Any) -> None:
        orphans = self.do("glance", now).orphans
        before = self.all()

        released = self.do("release", now)

        after = self.all()
        assert {after[number].state for number in released.ready} <= {"ready"}
        assert {after[number].state for number in released.held} <= {"incident"}
        for number in (*released.ready, *released.held):
            assert after[number].deaths == before[number].deaths + 1
            assert number not in self.stopping
        assert self.alone.issuperset(released.held)
        assert self.alone.isdisjoint(released.ready)
        assert orphans or not (released.ready or released.held)
        assert not self.do("glance", now).orphans

    @rule(number=st.integers(1, 10))
    def ask_to_stop(self, number: int) -> None:
        before = self.all().get(number)

        asked = self.do("ask_to_stop", [number], "by anna", NOW)

        assert asked == (before is not None and before.ended_at is None)
        if before and before.state == "running":
            self.stopping.add(number)

    @rule(number=st.integers(1, 10))
    def resume(self, number: int) -> None:
        before = self.all().get(number)

        assert self.do("resume", number, NOW) is (before is not None and before.state == "incident")

    @invariant()
    def a_key_has_one_holder(self) -> None:
        live = [
            one.process
            for one in self.all().values()
            if one.state in LIVE and one.id not in self.stopping and not one.process.startswith("parallel")
        ]
        assert len(live) == len(set(live))

    @invariant()
    def a_successor_runs_only_when_its_predecessor_has_ended(self) -> None:
        running = [
            one.process
            for one in self.all().values()
            if one.state == "running" and one.process.startswith(("restart", "queued"))
        ]
        assert len(running) == len(set(running))

    @invariant()
    def whoever_stands_in_line_stands_behind_somebody(self) -> None:
        instances = self.all()
        lines = self.do("lines", list(instances))
        for one in instances.values():
            if one.state == "queued":
                assert instances[lines[one.id][0]].state in LIVE
                assert one.id in lines[one.id][1:]

    @invariant()
    def who_is_over_has_an_end_and_no_position(self) -> None:
        instances = self.all()
        over = {one.id for one in instances.values() if one.state not in (*LIVE, "queued")}
        assert over == {one.id for one in instances.values() if one.ended_at}
        assert not self.stopping & {
            one.id for one in instances.values() if one.state in ("ready", "waiting", "incident", "queued")
        }

    @invariant()
    def who_waits_has_something_to_wait_for(self) -> None:
        instances = self.all()
        waits = self.do("waits", list(instances))
        for one in instances.values():
            if one.state == "waiting":
                assert [wait.woken_at for wait in waits[one.id]] == [None]
            if one.ended_at:
                assert one.id not in waits

    @invariant()
    def an_event_started_a_process_once(self) -> None:
        if isinstance(self.store, CrmStore):
            query = text(
                "SELECT count(*) FROM instance GROUP BY process, trigger_id, event_id HAVING count(*) > 1"
            )
            with self.store._engine.connect() as connection:
                assert connection.execute(query).all() == []

    @invariant()
    def the_rows_agree(self) -> None:
        """A key is held by those that live and are not asked to stop; an engine has what runs."""
        if not isinstance(self.store, CrmStore):
            return
        query = text("SELECT process, state, live_key, stop_requested, engine_id FROM instance")
        with self.store._engine.connect() as connection:
            rows = connection.execute(query).all()
        for row in rows:
            is_live = row.state in LIVE and not row.stop_requested and not row.process.startswith("parallel")
            assert bool(row.live_key) >= is_live
            assert not (row.live_key and row.state not in LIVE)
            assert bool(row.engine_id) == (row.state == "running")

    def teardown(self) -> None:
        store = self.store.first if isinstance(self.store, TwinStore) else self.store
        if isinstance(store, CrmStore):
            store.close()
        shutil.rmtree(self.folder)


@pytest.fixture
def sqlite(empty_database: Path) -> Callable[[Path], CrmStore]:
    def opened(folder: Path) -> CrmStore:
        shutil.copy(empty_database, folder / "store.sqlite")
        return open_store(f"sqlite:///{folder / 'store.sqlite'}", SetClock())

    return opened


def test_any_order_of_what_engines_do_keeps_the_rules(sqlite: Callable[[Path], CrmStore]) -> None:
    run(sqlite, examples=25)


def test_any_order_of_what_engines_do_keeps_the_rules_in_memory() -> None:
    run(lambda _folder: MemoryStore(SetClock()), examples=150)


def test_whatever_engines_do_memory_answers_as_sqlite_does(sqlite: Callable[[Path], CrmStore]) -> None:
    run(lambda folder: TwinStore(sqlite(folder), MemoryStore(SetClock())), examples=30)


def run(opened: Callable[[Path], Store], examples: int) -> None:
    machine = type("Here", (Machine,), {"open": staticmethod(opened)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=25, deadline=None, derandomize=True,
            suppress_health_check=list(HealthCheck), database=None,
        ),
    )  # fmt: skip
