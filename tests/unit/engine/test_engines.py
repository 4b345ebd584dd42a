"""Several engines on one store: which of them plans, which are dead, and what those that slept or died leave behind.

Every engine is on a machine with clocks of its own, and time passes only where a test says so.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import psutil
import pytest
from engine_world import NOON, CrashingStore, Fuse, Killed, SettableClock
from office import ANNA, Office

import procession.deliver
from procession.advance import advance
from procession.definitions import Definitions
from procession.dispatch import start_by_hand
from procession.engine import Engine, claim
from procession.engines import PACE, Membership, _began, beating, this_process
from procession.errors import ConfigurationError, TemporaryError, UnknownOutcome
from procession.ports import Delivery, EngineProcess, Glance, Instance, Pace
from procession.takeover import LONGEST_HAND_OVER
from procession.unattended import deliver_due
from procession.witness import Witness

MAIL = """
    process: p
    title: The process
    inputs: {deal: {type: record, of: opportunity}}
    triggers: [{record: opportunity, events: [added, modified], if: "record.amount > 1"}]
    key: "{{ deal.id }}"
    mode: %s
    history: {on: "{{ deal }}"}
    steps:
      - id: hello
        send_email: {to: "{{ deal.contact }}", subject: "Hello {{ deal.name }}", text: Hello%s}
"""
POISON = """
    process: p
    title: The process
    inputs: {deal: {type: record, of: opportunity}}
    triggers: [{record: opportunity, events: [added], if: "record.amount > 1"}]
    mode: parallel
    history: {on: "{{ deal }}"}
    steps:
      - {id: work, call: {function: double, args: {number: "{{ deal.amount }}"}}}
      - {id: note, log_history: "{{ outputs.work.value }}"}
"""
A_MINUTE = timedelta(minutes=1)


@dataclass
class Post:
    """The mail server as one engine reaches it: `while_sending` happens before it answers."""

    office: Office
    connections: int = 1
    while_sending: Callable[[], object] = lambda: None

    def send(self, sender: str, recipients: Sequence[str], mime: bytes) -> Delivery:
        happens, self.while_sending = self.while_sending, lambda: None
        happens()
        return self.office.post.send(sender, recipients, mime)

    def close(self) -> None: ...


@dataclass
class Database(Fuse):
    """The database as one engine reaches it: whether it `answers`, or is not reached at all. `while_committing` happens
    before it answers."""

    is_away: bool = False
    answers: bool = True
    while_committing: Callable[[], object] = lambda: None
    _is_done: bool = False

    def instant(self) -> None:
        self._is_done = not self._is_done and not self.is_away  # before each commit, and after it
        if self._is_done:
            return
        self.while_committing()
        if self.is_away or not self.answers:
            raise ConfigurationError("The database cannot be used: it is away")


@dataclass
class Machine:
    """One engine, with a wall clock and a monotonic clock of its own. `runs` until it is stopped or killed; while it
    runs it beats, though it may be that it `works` at nothing else just now."""

    office: Office
    process: EngineProcess
    wall: SettableClock = field(default_factory=SettableClock)
    monotonic: float = 1000.0
    runs: bool = True
    works: bool = True

    def __post_init__(self) -> None:
        self.post, self.database = Post(self.office), Database()
        store = CrashingStore(self.office.ports.store, self.database)
        membership = Membership(store, self.process, lambda: self.monotonic)
        self.ports = replace(
            self.office.ports, store=store, engine=membership, clock=self.wall, mail_out=self.post
        )
        self.engine = Engine(
            self.ports, Definitions(self.office.plans), lambda plan, group: advance(plan, group, self.ports)
        )
        membership.beat()

    @property
    def id(self) -> int:
        return self.ports.engine.id

    def work(self) -> None:
        while self.engine.tick():
            pass

    def plan(self) -> None:
        """Only that, as one whose workers are all at work."""
        while self.engine.planner.plan(self.engine._glance()):
            pass


@dataclass
class Fleet:
    """Machines on one store, for which time passes together; those that run beat and look at the others."""

    office: Office
    machines: list[Machine] = field(default_factory=list)

    def machine(self, name: str, **more: object) -> Machine:
        process = more.pop("process", EngineProcess(name, boot=name, pid_namespace="1", pid=7, began=1))
        machine = Machine(self.office, process, **more)
        self.machines.append(machine)
        return machine

    def after(self, seconds: float, *, work: bool = True) -> None:
        """In steps of a beat. What time passes for one that is stopped it notices when it goes on."""
        for _ in range(round(seconds / PACE.beat)):
            for machine in self.machines:
                machine.monotonic += PACE.beat
                machine.wall.sleep(timedelta(seconds=PACE.beat))
            for machine in [one for one in self.machines if one.runs]:
                machine.ports.engine.beat()
                if work and machine.works:
                    machine.work()


@pytest.fixture
def fleet(office: Office) -> Fleet:
    return Fleet(office)


def engines(office: Office) -> set[int]:
    with office.ports.store.unit(write=False) as unit:
        return {row.id for row in unit.journal.engines()}


def planner(office: Office) -> int:
    with office.ports.store.unit(write=False) as unit:
        return unit.journal.glance(NOON).planner


def mail_states(office: Office) -> list[str]:
    with office.ports.store.unit(write=False) as unit:
        states = ["draft", "queued", "sending", "sent", "failed", "unknown", "cancelled"]
        return [mail.state for mail in unit.outbox.in_state(states)]


def start(machine: Machine, name: str = "deal") -> Instance:
    office = machine.office
    (plan,) = office.plans.values()
    instance = start_by_hand(machine.ports, plan, {"deal": office.known[name]}, actor=ANNA)
    assert instance
    return instance


def later(machine: Machine, **more: Any) -> None:
    """A mail that no step looks after, due in a minute of that machine's clock."""
    office = machine.office
    after = machine.wall.now() - office.clock.now() + A_MINUTE
    office.queue_by_hand("ann@acme.example", after=after, **more)
    office.nothing_new()


def save(office: Office, **values: object) -> None:
    office.change("deal", **values)


# --- who is dead


@pytest.mark.parametrize("apart", [timedelta(minutes=10), timedelta(minutes=-10)])
def test_engines_whose_clocks_are_ten_minutes_apart_both_live_and_start_each_thing_once(office, fleet, apart):
    office.deploy(MAIL % ("parallel", ""))
    first, second = fleet.machine("first"), fleet.machine("second", wall=SettableClock(NOON + apart))
    both = {first.id, second.id}

    for number in range(10):
        save(office, amount=10 + number)
        fleet.after(60)

    assert engines(office) == both
    assert office.states() == ["completed"] * 10
    assert len(office.post.mails) == 10


def test_a_mail_in_hand_is_left_to_its_engine_whatever_the_clock_of_another_says(office, fleet):
    """The slow clock is ten minutes behind, and the mail server takes eight to answer. No step looks after the mail."""
    quick, slow = (
        fleet.machine("quick"),
        fleet.machine("slow", wall=SettableClock(NOON - timedelta(minutes=10))),
    )
    quick.work()
    later(slow, on_unknown="resend")
    slow.wall.sleep(A_MINUTE)

    def eight_minutes() -> None:
        slow.works = False  # its thread that beats does not wait for the mail server
        fleet.after(480)
        slow.works = True

    slow.post.while_sending = eight_minutes
    deliver_due(slow.ports)

    assert office.subjects() == ["Hello"]
    assert mail_states(office) == ["sent"]


@pytest.mark.parametrize(("handed_over", "state"), [(True, "unknown"), (False, "sent")])
def test_an_engine_takes_back_its_own_mail_that_it_broke_off_with(office, fleet, handed_over, state):
    """If it only claimed it, since the answer of the database was lost, it knows that it was not sent."""
    mine = fleet.machine("mine")
    later(mine)
    fleet.after(60, work=False)
    with office.ports.store.unit() as unit:
        (mail,) = unit.outbox.due(mine.wall.now(), 10)
        assert unit.outbox.claim([mail.id], mine.id, mine.wall.now())
        unit.commit()
    if handed_over:
        mine.ports.engine.in_hand.add(mail.id)

    fleet.after(600)
    assert mail_states(office) == ["sending"]
    fleet.after(600)

    assert mail_states(office) == [state]


@pytest.mark.parametrize("answers", [True, False])
def test_a_mail_in_hand_is_not_handed_over_again_by_an_engine_whose_database_was_away_for_long(
    office, fleet, monkeypatch, answers
):
    """The mail server took it, whether it `answers` or not. The engine gives up to write that, and goes on later."""
    monkeypatch.setattr(procession.deliver, "STORE_PAUSES_SECONDS", (0,))
    office.deploy(MAIL % ("parallel", ""))
    mine = fleet.machine("mine")
    start(mine)
    send = office.post.send

    def taken(*mail: object) -> Delivery:
        mine.database.is_away = True
        delivery = send(*mail)
        if not answers:
            raise UnknownOutcome("the mail server did not answer")
        return delivery

    office.post.send = taken
    with pytest.raises(ConfigurationError, match="away"):
        mine.work()
    mine.database.is_away = False
    mine.work()

    assert office.subjects() == ["Hello Pumps"]
    assert (mail_states(office), office.states()) == (["unknown"], ["incident"])


def test_a_mail_that_was_put_off_is_not_in_hand_any_more(office, fleet):
    """So when it is claimed again, and the database does not answer, it is known that it was only claimed."""
    office.deploy(MAIL % ("parallel", "") + "        retry: transient\n")
    mine = fleet.machine("mine")
    start(mine)
    office.post.refuse_next("451 later")
    mine.work()
    mine.wall.sleep(A_MINUTE)

    def is_silent_at_the_claim() -> None:
        mine.database.answers = mail_states(office) != ["sending"]

    mine.database.while_committing = is_silent_at_the_claim
    with pytest.raises(ConfigurationError, match="away"):
        mine.work()
    assert mail_states(office) == ["sending"]
    mine.database.while_committing, mine.database.answers = lambda: None, True
    mine.work()

    assert (mail_states(office), office.states()) == (["sent"], ["completed"])


@pytest.mark.parametrize("step", [timedelta(hours=1), timedelta(hours=-1)])
def test_a_step_of_the_wall_clock_buries_nobody_and_takes_no_mail_out_of_a_hand(office, fleet, step):
    first, second = fleet.machine("first"), fleet.machine("second")
    first.work()
    both = {first.id, second.id}
    later(second, on_unknown="resend")
    second.wall.sleep(A_MINUTE)

    def clocks_are_set() -> None:
        first.wall.sleep(step)
        fleet.after(10, work=False)
        first.work()

    second.post.while_sending = clocks_are_set
    deliver_due(second.ports)
    fleet.after(120)

    assert engines(office) == both
    assert (office.subjects(), mail_states(office)) == (["Hello"], ["sent"])


def test_equal_names_and_numbers_in_two_namespaces_are_two_engines(office, fleet):
    """Containers that share the name of their host; what the one sees under a number says nothing of the other."""
    mine = replace(this_process(), host="crm")
    theirs = replace(mine, pid_namespace="pid:[42]", began=mine.began + 1)
    nobody = replace(theirs, pid=2**22 + 1)
    looks = fleet.machine("mine", process=mine)
    others = [fleet.machine("theirs", process=process, works=False) for process in (theirs, nobody)]
    me, killed, other = looks.id, others[0].id, others[1].id

    fleet.after(60)
    assert engines(office) == {me, killed, other}
    others[0].runs = False
    fleet.after(60)

    assert engines(office) == {me, other}


def test_one_that_was_killed_and_started_again_on_this_boot_takes_over_at_once(office, fleet):
    office.deploy(MAIL % ("parallel", ""))
    mine = this_process()
    killed = fleet.machine(
        "killed", process=replace(mine, began=mine.began - 1)
    )  # its number was given again
    killed.work()
    start(killed)
    claim(killed.ports, 1)
    killed.runs = False

    again = fleet.machine("again", process=mine)
    again.work()

    assert engines(office) == {again.id}
    assert planner(office) == again.id
    assert office.states() == ["completed"]


def test_a_killed_one_is_gone_though_its_parent_has_not_asked_about_it(office, fleet):
    child = psutil.Popen(["sleep", "60"])
    process = replace(this_process(), pid=child.pid, began=_began(child.pid))
    killed = fleet.machine("killed", process=process)
    other = fleet.machine("other", process=this_process())

    other.work()
    assert engines(office) == {killed.id, other.id}
    child.kill()
    while child.status() != psutil.STATUS_ZOMBIE:
        pass
    other.monotonic += PACE.beat
    other.work()

    assert engines(office) == {other.id}
    child.wait()


def test_one_that_was_killed_elsewhere_is_dead_when_its_beat_stood_still_for_long_enough(office, fleet):
    office.deploy(MAIL % ("parallel", ""))
    killed, other = fleet.machine("killed"), fleet.machine("other")
    killed.work()
    other.work()
    start(killed)
    claim(killed.ports, 1)
    killed.runs = False

    fleet.after(PACE.dead - PACE.beat)
    assert engines(office) == {killed.id, other.id}
    assert planner(office) == killed.id
    assert office.states() == ["running"]
    fleet.after(PACE.beat)

    assert engines(office) == {other.id}
    assert planner(office) == other.id
    assert office.states() == ["completed"]


def test_an_outage_of_the_database_makes_no_living_engine_look_dead(office, fleet):
    """Nobody could beat. The first one that comes back has seen nothing of the others meanwhile."""
    office.deploy(MAIL % ("parallel", ""))
    first, second = fleet.machine("first"), fleet.machine("second")
    both = {first.id, second.id}
    fleet.after(60)
    for machine in (first, second):
        machine.monotonic += PACE.beat
        machine.work()
    for machine in (first, second):
        machine.monotonic += 2 * PACE.dead  # no beat, no look: the database is away

    for machine in (first, second):  # each looks before the other one's beat is there
        machine.work()
        machine.ports.engine.beat()
        machine.work()
    fleet.after(120)

    assert {first.id, second.id} == both == engines(office)


# --- the beat


@pytest.mark.parametrize("first", [True, False])
def test_the_time_that_a_beat_takes_is_time_without_one(office, fleet, first):
    """The others may see it as soon as it is committed, however long the answer takes."""
    mine = fleet.machine("mine")
    if first:
        office.dead(mine.ports)
        mine.ports.engine.beat()  # becomes a new one
        mine.ports.engine.leave()

    def takes_long() -> None:
        mine.monotonic += PACE.stale + 1

    mine.database.while_committing = takes_long
    if not first:
        mine.ports.engine.beat()

    with pytest.raises(TemporaryError, match="could not show for some time that it lives"):
        mine.ports.engine.check()


def test_what_broke_off_is_given_back_in_the_background(office, fleet):
    machine, engine = with_one_ready(office, fleet, pace=Pace(beat=0.001))

    with beating(engine):
        break_off(engine, *claim(machine.ports, 1))
        while office.states() != ["ready"]:
            pass


def test_what_broke_off_last_is_given_back_before_an_engine_leaves(office, fleet):
    machine, engine = with_one_ready(office, fleet, pace=Pace(beat=1000))

    with beating(engine):
        break_off(engine, *claim(machine.ports, 1))

    assert office.states() == ["ready"]
    assert engines(office) == set()


def test_what_is_given_back_while_the_database_is_away_is_given_back_later(office, fleet):
    machine, engine = with_one_ready(office, fleet)
    break_off(engine, *claim(machine.ports, 1))

    machine.database.is_away = True
    with pytest.raises(ConfigurationError, match="away"):
        engine.give_back()
    machine.database.is_away = False

    assert engine.give_back() == 1
    assert office.states() == ["ready"]


def test_of_two_claims_that_broke_off_the_later_one_is_given_back(office, fleet):
    """Its threads may break off in any order."""
    machine, engine = with_one_ready(office, fleet)
    (before,) = claim(machine.ports, 1)
    break_off(engine, before)
    engine.give_back()
    (after,) = claim(machine.ports, 1)

    break_off(engine, after)
    break_off(engine, before)

    assert engine.give_back() == 1
    assert office.states() == ["ready"]


def with_one_ready(office: Office, fleet: Fleet, pace: Pace = PACE) -> tuple[Machine, Membership]:
    """A machine on which one instance is there to claim."""
    office.deploy(MAIL % ("parallel", ""))
    machine = fleet.machine("machine")
    machine.ports.engine.pace = pace
    start(machine)
    return machine, machine.ports.engine


def break_off(engine: Membership, instance: Instance) -> None:
    with suppress(TemporaryError), engine.holding([instance]):
        raise TemporaryError("The database is away")


# --- one that sleeps


def test_a_sleeper_that_wakes_up_sends_no_more_than_it_had_in_hand_and_is_a_new_engine(office, fleet):
    office.deploy(MAIL % ("parallel", ""))
    sleeper, other = fleet.machine("sleeper"), fleet.machine("other")
    sleeper.work()
    for number in range(4):
        office.given(f"deal {number}", "opportunity", name=f"Deal {number}", amount=1, contact="ann")
        start(sleeper, f"deal {number}")
    before = sleeper.id

    def sleeps() -> None:
        sleeper.runs = False
        fleet.after(2 * PACE.dead)
        assert office.states() == ["incident", "completed", "completed", "completed"]
        sleeper.runs = True

    sleeper.post.while_sending = sleeps
    sleeper.engine.tick()
    sleeper.ports.engine.beat()
    fleet.after(60)

    assert sorted(office.subjects()) == [f"Hello Deal {number}" for number in range(4)]
    assert mail_states(office) == ["sent"] * 4, "that it was accepted is true whoever says it"
    assert office.states() == ["incident", "completed", "completed", "completed"]
    assert sleeper.id not in (before, other.id)
    assert engines(office) == {sleeper.id, other.id}


def test_a_sleeper_takes_nothing_under_the_number_that_it_had(office, fleet):
    """Its machine slept, so that even its monotonic clock stood still: it cannot know."""
    office.deploy(MAIL % ("parallel", ""))
    sleeper, other = fleet.machine("sleeper"), fleet.machine("other")
    sleeper.work()
    fleet.after(5)
    sleeper.runs = False
    fleet.after(2 * PACE.dead)
    sleeper.monotonic -= 2 * PACE.dead
    start(other)

    sleeper.work()

    assert (office.states(), office.post.mails) == (["ready"], [])
    assert planner(office) == other.id
    sleeper.ports.engine.beat()
    sleeper.work()
    assert (office.states(), office.subjects()) == (["completed"], ["Hello Pumps"])


def test_a_sleeper_does_no_step_of_what_it_had_though_nobody_has_taken_it_yet(office, fleet):
    office.deploy(MAIL % ("parallel", ""))
    sleeper = fleet.machine("sleeper")
    start(sleeper)
    claimed = claim(sleeper.ports, 1)
    sleeper.monotonic += PACE.stale + 1

    with pytest.raises(TemporaryError, match="could not show for some time that it lives"):
        advance(office.plans["p"], claimed, sleeper.ports)

    assert (office.states(), office.post.mails) == (["running"], [])
    sleeper.ports.engine.beat()
    sleeper.work()
    assert (office.states(), office.subjects()) == (["completed"], ["Hello Pumps"])


def test_one_that_could_not_beat_for_a_while_begins_nothing_until_it_can(office, fleet):
    office.deploy(MAIL % ("parallel", ""))
    stale = fleet.machine("stale")
    stale.work()
    start(stale)
    stale.monotonic += PACE.stale + 1

    for _ in range(20):
        assert stale.engine.tick() == 0
    assert (office.states(), office.post.mails) == (["ready"], [])
    stale.ports.engine.beat()
    stale.work()

    assert (office.states(), office.subjects()) == (["completed"], ["Hello Pumps"])


@pytest.mark.parametrize("by_step", [True, False])
@pytest.mark.parametrize("connections", [1, 3])
def test_one_that_becomes_stale_among_many_mails_puts_the_rest_back_unharmed(
    office, fleet, connections, by_step
):
    """Nothing has failed: nothing is given up, and no mail is in doubt. What it has not claimed it leaves alone."""
    office.deploy(MAIL % ("parallel", ""))
    stale = fleet.machine("stale")
    stale.work()
    for number in range(6):
        office.given(f"deal {number}", "opportunity", name=f"Deal {number}", amount=1, contact="ann")
        if by_step:
            start(stale, f"deal {number}")
        else:
            later(stale, subject=f"Hello Deal {number}")
    stale.wall.sleep(A_MINUTE)
    commits = []

    def cannot_beat() -> None:
        stale.monotonic += PACE.stale + 1
        stale.database.while_committing = lambda: commits.append(1)

    stale.post.while_sending, stale.post.connections = cannot_beat, connections
    stale.engine.tick()
    sent = len(office.post.mails)
    assert 1 <= sent <= connections
    assert len(commits) <= 2 * connections
    assert mail_states(office).count("sent") == sent
    assert set(mail_states(office)) == {"sent", "queued"}
    stale.ports.engine.beat()
    stale.work()

    assert sorted(office.subjects()) == [f"Hello Deal {number}" for number in range(6)]
    assert office.states() == ["completed"] * (6 if by_step else 0)


def test_a_mail_that_no_step_looks_after_is_not_given_up_while_its_engine_is_stale(office, fleet):
    stale = fleet.machine("stale")
    later(stale)
    fleet.after(60, work=False)
    stale.monotonic += PACE.stale + 1

    for _ in range(20):
        stale.engine.tick()
        stale.wall.sleep(A_MINUTE)
    assert mail_states(office) == ["queued"]
    stale.ports.engine.beat()
    stale.work()

    assert (mail_states(office), office.subjects()) == (["sent"], ["Hello"])


def test_a_mail_that_was_claimed_before_it_was_taken_for_dead_is_not_in_its_hands_any_more(
    office, fleet, monkeypatch
):
    """Though it beats again, as another engine: what it claimed as the first one is not its own."""
    office.deploy(MAIL % ("parallel", ""))
    mine = fleet.machine("mine")
    for number in range(2):
        office.given(f"deal {number}", "opportunity", name=f"Deal {number}", amount=1, contact="ann")
        start(mine, f"deal {number}")

    def taken_for_dead(_mails: object) -> None:
        monkeypatch.undo()
        assert mail_states(office) == ["sent", "sending"]
        office.dead(mine.ports)
        mine.ports.engine.beat()

    monkeypatch.setattr(mine.ports.engine, "sent", taken_for_dead)  # it hears of each before the next one
    mine.engine.tick()
    assert office.subjects() == ["Hello Deal 0"]
    mine.work()

    assert office.subjects() == ["Hello Deal 0", "Hello Deal 1"]
    assert office.states() == ["completed"] * 2


def test_a_claim_that_was_not_answered_is_the_same_claim_when_it_is_made_again(office, fleet, monkeypatch):
    """The mail goes out with the others, however late it is then."""
    monkeypatch.setattr(procession.deliver, "STORE_PAUSES_SECONDS", (0, 0))
    office.deploy(MAIL % ("parallel", ""))
    mine = fleet.machine("mine")
    for number in range(2):
        office.given(f"deal {number}", "opportunity", name=f"Deal {number}", amount=1, contact="ann")
        start(mine, f"deal {number}")

    def is_silent_once() -> None:
        is_silent = mail_states(office) == ["sent", "sending"] and mine.wall.now() == NOON
        mine.database.answers = not is_silent
        if is_silent:
            mine.wall.sleep(timedelta(seconds=1))

    mine.database.while_committing = is_silent_once
    mine.engine.tick()

    assert mine.wall.now() > NOON
    assert office.subjects() == ["Hello Deal 0", "Hello Deal 1"]
    assert office.states() == ["completed"] * 2


def test_a_start_that_was_claimed_at_once_and_not_answered_is_given_back(office, fleet):
    plan = office.deploy(MAIL % ("parallel", ""))
    mine = fleet.machine("mine")

    mine.database.answers = False
    with pytest.raises(ConfigurationError, match="away"):
        start_by_hand(mine.ports, plan, {"deal": office.known["deal"]}, actor=ANNA, at_once=True)
    assert office.states() == ["running"]
    mine.database.answers = True

    assert mine.ports.engine.give_back() == 1
    assert office.states() == ["ready"]


def test_a_mail_counts_as_known_outside_of_the_database_once_that_knows_it(office, fleet, monkeypatch):
    """Or an outage at the wrong moment would look like a database that was put back."""
    monkeypatch.setattr(procession.deliver, "STORE_PAUSES_SECONDS", (0,))
    office.deploy(MAIL % ("parallel", ""))
    mine = fleet.machine("mine")
    mine.ports.engine._witness = Witness(office.folder / "office.sqlite")
    start(mine)
    mine.ports.engine.beat()

    def away() -> None:
        mine.database.is_away = True

    mine.post.while_sending = away
    with pytest.raises(ConfigurationError, match="away"):
        mine.work()
    mine.database.is_away = False
    mine.ports.engine.beat()

    with office.ports.store.unit(write=False) as unit:
        assert not unit.journal.standing().held


# --- mails that were broken off with


def claimed_only(machine: Machine) -> None:
    """It claimed a mail that no step looks after, and did not see the answer."""
    later(machine)
    machine.wall.sleep(A_MINUTE)
    with machine.office.ports.store.unit() as unit:
        (mail,) = unit.outbox.due(machine.wall.now(), 10)
        assert unit.outbox.claim([mail.id], machine.id, machine.wall.now())
        unit.commit()


def test_mails_are_looked_after_though_the_database_was_away_the_first_time(office, fleet):
    mine = fleet.machine("mine")
    claimed_only(mine)
    mine.wall.sleep(2 * LONGEST_HAND_OVER)

    mine.database.is_away = True
    with pytest.raises(ConfigurationError, match="away"):
        mine.work()
    mine.database.is_away = False
    mine.work()

    assert mail_states(office) == ["sent"]


def test_mails_are_looked_after_though_the_clock_was_set_back(office, fleet):
    mine = fleet.machine("mine", wall=SettableClock(NOON + timedelta(hours=5)))
    mine.work()
    mine.wall.at = NOON
    claimed_only(mine)

    mine.wall.sleep(2 * LONGEST_HAND_OVER)
    mine.work()

    assert mail_states(office) == ["sent"]


def test_a_mail_in_the_hands_of_the_dead_is_told_as_soon_as_they_are_known_to_be(office, fleet):
    """Not with the next round of those that this engine broke off with itself."""
    dead, other = fleet.machine("dead"), fleet.machine("other")
    claimed_only(dead)
    other.work()

    office.dead(dead.ports)
    other.work()

    assert mail_states(office) == ["unknown"]


# --- the planner


def test_a_moment_that_came_while_the_database_was_away_is_not_forgotten(office, fleet):
    office.deploy("""
        process: daily
        triggers: [{schedule: "0 12 * * *"}]
        steps: [{set: {x: 1}}]
    """)
    mine = fleet.machine("mine", wall=SettableClock(NOON - A_MINUTE))
    mine.work()
    mine.wall.at = NOON

    mine.database.is_away = True
    with pytest.raises(ConfigurationError, match="away"):
        mine.work()
    mine.database.is_away = False
    mine.work()

    assert office.states() == ["completed"]


def test_a_stand_by_plans_when_the_planner_has_died_and_a_late_unit_of_that_one_changes_nothing(
    office, fleet
):
    office.deploy(MAIL % ("parallel", ""))
    first, second = fleet.machine("first"), fleet.machine("second")
    first.work()
    second.work()
    assert planner(office) == first.id
    late = first.engine._glance()
    first.runs = False
    fleet.after(2 * PACE.dead)
    assert planner(office) == second.id
    save(office, amount=8)

    with pytest.raises(TemporaryError, match="Another engine plans now"):
        first.engine.planner._dispatch(late.epoch, replace(late, pending=True))
    with pytest.raises(TemporaryError, match="Another engine plans now"):
        first.engine.planner._take_back(late.epoch, Glance(orphans=True), NOON)

    assert office.instances() == []
    second.work()
    assert office.states() == ["completed"]


def test_a_stand_by_works_though_the_planner_has_not_come_to_what_is_there_to_plan(office, fleet):
    office.deploy(MAIL % ("parallel", ""))
    first, second = fleet.machine("first"), fleet.machine("second")
    first.work()
    start(first)
    save(office, amount=8)

    second.work()
    assert (office.states(), office.subjects()) == (["completed"], ["Hello Pumps"])
    first.work()

    assert office.states() == ["completed"] * 2


def test_a_planner_that_leaves_is_followed_at_once(office, fleet):
    office.deploy(MAIL % ("parallel", ""))
    first, second = fleet.machine("first"), fleet.machine("second")
    first.work()
    save(office, amount=8)
    second.work()
    assert office.instances() == []

    first.ports.engine.leave()
    second.work()

    assert (planner(office), office.states()) == (second.id, ["completed"])


def test_the_epoch_of_a_planner_is_never_given_again(office, fleet):
    first, second = fleet.machine("first"), fleet.machine("second")
    epochs = []
    for leaver in (first, second, first, second):
        leaver.work()
        with office.ports.store.unit(write=False) as unit:
            glance = unit.journal.glance(NOON)
        assert glance.planner == leaver.id
        epochs.append(glance.epoch)
        leaver.ports.engine.leave()

    assert epochs == sorted(set(epochs))


# --- engines that die with an instance


@dataclass
class Poisonous:
    """A fleet whose engines die where a deal is called Poison, until that is `mended`."""

    fleet: Fleet
    mended: bool = False

    def engine(self) -> Machine:
        machine = self.fleet.machine(f"machine {len(self.fleet.machines)}")
        office = self.fleet.office

        def double(number: int) -> int:
            if number == 666 and not self.mended:
                raise Killed
            return 2 * number

        machine.ports = replace(machine.ports, functions={"double": double})
        machine.engine.ports = machine.engine.planner.ports = machine.ports
        assert office
        return machine

    def until_death(self, batch: int = 500) -> bool:
        """A new engine works until it dies or is done; whether it died. The others find out."""
        machine = self.engine()
        machine.engine.batch = batch
        try:
            machine.work()
        except Killed:
            self.fleet.office.dead(machine.ports)
            return True
        machine.ports.engine.leave()
        return False


def poisoned(office: Office, innocent: int) -> None:
    office.deploy(POISON)
    for number in range(innocent):
        office.given(f"deal {number}", "opportunity", name=f"Deal {number}", amount=7)
    office.given("poison", "opportunity", name="Poison", amount=666)


def test_what_engines_die_with_runs_alone_after_two_deaths_and_is_held_after_the_third(office, fleet):
    poisoned(office, innocent=5)
    world = Poisonous(fleet)

    assert world.until_death()
    assert world.until_death()
    assert {one.deaths for one in office.instances() if one.state == "running"} == {1}
    assert world.until_death()
    done = office.instances()
    assert [one.state for one in done] == ["completed"] * 5 + ["running"], "the innocent ones go first"
    assert not world.until_death()

    *innocent, held = office.instances()
    assert [one.state for one in innocent] == ["completed"] * 5
    assert held.state == "incident"
    assert held.error["message"] == (
        "engines died while they ran this instance, the last one while it ran nothing else"
    )
    assert held.error["class"] == "permanent"


def test_one_that_engines_died_with_goes_on_when_it_is_resumed(office, fleet):
    poisoned(office, innocent=0)
    world = Poisonous(fleet)
    while world.until_death():
        pass
    assert office.states() == ["incident"]

    world.mended = True
    with office.ports.store.unit() as unit:
        unit.journal.resume(1, office.clock.now())
        unit.commit()
    assert not world.until_death()

    assert office.states() == ["completed"]
    assert [row.text for row in office.history("poison")] == ["1332"]


def test_one_that_was_mended_after_two_deaths_completes_alone(office, fleet):
    poisoned(office, innocent=2)
    world = Poisonous(fleet)
    assert world.until_death()
    assert world.until_death()

    world.mended = True
    assert not world.until_death()

    assert office.states() == ["completed"] * 3


def test_a_death_is_forgotten_when_the_instance_gets_a_step_further(office, fleet):
    office.deploy(MAIL % ("parallel", "") + "      - {id: note, log_history: done}\n")
    machine = fleet.machine("machine")
    start(machine)
    for number in range(2):
        claim(machine.ports, 1)
        office.dead(machine.ports)
        machine.runs = False
        machine = fleet.machine(f"machine {number}")
        machine.plan()
    (instance,) = office.instances()
    assert instance.deaths == 2

    machine.post.while_sending = lambda: None
    (claimed,) = claim(machine.ports, 1, alone=True)
    advance(office.plans["p"], [claimed], machine.ports)

    (instance,) = office.instances()
    assert (instance.state, instance.deaths) == ("completed", 0)


def test_giving_back_is_no_death(office, fleet):
    office.deploy(MAIL % ("parallel", ""))
    machine = fleet.machine("machine")
    start(machine)

    def away(_plan: object, _group: object) -> None:
        raise ConfigurationError("The database cannot be used: it is away")

    execute, machine.engine.execute = machine.engine.execute, away
    for _ in range(5):
        with pytest.raises(ConfigurationError):
            machine.engine.tick()
    machine.engine.execute = execute
    machine.work()

    (instance,) = office.instances()
    assert (instance.state, instance.deaths) == ("completed", 0)


# --- restart with a mail in hand


def restarting(office: Office, fleet: Fleet, more: str = "") -> tuple[Machine, Machine]:
    """A planner that does not work, and a worker."""
    office.deploy(MAIL % ("restart", more))
    plans, works = fleet.machine("planner"), fleet.machine("worker")
    plans.plan()
    return plans, works


def test_the_successor_of_one_with_a_mail_in_hand_begins_when_that_mail_is_settled(office, fleet):
    """The order in which mails are accepted is that of the saves."""
    plans, works = restarting(office, fleet)
    other = fleet.machine("other")

    def saved_again() -> None:
        save(office, name="Valves")
        plans.plan()
        other.work()
        assert (office.states(), office.subjects()) == (["running", "ready"], [])

    save(office, amount=8)
    plans.plan()
    works.post.while_sending = saved_again
    works.work()

    assert office.subjects() == ["Hello Pumps", "Hello Valves"]
    assert office.states() == ["cancelled", "completed"]
    assert mail_states(office) == ["sent", "sent"]
    assert [row.delivery for row in office.history("deal")] == ["sent", "sent"]


def test_of_many_saves_while_a_mail_is_in_hand_only_the_last_one_follows(office, fleet):
    plans, works = restarting(office, fleet)

    def saved_again_and_again() -> None:
        for name in ("Valves", "Taps", "Pipes"):
            save(office, name=name)
            plans.plan()
        assert office.states() == ["running", "cancelled", "cancelled", "ready"]
        assert claim(fleet.machine("other").ports, 1) == []

    save(office, amount=8)
    plans.plan()
    works.post.while_sending = saved_again_and_again
    works.work()

    assert office.subjects() == ["Hello Pumps", "Hello Pipes"]
    assert office.states() == ["cancelled", "cancelled", "cancelled", "completed"]


def test_a_successor_with_a_mail_in_hand_is_followed_in_turn(office, fleet):
    plans, works = restarting(office, fleet)

    def saved(name: str, then: Callable[[], object]) -> Callable[[], None]:
        def happens() -> None:
            save(office, name=name)
            plans.plan()
            works.post.while_sending = then

        return happens

    save(office, amount=8)
    plans.plan()
    works.post.while_sending = saved("Valves", saved("Taps", lambda: None))
    works.work()

    assert office.subjects() == ["Hello Pumps", "Hello Valves", "Hello Taps"]
    assert office.states() == ["cancelled", "cancelled", "completed"]


def test_a_mail_of_which_nobody_knows_does_not_hold_the_successor(office, fleet):
    plans, works = restarting(office, fleet)

    def saved_and_died() -> None:
        save(office, name="Valves")
        plans.plan()
        raise Killed

    save(office, amount=8)
    plans.plan()
    works.post.while_sending = saved_and_died
    with pytest.raises(Killed):
        works.work()
    assert office.states() == ["running", "ready"]
    office.dead(works.ports)
    plans.plan()
    fleet.machine("other").work()

    assert office.subjects() == ["Hello Valves"]
    assert (office.states(), mail_states(office)) == (["cancelled", "completed"], ["unknown", "sent"])


def test_a_mail_that_was_put_off_is_withdrawn_for_the_successor(office, fleet):
    plans, works = restarting(office, fleet)
    office.post.refuse_next("451 later")

    save(office, amount=8)
    plans.plan()
    works.post.while_sending = lambda: (save(office, name="Valves"), plans.plan())
    works.work()

    assert office.subjects() == ["Hello Valves"]
    assert (office.states(), mail_states(office)) == (["cancelled", "completed"], ["cancelled", "sent"])
