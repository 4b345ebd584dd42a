"""Whatever is saved urgently, in bulk or by an import, and however many events are dispatched at once: the events of one record
go in their order, none is lost, and none is dispatched twice."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta

from engine_world import ACTOR, SettableClock
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.memory import MemoryStore
from procession.ports import MOST_BULK, Event, Import
from procession.records import Ref

RECORDS = 30
one, some = st.integers(0, RECORDS - 1), st.lists(st.integers(0, RECORDS - 1), unique=True, max_size=RECORDS)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("save"), st.lists(one, min_size=1, max_size=1)),
        st.tuples(st.just("save"), some),
        st.tuples(st.just("many"), some),
        st.tuples(st.just("slice"), st.integers(1, 5)),
        st.tuples(st.sampled_from(["release", "let_in"]), st.just(0)),
        st.tuples(st.just("dispatch"), st.integers(1, 12)),
    ),
    max_size=25,
)


@dataclass
class Desk:
    """A store, and what the planner did with its events."""

    store: MemoryStore = field(default_factory=lambda: MemoryStore(SettableClock()))
    refs: list[Ref] = field(default_factory=list)
    dispatched: list[Event] = field(default_factory=list)
    import_: Import | None = None
    saves: int = 0

    def save(self, numbers: list[int]) -> None:
        refs = [self.refs[number % len(self.refs)] for number in numbers]
        self.saves += 1
        self.store.clock.sleep(timedelta(minutes=1))
        with self.store.unit() as unit:
            unit.records.update([(ref, {"name": f"{self.saves}"}) for ref in refs], ACTOR)
            unit.commit()

    def many(self, numbers: list[int]) -> None:
        """More than twenty saves in one unit."""
        refs = [self.refs[number % len(self.refs)] for number in numbers] or self.refs[:1]
        with self.store.unit() as unit:
            for turn in range(21):
                unit.records.update([(ref, {"name": f"{turn} {self.saves}"}) for ref in refs], ACTOR)
            unit.commit()
        self.saves += 1

    def slice(self, count: int, *, last: bool = False) -> None:
        with self.store.unit() as unit:
            before = self.import_ or Import("account", 0, "")
            saved = Import("account", before.saved + count, "", before.saved, before.id)
            self.import_ = unit.journal.import_slice(saved, last=last)
            self.refs += unit.records.create("account", [{"name": "new"}] * count, ACTOR)
            unit.commit()
        if last:
            self.import_ = None

    def dispatch(self, limit: int) -> int:
        with self.store.unit() as unit:
            events = unit.journal.take_up(limit)
            unit.journal.dispatched([event.id for event in events], self.store.clock.now())
            unit.commit()
        assert len(events) <= limit
        assert sum(event.bulk for event in events) <= MOST_BULK
        self.dispatched += events
        return len(events)

    def release(self, _count: int = 0) -> None:
        if self.import_:
            self.slice(0, last=True)

    def let_in(self, _count: int = 0) -> int:
        with self.store.unit() as unit:
            found = unit.journal.let_in(3)
            unit.commit()
        return found


@given(steps)
@settings(max_examples=300, deadline=None)
def test_the_events_of_a_record_are_dispatched_in_their_order(taken: list[tuple[str, object]]) -> None:
    desk = Desk()
    with desk.store.unit() as unit:
        desk.refs += unit.records.create("account", [{"name": "old"}] * 5, ACTOR)
        unit.commit()
    for what, value in taken:
        getattr(desk, what)(value)
    desk.release()
    while desk.let_in() or desk.dispatch(7):
        pass

    with desk.store.unit(write=False) as unit:
        assert unit.journal.pending(10) == []
        assert not unit.journal.glance(desk.store.clock.now()).pending
    of_record: dict[Ref, list[int]] = defaultdict(list)
    for event in desk.dispatched:
        assert event.ref
        of_record[event.ref].append(event.id)
    assert [ids for ids in of_record.values() if ids != sorted(set(ids))] == []
    assert sorted(event.id for event in desk.dispatched) == [*range(1, len(desk.dispatched) + 1)]
