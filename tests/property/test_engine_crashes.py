"""Whatever a process does and wherever the engine dies: nothing is lost, nothing is done twice (P1, P4, P5, P6).

A random process runs once undisturbed. Then it runs again in a fresh world, and the engine is killed at
chosen instants: before and after each commit, before and after the mail server's acceptance. After every
death another version of the process is the current one, and another engine takes over. Time stands still while nobody
lives. The two worlds must end the same: where the instance was, step by step, and what it read and left.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Any

import pytest
from contract.conftest import empty, migrated_postgresql, postgresql  # noqa: F401 - fixtures
from engine_world import ACTOR, NOON, Fuse, Ground, InMemory, Killed, OnBoth, OnPostgreSQL, OnSQLite, World
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from random_processes import FUNCTIONS, GONE, processes

from crm.schema import SCHEMA
from procession import deliver
from procession.advance import advance
from procession.compile import compile_files, compile_text
from procession.definitions import StoredDefinitions
from procession.dispatch import start_by_hand
from procession.engine import Engine
from procession.errors import ConfigurationError, TemporaryError, UnknownOutcome
from procession.mail import Templates
from procession.plan import Plan
from procession.ports import LIVE, Definition, ListedMail, MailState, StepRun, Unit
from procession.records import Ref, fields_of
from procession.takeover import LONGEST_HAND_OVER

ACME = Ref("account", 1)
NOTICE = re.compile(r"\.[0-9]+@")
"""In the Message-ID of a mail of `notify`."""
ALL_STATES: tuple[MailState, ...] = (
    "draft",
    "held",
    "queued",
    "sending",
    "sent",
    "failed",
    "unknown",
    "cancelled",
)


def compiled(process: Mapping[str, Any]) -> Plan:
    return _compiled(json.dumps(process))


@lru_cache(maxsize=100)
def _compiled(text: str) -> Plan:
    """Compiling the same text again, in each world and after each death, would take longer than all that happens there."""
    return compile_text(text, "random.yaml", Templates.of_files({}), SCHEMA, FUNCTIONS)


def compiled_again(files: Mapping[str, str]) -> Plan:
    """What an engine makes of what the database kept."""
    return _compiled_again(tuple(sorted(files.items())))


@lru_cache(maxsize=100)
def _compiled_again(files: tuple[tuple[str, str], ...]) -> Plan:
    return compile_files(dict(files), SCHEMA, FUNCTIONS)


def engine(world: World, fuse: Fuse) -> Engine:
    def boom(n: int) -> None:
        raise ValueError(f"boom {n}")

    def flaky(n: int) -> str:
        """Fails at the first call, as servers do."""
        if n not in world.called:
            world.called.add(n)
            raise TemporaryError("not now")
        return f"ok {n}"

    ports = world.ports(fuse, {"boom": boom, "flaky": flaky, "echo": lambda text: text})
    definitions = StoredDefinitions(world.store, compiled_again)
    return Engine(ports, definitions, lambda plan, group: advance(plan, group, ports))


def begun(world: World, process: Mapping[str, Any]) -> None:
    """Publish the process and start one instance."""
    plan = compiled(process)
    publish(world, plan)
    world.postman.refuses = frozenset({GONE})
    ports = engine(world, Fuse()).ports
    start_by_hand(ports, plan, {"deal": world.deal, "acme": ACME}, actor=ACTOR)


def publish(world: World, plan: Plan) -> None:
    with world.store.unit() as unit:
        unit.journal.publish(Definition(plan.process, plan.digest, files=plan.files))
        unit.journal.make_current(plan.process, plan.digest, "here", NOON)
        unit.commit()


def publish_another(world: World, process: Mapping[str, Any], number: int) -> None:
    """The file is edited: the steps are others. Instances go on with theirs."""
    newer = {"id": f"new{number}", "log_history": {"text": "a newer version", "on": "{{ deal }}"}}
    other = {name: value for name, value in process.items() if name != "errors"} | {"steps": [newer]}
    publish(world, compiled(other))


def live(world: World, process: Mapping[str, Any], deaths: Sequence[float] = (), instants: int = 0) -> int:
    """Start one instance and let engines die, one after the other, when they have passed such a part of the `instants`
    that are left. Returns how many the last one passed."""
    begun(world, process)
    fuse = Fuse()
    for number, part in enumerate([*deaths, 1.0]):
        fuse = Fuse(round(1 + part * instants) if part < 1 else 0)
        try:
            run_dry(engine(world, fuse), world)
        except Killed:
            publish_another(world, process, number)
            instants -= fuse.at
        take_over(world)
        settle_doubts(world)
    run_dry(engine(world, Fuse()), world)
    return fuse.passed


def endure(
    world: World, process: Mapping[str, Any], outages: Sequence[tuple[float, int]], instants: int
) -> None:
    """Start one instance, and let one engine live through a network that is away at some of its instants."""
    begun(world, process)
    trouble = Outages({round(1 + part * instants) + more for part, lasts in outages for more in range(lasts)})
    enduring = engine(world, trouble)
    world.postman.fuse = Unanswered(trouble)
    for number in range(len(trouble.left)):
        try:
            run_dry(enduring, world)
        except ConfigurationError:
            publish_another(world, process, number)
        settle_doubts(world)
    trouble.left.clear()  # those that were never reached
    run_dry(enduring, world)
    settle_doubts(world)
    run_dry(enduring, world)


class Outages(Fuse):
    """The database is away at these instants, for whoever asks: before a commit, or before its answer."""

    def __init__(self, left: set[int]) -> None:
        super().__init__()
        self.left = left

    def instant(self) -> None:
        self.passed += 1
        if self.passed in self.left:
            raise ConfigurationError("The database cannot be used: it is away.")


class Unanswered(Fuse):
    """The same outages as the mail server is hit by them: before it took a mail, or before it said so."""

    def __init__(self, outages: Outages) -> None:
        super().__init__()
        self.outages = outages

    def instant(self) -> None:
        try:
            self.outages.instant()
        except ConfigurationError as error:
            raise UnknownOutcome("the mail server did not answer") from error


def run_dry(engine: Engine, world: World) -> None:
    """Tick until nothing is left to do, with the clock running on to the next retry or mail."""
    for _ in range(60):
        while engine.tick():
            pass
        with engine.ports.store.unit(write=False) as unit:
            waits = unit.journal.waits(ids(unit.journal.instances(states=["waiting"])))
            moments = [wait.due for some in waits.values() for wait in some if wait.due]
            moments += [mail.not_before for mail in unit.outbox.in_state(["queued"]) if mail.not_before]
            if unit.outbox.in_state(["sending"]):  # it broke off, and looks after that in a while
                moments.append(world.clock.at + LONGEST_HAND_OVER + timedelta(minutes=1))
        if not moments:
            return
        world.clock.at = max(world.clock.at, min(moments))
    pytest.fail("the instance never came to its end")


def take_over(world: World) -> None:
    """The others find out that every engine so far is dead; the next one's planner takes back what they had."""
    with world.store.unit() as unit:
        unit.journal.bury({row.id: row.beat for row in unit.journal.engines()})
        unit.commit()


def settle_doubts(world: World) -> None:
    """A person looks at what is held: did the server take it or not? And an instance with which engines died thrice,
    though it is innocent, is let go on."""
    now = world.clock.now()
    with world.store.unit() as unit:
        going_on = ids(unit.journal.instances(states=["ready", "running", "waiting"]))
        incidents = unit.journal.instances(states=["incident"])
        for mail in unit.outbox.in_state(["unknown"]):
            if mail.instance not in going_on:
                state: MailState = "sent" if world.postman.taken[mail.message_id] else "queued"
                again = None if state == "sent" or _is_sent_by_its_step(mail, ids(incidents)) else now
                unit.outbox.settle(mail.id, state, now, not_before=again)
        for instance in incidents:
            error = instance.error or {}
            if error.get("class") == "unknown" or "engines died" in error["message"]:
                unit.journal.resume(instance.id, now)
        unit.commit()


def _is_sent_by_its_step(mail: ListedMail, incidents: list[int]) -> bool:
    """Once that goes on. (No step waits for a notice.)"""
    return mail.instance in incidents and NOTICE.search(mail.message_id) is None


# --- what is compared


def outcome(world: World) -> dict[str, Any]:
    with world.store.unit(write=False) as unit:
        instances = unit.journal.instances()
        mails = unit.outbox.in_state(ALL_STATES, 1000)
        return {
            "trace": {one.id: trace(unit.journal.steps([one.id])[one.id]) for one in instances},
            "history": Counter((row.kind, row.text, row.delivery) for row in history(unit, world.deal)),
            "mails": world.postman.told,
            "outbox": Counter((mail.message_id, mail.state) for mail in mails),
            "records": records(unit),
            "live": {one.id for one in instances if one.state in LIVE},
            "states": [(one.state, one.result, (one.error or {}).get("message")) for one in instances],
            "waits": unit.journal.waits(ids(instances)),
            "positions": {
                number: one.position for number, one in unit.journal.positions(ids(instances)).items()
            },
        }


def ids(instances: Any) -> list[int]:
    return [one.id for one in instances]


def trace(rows: list[StepRun]) -> list[tuple[object, ...]]:
    """What the one token of an instance passed, in this order, and what each effect left. How often a step was tried is
    not the same: a try whose engine died is none."""
    return [
        (row.path, row.round, row.kind, row.state, row.branch, told(row.output), told(row.error))
        for row in rows
    ]


def told(value: Mapping[str, Any] | None) -> str:
    return json.dumps(comparable(value), sort_keys=True) if value else ""


VARIES = ("created_at", "modified_at", "ended_at", "came_at", "refused", "id", "uid")
"""The moments at which records were made and waits were over: a try whose engine died is not waited for. Whom a mail server refused, if nobody
has read its answer. Random UIDs. And numbers: PostgreSQL gives none a second time, though nothing came of the first."""


def comparable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            name: comparable(_unnumbered(name, each)) for name, each in value.items() if name not in VARIES
        }
    return [comparable(each) for each in value] if isinstance(value, list | tuple) else value


def _unnumbered(name: str, value: Any) -> Any:
    return value.partition(":")[0] if name in ("$ref", "$record") else value


def names_who_was_refused(calm: World) -> None:
    with calm.store.unit(write=False) as unit:
        for row in unit.journal.steps([1])[1]:
            if row.state == "done" and "/many" in f"/{row.path}":
                assert row.output["out"]["refused"] == {GONE: "550 nobody of this name"}


def history(unit: Unit, deal: Ref) -> list[Any]:
    return [*unit.history.of(deal), *unit.history.of(ACME)]


def records(unit: Unit) -> Counter[str]:
    """All records with what was written into them."""
    return Counter(
        f"{entity} {told({name: str(value) for name, value in comparable(fields_of(record)).items()})}"
        for entity in ("account", "contact", "opportunity", "activity", "user")
        for record in unit.records.find(entity, {}, limit=1000)
    )


# --- on every kind of store


def dying_anywhere_changes_nothing(ground: Ground, process: Mapping[str, Any], deaths: list[float]) -> None:
    is_the_same_after(ground, process, lambda rough, instants: live(rough, process, deaths, instants))


def outages_change_nothing(
    ground: Ground, process: Mapping[str, Any], outages: list[tuple[float, int]]
) -> None:
    is_the_same_after(ground, process, lambda rough, instants: endure(rough, process, outages, instants))


def is_the_same_after(
    ground: Ground, process: Mapping[str, Any], lives: Callable[[World, int], object]
) -> None:
    note(json.dumps(process, indent=1))
    with ground.world() as calm:
        instants = live(calm, process)
        names_who_was_refused(calm)
        undisturbed = outcome(calm)
    with ground.world() as rough:
        lives(rough, instants)
        disturbed = outcome(rough)

    for number, passed in undisturbed["trace"].items():
        for one, other in zip(disturbed["trace"][number], passed, strict=False):
            assert one == other
    for what, value in undisturbed.items():
        assert disturbed[what] == value, what
    assert all(count == 1 for count in rough.postman.taken.values())
    assert undisturbed["positions"].keys() <= undisturbed["live"], "one that is over is nowhere any more"
    assert not {"running", "ready", "waiting"} & {state for state, *_ in disturbed["states"]}


def examples(count: int) -> settings:
    return settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.too_slow])


INSTANTS = st.floats(0, 1, exclude_max=True)
DEATHS = st.lists(INSTANTS, max_size=4)
TRIES = 2
"""How often an outcome is written in these tests while the store is away."""
OUTAGES = st.lists(st.tuples(INSTANTS, st.integers(1, TRIES + 2)), max_size=6)
"""When each begins, and for how many instants: it may be over before the engine gives an outcome up, or not."""


@pytest.fixture(autouse=True, scope="module")
def impatient() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deliver, "STORE_PAUSES_SECONDS", (0,) * (TRIES - 1))
        yield


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


@examples(200)
@given(process=processes(), deaths=DEATHS)
def test_an_engine_that_dies_anywhere_leaves_the_same_world(in_memory, process, deaths):
    dying_anywhere_changes_nothing(in_memory, process, deaths)


@examples(40)
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


@examples(100)
@given(process=processes(), outages=OUTAGES)
def test_a_network_that_is_away_for_a_while_leaves_the_same_world(in_memory, process, outages):
    outages_change_nothing(in_memory, process, outages)


@examples(40)
@given(process=processes(), outages=OUTAGES)
def test_a_network_that_is_away_for_a_while_leaves_the_same_world_on_sqlite(on_sqlite, process, outages):
    outages_change_nothing(on_sqlite, process, outages)


@pytest.mark.external_service
@examples(5)
@given(process=processes(), outages=OUTAGES)
def test_a_network_that_is_away_for_a_while_leaves_the_same_world_on_postgresql(
    on_postgresql, process, outages
):
    outages_change_nothing(on_postgresql, process, outages)
