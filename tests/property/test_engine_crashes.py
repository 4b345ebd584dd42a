"""Whatever a process does and wherever the engine dies: nothing is lost, nothing is done twice (P1, P4, P5, P6).

A random process runs once undisturbed. Then it runs again in a fresh world, and the engine is killed at
chosen instants: before and after each commit, before and after the mail server's acceptance. After every
death another engine takes over. The two worlds must end the same.
"""

import json
from collections import Counter

import pytest
from contract.conftest import empty, migrated_postgresql, postgresql  # noqa: F401 - fixtures
from engine_world import ACTOR, Fuse, Ground, InMemory, Killed, OnBoth, OnPostgreSQL, OnSQLite, World
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from crm.schema import SCHEMA
from procession.advance import advance
from procession.compile import compile_text
from procession.definitions import Definitions
from procession.dispatch import start_by_hand
from procession.engine import Engine
from procession.errors import ConfigurationError, TemporaryError
from procession.mail import Templates
from procession.plan import Plan

FUNCTIONS = ("boom", "flaky")


def leaf(draw_id):
    number = next(draw_id)
    return st.sampled_from(
        [
            {"id": f"log{number}", "log_history": {"text": f"note {number}", "on": "{{ deal }}"}},
            {"id": f"mail{number}", "send_email": {
                "to": "ann@acme.example", "subject": f"Hello {number}", "text": "Dear {{ deal.name }}"}},
            {"id": f"draft{number}", "send_email": {
                "to": "ann@acme.example", "subject": f"Draft {number}", "text": "…", "send": "draft"}},
            {"id": f"task{number}", "create_activity": {
                "type": "call", "subject": f"Call {number}", "connected_to": ["{{ deal }}"]}},
            {"id": f"set{number}", "set": {"n": number}},
            {"id": f"change{number}", "update": {"record": "{{ deal }}", "values": {"amount": number}}},
            {"id": f"boom{number}", "call": {"function": "boom"}, "on_error": [
                {"id": f"mend{number}", "log_history": {"text": "{{ error.message }}", "on": "{{ deal }}"}}]},
            {"id": f"flaky{number}", "call": {"function": "flaky", "args": {"n": number}}, "retry": {"max_attempts": 3, "interval": "1m"}},
            {"id": f"guard{number}", "if": "deal.amount > 3", "log_history": {"text": f"big {number}", "on": "{{ deal }}"}},
        ]
    )  # fmt: skip


@st.composite
def processes(draw):
    """A process of up to eight leaves in nested conditions, choices and loops."""
    ids = iter(range(1, 1000))

    def steps(depth: int) -> list[dict]:
        found = [draw(leaf(ids)) for _ in range(draw(st.integers(1, 2)))]
        if depth and draw(st.booleans()):
            found.append(nested(depth - 1))
        return found

    def nested(depth: int) -> dict:
        number = next(ids)
        kind = draw(st.sampled_from(["if", "choose", "for_each", "stop"]))
        if kind == "if":
            return {"id": f"if{number}", "if": draw(st.sampled_from(["deal.amount > 5", "not deal.name"])),
                    "then": steps(depth), "else": steps(depth)}  # fmt: skip
        if kind == "choose":
            branches = [{"when": "deal.amount > 100", "steps": steps(depth)}]
            return {"id": f"choose{number}", "choose": {"branches": branches, "else": steps(depth)}}
        if kind == "for_each":
            return {"id": f"each{number}", "for_each": {
                "items": "{{ ['a', 'b'] }}", "as": f"x{number}", "steps": steps(depth)}}  # fmt: skip
        return {"id": f"end{number}", "if": "deal.amount > 5", "then": [{"stop": "enough"}]}

    return {
        "process": "random", "title": "Random",
        "inputs": {"deal": {"type": "record", "of": "opportunity"}},
        "triggers": [{"manual": {"on": "opportunity"}}],
        "mode": "parallel",
        "history": {"on": "{{ deal }}"},
        "steps": steps(2) + steps(0),
    }  # fmt: skip


def engine(world: World, plan: Plan, fuse: Fuse) -> Engine:
    def boom() -> None:
        raise ValueError("boom")

    def flaky(n: int) -> str:
        """Fails at the first call, as servers do."""
        if n not in world.called:
            world.called.add(n)
            raise TemporaryError("not now")
        return "ok"

    ports = world.ports(fuse, {"boom": boom, "flaky": flaky})
    definitions = Definitions({plan.process: plan})
    return Engine(ports, definitions, lambda p, group: advance(p, group, ports))


def live(world: World, plan: Plan, deaths: list[int]) -> int:
    """Start one instance and let engines die at these instants, one after the other; returns the
    number of instants that the last one passed."""
    fuse = Fuse()
    start_by_hand(engine(world, plan, fuse).ports, plan, {"deal": world.deal}, actor=ACTOR)
    for at in [*deaths, 0]:
        fuse = Fuse(at)
        try:
            run_dry(engine(world, plan, fuse), world)
        except Killed:
            take_over(world)
        settle_doubts(world)
    run_dry(engine(world, plan, Fuse()), world)
    return fuse.passed


def endure(world: World, plan: Plan, outages: list[int]) -> None:
    """Start one instance, and let one engine live through a database that is away at these instants."""
    start_by_hand(engine(world, plan, Fuse()).ports, plan, {"deal": world.deal}, actor=ACTOR)
    trouble = Outages(left=set(outages))
    enduring = engine(world, plan, trouble)
    world.postman.fuse = Fuse()
    for _ in outages:
        try:
            run_dry(enduring, world)
        except ConfigurationError:
            continue
    trouble.left.clear()  # those that were never reached
    run_dry(enduring, world)
    settle_doubts(world)
    run_dry(enduring, world)


class Outages(Fuse):
    """The database is away at some instants, once each, for whoever asks: before a commit, or before its answer."""

    def __init__(self, left: set[int]) -> None:
        super().__init__()
        self.left = left

    def instant(self) -> None:
        self.passed += 1
        if self.passed in self.left:
            raise ConfigurationError("The database cannot be used: it is away.")


def run_dry(engine: Engine, world: World) -> None:
    """Tick until nothing is left to do, with the clock running on to the next retry."""
    for _ in range(40):
        engine.tick()
        with engine.ports.store.unit(write=False) as unit:
            ready = unit.journal.instances(states=["ready"])
        if not ready:
            return
        world.clock.at = max(world.clock.at, min(instance.due for instance in ready))
    pytest.fail("the instance never came to its end")


def take_over(world: World) -> None:
    """The others find out that every engine so far is dead; the next one's planner takes back what they had."""
    with world.store.unit() as unit:
        unit.journal.bury({row.id: row.beat for row in unit.journal.engines()})
        unit.commit()


def settle_doubts(world: World) -> None:
    """A person looks at what was held: did the server take it or not? And what engines died with again and again is
    tried once more."""
    ports = world.ports(Fuse())
    with ports.store.unit() as unit:
        for mail in unit.outbox.in_state(["unknown"]):
            taken = world.postman.taken[mail.message_id]
            unit.outbox.settle(mail.id, "sent" if taken else "queued", world.clock.now())
        for instance in unit.journal.instances(states=["incident"]):
            error = instance.error or {}
            if error.get("class") == "unknown" or "engines died" in error.get("message", ""):
                unit.journal.resume(instance.id, world.clock.now())
        unit.commit()


def outcome(world: World) -> dict:
    deal = world.deal
    with world.store.unit(write=False) as unit:
        instances = unit.journal.instances()
        return {
            "history": Counter((row.kind, row.text, row.delivery) for row in unit.history.of(deal)),
            "mails": Counter(world.postman.taken),
            "calls": Counter(a.subject for a in unit.records.find("activity", {"type": "call"})),
            "amount": unit.records.fetch([deal], frozenset())[deal].amount,
            "states": [(i.state, i.result) for i in instances],
        }


# --- on every kind of store


def planned(process: dict) -> Plan:
    return compile_text(json.dumps(process), "random.yaml", Templates.of_files({}), SCHEMA, FUNCTIONS)


def dying_anywhere_changes_nothing(ground: Ground, process: dict, deaths: list[int]) -> None:
    note(json.dumps(process, indent=1))
    plan = planned(process)
    with ground.world() as calm:
        live(calm, plan, [])
        undisturbed = outcome(calm)
    with ground.world() as rough:
        live(rough, plan, deaths)
        disturbed = outcome(rough)

    assert disturbed == undisturbed
    assert all(count == 1 for count in rough.postman.taken.values())


def outages_change_nothing(ground: Ground, process: dict, outages: list[int]) -> None:
    note(json.dumps(process, indent=1))
    plan = planned(process)
    with ground.world() as calm:
        live(calm, plan, [])
        undisturbed = outcome(calm)
    with ground.world() as rough:
        endure(rough, plan, outages)
        disturbed = outcome(rough)

    assert disturbed == undisturbed
    assert all(count == 1 for count in rough.postman.taken.values())


def examples(count: int) -> settings:
    return settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.too_slow])


INSTANTS = st.integers(1, 30)
DEATHS, OUTAGES = st.lists(INSTANTS, max_size=4), st.lists(INSTANTS, max_size=6)


@pytest.fixture(scope="module")
def in_memory() -> Ground:
    return InMemory()


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory) -> Ground:
    return OnSQLite(tmp_path_factory.mktemp("worlds"))


@pytest.fixture(scope="module")
def on_both(tmp_path_factory) -> Ground:
    return OnBoth(tmp_path_factory.mktemp("twins"))


@pytest.fixture(scope="module")
def on_postgresql(migrated_postgresql: str) -> Ground:  # noqa: F811 - a fixture
    return OnPostgreSQL(migrated_postgresql, empty)


@examples(600)
@given(process=processes(), deaths=DEATHS)
def test_an_engine_that_dies_anywhere_leaves_the_same_world(in_memory, process, deaths):
    dying_anywhere_changes_nothing(in_memory, process, deaths)


@examples(60)
@given(process=processes(), deaths=DEATHS)
def test_an_engine_that_dies_anywhere_leaves_the_same_world_on_sqlite(on_sqlite, process, deaths):
    dying_anywhere_changes_nothing(on_sqlite, process, deaths)


@pytest.mark.external_service
@examples(10)
@given(process=processes(), deaths=DEATHS)
def test_an_engine_that_dies_anywhere_leaves_the_same_world_on_postgresql(on_postgresql, process, deaths):
    dying_anywhere_changes_nothing(on_postgresql, process, deaths)


@examples(15)
@given(process=processes(), deaths=DEATHS)
def test_whatever_an_engine_asks_of_it_memory_answers_as_sqlite_does(on_both, process, deaths):
    dying_anywhere_changes_nothing(on_both, process, deaths)


@examples(200)
@given(process=processes(), outages=OUTAGES)
def test_a_database_that_is_away_for_a_moment_leaves_the_same_world(in_memory, process, outages):
    outages_change_nothing(in_memory, process, outages)


@examples(40)
@given(process=processes(), outages=OUTAGES)
def test_a_database_that_is_away_for_a_moment_leaves_the_same_world_on_sqlite(on_sqlite, process, outages):
    outages_change_nothing(on_sqlite, process, outages)


@pytest.mark.external_service
@examples(5)
@given(process=processes(), outages=OUTAGES)
def test_a_database_that_is_away_for_a_moment_leaves_the_same_world_on_postgresql(
    on_postgresql, process, outages
):
    outages_change_nothing(on_postgresql, process, outages)
