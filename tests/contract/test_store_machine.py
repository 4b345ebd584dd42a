"""Any order of starts, claims, ends, stops and deaths keeps what must always hold (architecture.md, section 9: P1, P2)."""

import shutil
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import text

from crm.store import CrmStore, open_store
from procession.ports import LIVE, End, Event, Start

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
START = Start("notify", "d1", "Notify", "", "single", {}, {"id": "saved"})
OWNERS = st.sampled_from(["one", "two"])
WAITS = st.integers(0, 5).map(lambda minutes: NOW + timedelta(minutes=minutes))
ENDS = st.sampled_from(["completed", "stopped", "failed", "cancelled", "incident", "ready"])


class Machine(RuleBasedStateMachine):
    """Owners that lease, work, die and take over; `working` is what each believes to hold."""

    empty: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(self.empty, self.folder / "store.sqlite")
        self.store: CrmStore = open_store(f"sqlite:///{self.folder / 'store.sqlite'}")
        self.working: dict[str, dict[int, int]] = {"one": {}, "two": {}}
        self.claims: dict[int, int] = {}
        self.started_by: dict[int, int] = {}

    def do(self, call: str, *args: Any) -> Any:
        with self.store.unit() as unit:
            answer = getattr(unit.journal, call)(*args)
            unit.commit()
        return answer

    @initialize()
    def events(self) -> None:
        self.event_ids = self.do("append", [Event(0, NOW, "manual")] * 8)

    @rule(
        wishes=st.lists(
            st.tuples(st.sampled_from("ab"), st.sampled_from(["single", "restart", "parallel"]), st.integers(0, 7)),
            max_size=4,
        )
    )  # fmt: skip
    def start(self, wishes: list[tuple[str, Any, int]]) -> None:
        starts = [
            replace(START, process=f"{mode} {key}", key=key, mode=mode, event_id=self.event_ids[event])
            for key, mode, event in wishes
        ]
        for number, wish in zip(self.do("start", starts, NOW), starts, strict=True):
            if number is not None:
                assert number not in self.started_by
                self.started_by[number] = wish.event_id or 0

    @rule(owner=OWNERS, until=WAITS, limit=st.integers(1, 3))
    def claim(self, owner: str, until: datetime, limit: int) -> None:
        claimed = {one.id: one.claim for one in self.do("claim", owner, NOW, until, limit)}

        for number, claim in claimed.items():
            assert claim == self.claims.get(number, 0) + 1
            assert not self.do("fence", {number: claim - 1}, owner, until)
        other = "one" if owner == "two" else "two"
        assert not self.do("fence", {**self.working[other], **claimed}, other, until) & claimed.keys()
        self.claims |= claimed
        self.working[owner] |= claimed

    @rule(owner=OWNERS, until=WAITS)
    def work(self, owner: str, until: datetime) -> None:
        mine = self.do("fence", self.working[owner], owner, until)

        assert mine <= self.working[owner].keys()
        assert all(self.claims[number] == self.working[owner][number] for number in mine)
        assert not mine & self.do("fence", self.working[owner], "nobody", until)
        self.working[owner] = {number: self.working[owner][number] for number in mine}

    @rule(owner=OWNERS, state=ENDS, due=WAITS)
    def end(self, owner: str, state: Any, due: datetime) -> None:
        ends = [End(number, state, due=due if state == "ready" else None) for number in self.working[owner]]
        self.do("end", ends, owner, NOW)
        self.working[owner] = {}

    @rule(dead=st.sets(OWNERS), now=WAITS)
    def release(self, dead: set[str], now: datetime) -> None:
        self.do("release", dead, now)
        for owner in dead:
            self.working[owner] = {}

    @rule(number=st.integers(1, 10))
    def ask_to_stop(self, number: int) -> None:
        self.do("ask_to_stop", [number], "by anna", NOW)

    @rule(number=st.integers(1, 10))
    def resume(self, number: int) -> None:
        self.do("resume", number, NOW)

    @invariant()
    def a_key_has_one_holder_and_who_is_over_holds_none(self) -> None:
        query = text("SELECT process, state, live_key, stop_requested, ended_at, lease_owner FROM instance")
        with self.store._engine.connect() as connection:
            rows = connection.execute(query).all()
        holders: set[str] = set()
        for row in rows:
            is_live = row.state in LIVE and not row.stop_requested and not row.process.startswith("parallel")
            assert bool(row.live_key) >= is_live
            assert not (row.live_key and row.state not in LIVE)
            assert (row.ended_at is not None) == (row.state not in LIVE)
            assert bool(row.lease_owner) == (row.state == "running")
            assert not (is_live and row.process in holders)
            if is_live:
                holders.add(row.process)

    @invariant()
    def an_event_started_a_process_once(self) -> None:
        query = text(
            "SELECT count(*) FROM instance GROUP BY process, trigger_id, event_id HAVING count(*) > 1"
        )
        with self.store._engine.connect() as connection:
            assert connection.execute(query).all() == []

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)


def test_any_order_of_what_engines_do_keeps_the_rules(empty_database: Path) -> None:
    machine = type("Here", (Machine,), {"empty": empty_database})

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25, stateful_step_count=25, deadline=None, derandomize=True,
            suppress_health_check=list(HealthCheck), database=None,
        ),
    )  # fmt: skip
