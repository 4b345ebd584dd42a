"""Planner, worker and saver in every order of their units: nothing is lost, sent twice, or out of order.

Four small processes; while one instance of each is at work, somebody saves the record again, cancels, or the mail server
puts a mail off. A process whose `mode` is `restart` starts anew at each save.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email import message_from_bytes, policy
from textwrap import dedent

import psycopg
import pytest
from contract.conftest import empty, migrated_postgresql, postgresql  # noqa: F401 - fixtures
from engine_world import ACTOR, Fuse, Ground, InMemory, OnPostgreSQL, OnSQLite, World
from interleaving import Order, Stage, every_order, some_orders

from crm.schema import SCHEMA
from procession.advance import advance
from procession.compile import compile_text
from procession.definitions import Definitions
from procession.engine import Engine
from procession.errors import TransportDeferred
from procession.mail import Templates
from procession.plan import Plan
from procession.ports import Delivery, Event, Glance, Instance

HEAD = """
    process: p
    title: P
    inputs: {deal: {type: record, of: opportunity}}
    triggers: [{record: opportunity, events: [modified]}]
    key: "{{ deal.id }}"
    mode: MODE
    history: {on: "{{ deal }}"}
    steps:
"""
MAIL = 'send_email: {to: ann@acme.example, subject: "Hello {{ deal.name }}", text: Hello}, retry: transient'
STEPS = {
    "a mail": f"""
      - {{id: mail, {MAIL}}}
""",
    "two steps": f"""
      - {{id: note, log_history: "it is {{{{ deal.name }}}}"}}
      - {{id: mail, {MAIL}}}
""",
    "a loop": f"""
      - id: each
        for_each: {{items: "{{{{ [1, 2] }}}}", as: n, steps: [{{id: mail, {MAIL.replace("deal.name", "n")}}}]}}
""",
    "an error": f"""
      - {{id: boom, call: {{function: boom}}, on_error: [{{id: mail, {MAIL}}}]}}
      - {{id: note, log_history: "after {{{{ outputs.mail.state | default('nothing') }}}}"}}
""",
}  # fmt: skip
NOTHING_CAME = "nothing came"
WAITS = {
    "a wait": f"""
      - {{id: pause, wait: 50s}}
      - {{id: mail, {MAIL}}}
""",
    "a held mail": f"""
      - {{id: mail, {MAIL.replace("text: Hello", "text: Hello, undo: 50s")}}}
""",
    "a live timer": f"""
      - {{id: day, wait: {{until: "{{{{ deal.name | length > 5 and moment('2026-03-02 12:00:30') or moment('2026-03-02 12:01') }}}}"}}}}
      - {{id: mail, {MAIL}}}
""",
    "an event": f"""
      - id: change
        wait_for:
          - {{record: opportunity, events: [modified]}}
          - {{signal: closing, then: [log_history: "{NOTHING_CAME}"]}}
      - {{id: mail, {MAIL}}}
""",
}  # fmt: skip
A_MINUTE = timedelta(minutes=1)
DISTURBANCES = {"event": "parallel", "cancel": "parallel", "restart": "restart", "error": "restart"}
"""What happens, and the mode of the process."""


@dataclass
class Server:
    """A mail server that remembers what it took, in this order, and puts the first ones off."""

    to_put_off: int = 0
    taken: list[tuple[str, str]] = field(default_factory=list)
    connections = 1

    def send(self, _sender: str, _recipients: object, mime: bytes) -> Delivery:
        if self.to_put_off:
            self.to_put_off -= 1
            raise TransportDeferred("the mail server put off the mail: 451 later")
        mail = message_from_bytes(mime, policy=policy.default)
        self.taken.append((mail["Message-ID"], mail["Subject"]))
        return Delivery("250 OK")

    def close(self) -> None: ...


def boom() -> None:
    raise ValueError("no luck today")


def plan_of(steps: str, mode: str) -> Plan:
    text = dedent(HEAD.replace("MODE", mode).rstrip() + {**STEPS, **WAITS}[steps])
    return compile_text(text, "p.yaml", Templates.of_files({}), SCHEMA, ("boom",))


@dataclass
class Scene:
    """One instance of the plan is ready, by the first save; a planner, workers and a saver may begin."""

    world: World
    plan: Plan
    stage: Stage
    server: Server = field(default_factory=Server)
    engines: list[Engine] = field(default_factory=list)
    saves: int = 0
    stopped: dict[int, set[str]] = field(default_factory=dict)
    """Of an instance that was cancelled or superseded: its mails that were sent or in hand by then."""

    def __post_init__(self) -> None:
        self.save()
        self.planner = self.engine()
        while self.planner.planner.plan(self.planner._glance()):
            pass
        (self.first,) = self.instances()

    def engine(self) -> Engine:
        ports = replace(
            self.world.ports(Fuse(), {"boom": boom}), store=self.stage.store(self.world.store),
            mail_out=self.stage.mail_out(self.server),
        )  # fmt: skip
        made = Engine(ports, Definitions({"p": self.plan}), lambda plan, group: advance(plan, group, ports))
        ports.engine.beat()
        ports.engine.bury_the_dead()
        self.engines.append(made)
        return made

    # --- what actors do

    def save(self) -> None:
        self.saves += 1
        with self.stage.store(self.world.store).unit() as unit:
            unit.records.update([(self.world.deal, {"name": f"Save {self.saves}"})], ACTOR)
            unit.commit()

    def cancel(self) -> None:
        with self.stage.store(self.world.store).unit() as unit:
            asked = unit.journal.ask_to_stop([self.first.id], "by anna", self.world.clock.now())
            unit.commit()
        if asked:
            self.stopped.setdefault(self.first.id, self._under_way(self.first.id))

    def close(self) -> None:
        with self.world.store.unit() as unit:
            unit.journal.append([Event(0, self.world.clock.now(), "signal", name="closing")])
            unit.commit()

    def plans(self, times: int) -> Callable[[], None]:
        glance = self.planner._glance()
        waits = any(step in self.plan.files["p.yaml"] for step in ("wait:", "undo:"))

        def do() -> None:
            for _ in range(times):
                self.world.clock.at += A_MINUTE
                self.planner.planner.plan(
                    replace(glance, pending=True, due=waits, live=self.plan.is_live, new=self.plan.is_live)
                )

        return do

    def works(self, times: int = 1) -> Callable[[], None]:
        engine = self.engine()

        def do() -> None:
            for _ in range(times):
                engine._work(Glance(ready=True))

        return do

    # --- what is seen

    def instances(self) -> list[Instance]:
        with self.world.store.unit(write=False) as unit:
            return sorted(unit.journal.instances(), key=lambda one: one.id)

    def look(self) -> None:
        """After each act."""
        if self.plan.mode == "restart":
            instances = self.instances()
            running = [one.id for one in instances if one.state == "running"]
            assert len(running) <= 1, f"instances {running} of one key run at the same time"
            for superseded in instances[:-1]:
                self.stopped.setdefault(superseded.id, self._under_way(superseded.id))

    def _under_way(self, instance: int) -> set[str]:
        with self.world.store.unit(write=False) as unit:
            mails = unit.outbox.in_state(["sending", "sent"])
        return {mail.message_id for mail in mails if mail.instance == instance}

    def drain(self) -> None:
        """All engines go on until nothing is left to do, with the clock running on to the next retry; who waits for an event then,
        waits in vain."""
        for _ in range(20):
            while sum(engine.tick() for engine in self.engines):
                pass
            with self.world.store.unit(write=False) as unit:
                waits = unit.journal.waits([one.id for one in unit.journal.instances(states=["waiting"])])
            due = [wait.due for some in waits.values() for wait in some if wait.due]
            if not waits:
                return
            if not due:
                self.close()
                continue
            self.world.clock.at = max(self.world.clock.at, *due) + timedelta(seconds=1)
        pytest.fail("something never came to its end")


def is_well(scene: Scene, disturbance: str) -> None:
    instances = scene.instances()
    states = {one.id: (one.state, one.result) for one in instances}
    with scene.world.store.unit(write=False) as unit:
        mails = {
            mail.message_id: mail
            for mail in unit.outbox.in_state(
                ["draft", "held", "queued", "sending", "sent", "failed", "unknown", "cancelled", "withdrawn"]
            )
        }
        rows = [row for row in unit.history.of(scene.world.deal) if row.kind == "email"]
        positions = unit.journal.positions([one.id for one in instances])
        waits = unit.journal.waits([one.id for one in instances])
    taken = Counter(message_id for message_id, _ in scene.server.taken)
    assert set(taken.values()) <= {1}, "a mail was sent twice"
    assert {id_ for id_, mail in mails.items() if mail.state == "sent"} == set(taken), (
        "what is sent is what was taken"
    )
    assert {mail.state for mail in mails.values()} <= {"sent", "cancelled", "withdrawn"}, "a mail was lost"
    told = Counter(row.activity for row in rows)
    assert set(told.values()) <= {1}, "a mail was told of twice"
    assert {mail.activity for mail in mails.values() if mail.state == "sent"} <= told.keys()
    states_of = {mail.activity: mail.state for mail in mails.values()}
    assert {row.activity: row.delivery for row in rows} == {one: states_of[one] for one in told}
    assert waits == {}, "an instance that is over waits still"
    assert positions == {}, "an instance that is over is still somewhere"
    for number, under_way in scene.stopped.items():
        late = {
            mail.message_id for mail in mails.values() if mail.instance == number and mail.state == "sent"
        } - under_way
        assert not late, "a mail was sent by an instance that had been stopped"
    if "closing" in str(scene.plan.files):
        with scene.world.store.unit(write=False) as unit:
            in_vain = [row for row in unit.history.of(scene.world.deal) if row.text == NOTHING_CAME]
        assert len(in_vain) <= 1, "what came for one that waited was lost"
    _ended_well(
        scene, disturbance, states, Counter(mail.instance for mail in mails.values() if mail.state == "sent")
    )
    if scene.plan.mode == "restart":
        _in_order(scene, [subject for _, subject in scene.server.taken])


def _ended_well(
    scene: Scene, disturbance: str, states: Mapping[int, tuple[str, str]], sent: Mapping[int | None, int]
) -> None:
    each = 2 if "for_each" in str(scene.plan.files) else 1
    others = {"event": set(), "cancel": {("cancelled", "by anna")}}
    wanted = {("completed", ""), *others.get(disturbance, {("cancelled", "superseded")})}
    assert set(states.values()) <= wanted
    assert all(sent[number] == each for number, (state, _) in states.items() if state == "completed")
    assert len(states) <= scene.saves
    if disturbance != "cancel":
        assert states[max(states)] == ("completed", ""), "the last save counts"
    if disturbance == "event":
        assert len(states) == scene.saves


def _in_order(scene: Scene, subjects: list[str]) -> None:
    """Mails are accepted in the order of the saves that they tell of."""
    told = [subject for subject in subjects if "Save" in subject]
    assert told == sorted(told)
    if told:
        assert told[-1] == f"Hello Save {scene.saves}"


# --- in every order


def scenario(
    ground: Ground, steps: str, disturbance: str, *, workers: int = 1, plans: int = 1, saves: int = 1,
    waiting: Callable[[], int] | None = None, works: int = 1,
) -> Callable[[Order], None]:  # fmt: skip
    plan = plan_of(steps, DISTURBANCES[disturbance])

    def play(order: Order) -> None:
        with ground.world() as world:
            stage = Stage(waiting, overlapping=True) if waiting else Stage()
            scene = Scene(world, plan, stage, Server(to_put_off=1 if disturbance == "error" else 0))

            def saver() -> None:
                for _ in range(saves):
                    scene.cancel() if disturbance == "cancel" else scene.save()

            actors = {"saver": saver, "planner": scene.plans(plans)}
            actors |= {f"worker {number}": scene.works(works) for number in range(workers)}
            if order.play(stage, actors, scene.look):
                scene.drain()
                is_well(scene, disturbance)

    return play


CASES = [(steps, disturbance) for steps in STEPS for disturbance in DISTURBANCES]
every_case = pytest.mark.parametrize(("steps", "disturbance"), CASES)


@pytest.fixture(scope="module")
def in_memory() -> Ground:
    return InMemory()


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory) -> Ground:
    return OnSQLite(tmp_path_factory.mktemp("worlds"))


@every_case
def test_in_every_order_all_is_well(in_memory, steps, disturbance):
    assert every_order(scenario(in_memory, steps, disturbance, plans=2)) >= 10


WAITING = [(steps, disturbance) for steps in WAITS for disturbance in DISTURBANCES]
who_waits = pytest.mark.parametrize(("steps", "disturbance"), WAITING)
ORDERS_OF_WAITS = 150
"""Of tens of thousands for each case."""


@who_waits
def test_in_orders_drawn_at_random_one_that_waits_is_well(in_memory, steps, disturbance):
    """The planner wakes it, while a worker lays it down, and somebody saves, cancels or starts it anew."""
    play = scenario(in_memory, steps, disturbance, plans=2, works=2)
    some_orders(play, ORDERS_OF_WAITS, seed=WAITING.index((steps, disturbance)))


@pytest.mark.parametrize("steps", ["a mail", "two steps"])
def test_in_every_order_the_successor_of_a_successor_is_well(in_memory, steps):
    assert every_order(scenario(in_memory, steps, "restart", plans=2, saves=2)) >= 100


@pytest.mark.parametrize("disturbance", ["cancel", "restart", "error"])
def test_in_every_order_two_workers_do_not_step_on_each_other(in_memory, disturbance):
    assert every_order(scenario(in_memory, "a mail", disturbance, workers=2)) >= 100


def test_in_orders_drawn_at_random_two_workers_do_not_step_on_each_other_on_sqlite(on_sqlite):
    some_orders(scenario(on_sqlite, "a mail", "restart", workers=2, plans=2, saves=2), 60, seed=2026)


@every_case
def test_in_every_order_all_is_well_on_sqlite(on_sqlite, steps, disturbance):
    assert every_order(scenario(on_sqlite, steps, disturbance)) >= 10


# --- on PostgreSQL, where units overlap


@pytest.fixture(scope="module")
def on_postgresql(migrated_postgresql: str) -> Iterator[tuple[Ground, Callable[[], int]]]:  # noqa: F811 - a fixture
    """It, and how many of its connections wait for a lock."""
    waits = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database() AND state = 'active'"
    )
    with psycopg.connect(migrated_postgresql, autocommit=True) as connection:

        def waiting() -> int:
            row = connection.execute(waits).fetchone()
            assert row
            return int(row[0])

        yield OnPostgreSQL(migrated_postgresql, empty), waiting


ORDERS_ON_POSTGRESQL = 6
"""Of tens of thousands: each takes a twentieth of a second."""


@pytest.mark.external_service
@every_case
def test_in_orders_drawn_at_random_all_is_well_on_postgresql(on_postgresql, steps, disturbance):
    ground, waiting = on_postgresql
    play = scenario(ground, steps, disturbance, workers=2, plans=2, saves=2, waiting=waiting)
    some_orders(play, ORDERS_ON_POSTGRESQL, seed=CASES.index((steps, disturbance)))


@pytest.mark.external_service
@who_waits
def test_in_orders_drawn_at_random_one_that_waits_is_well_on_postgresql(on_postgresql, steps, disturbance):
    ground, waiting = on_postgresql
    play = scenario(ground, steps, disturbance, workers=2, plans=2, works=2, waiting=waiting)
    some_orders(play, ORDERS_ON_POSTGRESQL, seed=WAITING.index((steps, disturbance)))
