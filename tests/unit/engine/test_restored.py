"""A database that was put back from a backup, or copied: it is found out, nothing goes out until a person has said what
it is, and no mail is handed over twice."""

import json
import shutil
import sqlite3
import stat
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from office import ANNA, Office

from procession import restoring
from procession.dispatch import start_by_hand
from procession.engine import claim
from procession.engines import Membership
from procession.errors import ConfigurationError, InputError
from procession.ports import EngineProcess, ListedMail, Pace, SentMail, Standing
from procession.records import Ref
from procession.testing.mail_out import MemoryMailOut
from procession.unattended import deliver_due
from procession.witness import Mark, Witness, refuse_if_held

HELLO = """
    process: hello
    title: Say hello
    inputs: {c: {type: record, of: contact}}
    triggers: [{manual: {on: contact}}]
    mode: parallel
    history: {on: "{{ c }}"}
    steps:
      - id: hello
        send_email: {to: "{{ c }}", subject: Hello, text: Hello}
"""
LATER = HELLO.replace("hello\n    title", "later\n    title").replace(
    "text: Hello}", "text: Later, undo: 1h}"
)
EVERY_MINUTE = """
    process: minutely
    triggers: [{schedule: {every: 1m}}]
    mode: parallel
    steps: [{notify: {to: Bob, text: A minute is over}}]
"""


@dataclass
class House:
    """A machine with a database, that can be put back; mails of all its times are in one `post`."""

    folder: Path
    post: MemoryMailOut = field(default_factory=MemoryMailOut)
    office: Office = field(init=False)
    witness: Witness = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.witness = Witness(self.file)
        self.open()
        self.office.given("ann", "contact", name="Ann", email="ann@acme.example")
        self.office.given("bob", "user", name="Bob", email="bob@us.example")
        self.office.nothing_new()
        self.work()

    @property
    def file(self) -> Path:
        return self.folder / "office.sqlite"

    def open(self) -> None:
        """Another engine on the same folder, as after a restart; those before it are known to be dead."""
        before = self.__dict__.get("office")
        if before:
            before.ports.store.close()
        office = Office(self.folder, post=self.post)
        engine = Membership(
            office.ports.store, EngineProcess("here"), pace=Pace(beat=0.01), witness=self.witness
        )
        office.ports = replace(office.ports, engine=engine)
        with office.ports.store.unit() as unit:
            unit.journal.bury({row.id: row.beat for row in unit.journal.engines()})
            unit.commit()
        if before:
            office.known, office.clock.at, office.plans = before.known, before.clock.at, before.plans
        self.office = office

    def work(self) -> None:
        self.office.work()
        self.office.ports.engine.beat()

    def greet(self, text: str = HELLO, times: int = 1) -> None:
        plan = self.office.deploy(text)
        for _ in range(times):
            start_by_hand(self.office.ports, plan, {"c": self.office.known["ann"]}, actor=ANNA)

    def mail_later(self, times: int = 1, **more: Any) -> None:
        """Mails that no step looks after, due in an hour."""
        self.office.queue_by_hand("ann@acme.example", "Later", count=times, after=timedelta(hours=1), **more)

    def backup(self) -> Path:
        to = self.folder / "backup.sqlite"
        with closing(sqlite3.connect(self.file)) as there, closing(sqlite3.connect(to)) as copy:
            there.backup(copy)
        return to

    def put_back(self, backup: Path) -> None:
        self.office.ports.store.close()
        for end in ("-wal", "-shm"):
            self.file.with_name(self.file.name + end).unlink(missing_ok=True)
        self.file.write_bytes(backup.read_bytes())
        self.open()

    def standing(self) -> Standing:
        return self.standing_of(self.office)

    @staticmethod
    def standing_of(office: Office) -> Standing:
        with office.ports.store.unit(write=False) as unit:
            return unit.journal.standing()

    def mails(self) -> list[ListedMail]:
        with self.office.ports.store.unit(write=False) as unit:
            return unit.outbox.in_state(["queued", "sending", "sent", "unknown", "cancelled", "failed"])

    def ids(self) -> list[str]:
        return [str(message_from_bytes(mail.data)["Message-ID"]) for mail in self.post.mails]

    def go_on(self) -> restoring.Restored:
        return restoring.go_on(self.office.ports, self.witness, ANNA)

    def drop_due(self) -> restoring.Restored:
        return restoring.drop_due(self.office.ports, self.office.plans, self.witness, ANNA)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "house")


# --- the whole way


def busy(house: House) -> Path:
    """Three mails have gone out, two are due by the outbox, three wait for their hour: that is the backup. Then ten more
    go out, two of them those that were due. The engine is killed; its last mark may be older than what it did."""
    house.greet(times=3)
    house.work()
    house.mail_later(times=2)
    house.work()
    house.office.clock.at += timedelta(minutes=30)
    house.greet(LATER, times=3)
    house.work()
    house.office.clock.at += timedelta(minutes=31)
    backup = house.backup()
    assert deliver_due(house.office.ports) == 2
    house.greet(times=8)
    house.office.work()
    assert len(house.post.mails) == 13
    return backup


@pytest.mark.parametrize("say", [House.go_on, House.drop_due])
def test_no_mail_goes_out_twice_after_a_backup_was_put_back(
    house: House, say: Callable[[House], restoring.Restored]
) -> None:
    backup = busy(house)
    before = house.standing().identity

    house.put_back(backup)
    house.work()
    house.greet(times=2)  # somebody is at work already
    house.work()

    assert house.standing().held
    assert len(house.post.mails) == 13

    say(house)
    house.open()
    house.work()
    house.office.work(later=timedelta(hours=2))
    house.greet(times=8)
    house.work()

    assert not house.standing().held
    assert (house.standing().identity.installation, house.standing().former) == (
        before.installation, (before.incarnation,),
    )  # fmt: skip
    texts = Counter(mail.text.strip() for mail in house.post.mails)
    assert (
        texts["Later"] == 2 + 3
    )  # each once: those that had gone out, and those whose hour came after the restore
    assert set(Counter(house.ids()).values()) == {1}


def test_mails_without_an_event_of_their_own_are_found_out(house: House) -> None:
    house.mail_later()
    house.work()
    house.office.clock.at += timedelta(hours=2)
    backup = house.backup()
    assert deliver_due(house.office.ports) == 1

    house.put_back(backup)
    house.office.work()

    assert house.standing().held == "a mail was sent of which it does not know that"
    assert len(house.post.mails) == 1


def test_what_a_loss_of_power_undid_is_found_out(house: House) -> None:
    """SQLite loses the end of its log: the last transactions, as a whole and in order."""
    house.greet()
    house.work()
    log = house.file.with_name(f"{house.file.name}-wal")
    synced = log.stat().st_size
    house.greet(times=2)
    house.work()
    found, left = house.file.read_bytes(), log.read_bytes()[:synced]
    house.office.ports.store.close()

    house.file.write_bytes(found)
    log.write_bytes(left)
    house.open()
    house.work()

    assert [one.state for one in house.office.instances()] == ["completed"]
    assert "its last event is" in house.standing().held
    assert len(house.post.mails) == 3


def test_it_is_found_out_though_people_went_on_saving_before_an_engine_started(house: House) -> None:
    house.greet()
    backup = house.backup()
    house.work()
    last = house.standing().event

    house.put_back(backup)
    while house.standing().event <= last:
        house.office.given("x", "account", name="Saved again")
    house.work()

    assert house.standing().held
    assert house.go_on().sent == 0


def test_a_step_whose_mail_had_gone_out_is_done_when_its_instance_goes_on(house: House) -> None:
    """The backup was made between the moment in which the mail was queued, and that in which it was taken."""
    house.office.post.refuse_next("451 4.3.0 later")
    house.greet(HELLO + "        retry: transient\n")
    house.work()
    backup = house.backup()
    house.office.work(later=timedelta(hours=1))
    assert house.office.states() == ["completed"]

    house.put_back(backup)
    house.work()
    assert house.office.states() == ["waiting"]
    assert house.go_on().sent == 1
    house.open()
    house.work()

    assert house.office.states() == ["completed"]
    assert len(house.post.mails) == 1
    assert "was sent: it went out before the database was put back" in house.office.history("ann")[-1].text


def test_what_is_cancelled_says_why_in_history(house: House) -> None:
    house.office.post.refuse_next("451 4.3.0 later")
    house.greet(HELLO + "        retry: transient\n")
    house.work()
    backup = house.backup()
    house.office.given("x", "account", name="Lost")
    house.work()
    house.office.clock.at += timedelta(hours=1)
    house.put_back(backup)
    house.work()

    done = house.drop_due()
    house.open()
    house.work()

    assert (done.mails, done.instances) == (1, 1)
    assert house.office.states() == ["cancelled"]
    assert [mail.state for mail in house.mails()] == ["cancelled"]
    why = "the database was put back from a backup, and it may have gone out already"
    said = [row.text for row in house.office.history("ann")]
    assert f"E-mail “Hello” cancelled: {why}" in said
    assert f"Say hello: Ann was cancelled: {why}" in said
    assert house.post.mails == []


def test_a_mail_that_its_step_tries_again_later_stays_with_its_step(house: House) -> None:
    """Both or neither: a mail that History says is cancelled must not go out."""
    house.office.post.refuse_next("451 4.3.0 later")
    house.greet(HELLO + "        retry: {on: [temporary], interval: 30m}\n")
    house.work()
    backup = house.backup()
    house.office.given("x", "account", name="Lost")
    house.work()
    house.put_back(backup)
    house.work()

    done = house.drop_due()
    house.open()
    house.office.work(later=timedelta(hours=1))

    assert (done.mails, done.instances) == (0, 0)
    assert [mail.state for mail in house.mails()] == ["sent"]
    assert not [row.text for row in house.office.history("ann") if "cancelled" in row.text]


def test_a_mail_that_was_in_hand_is_left_to_a_person_whatever_its_step_says(house: House) -> None:
    house.mail_later(on_unknown="resend")
    house.work()
    (mail,) = house.mails()
    house.office.clock.at += timedelta(hours=2)
    with house.office.ports.store.unit() as unit:
        unit.outbox.claim([mail.id], house.office.ports.engine.id, house.office.clock.now())
        unit.commit()
    backup = house.backup()
    house.office.given("x", "account", name="Lost")
    house.work()

    house.put_back(backup)
    house.work()
    house.drop_due()
    house.open()
    house.work()

    assert [mail.state for mail in house.mails()] == ["unknown"]


def test_events_that_came_after_the_restore_start_what_they_should(house: House) -> None:
    plan = HELLO.replace("[{manual: {on: contact}}]", "[{record: contact, events: [added]}]")
    house.office.deploy(plan)
    house.office.given("old", "contact", name="Old", email="old@acme.example")
    backup = house.backup()
    house.work()

    house.put_back(backup)
    house.work()
    house.office.given("new", "contact", name="New", email="new@acme.example")
    assert house.drop_due().events == 1
    house.open()
    house.work()

    assert [mail.recipients for mail in house.post.mails] == [("old@acme.example",), ("new@acme.example",)]


@pytest.mark.parametrize(("say", "told"), [(House.go_on, 1), (House.drop_due, 0)])
def test_what_schedules_missed_is_skipped_if_a_person_says_so(
    house: House, say: Callable[[House], restoring.Restored], told: int
) -> None:
    backup = house.backup()
    house.office.given("x", "account", name="Lost")
    house.office.deploy(EVERY_MINUTE)
    house.office.ports.engine.beat()
    house.office.clock.at += timedelta(minutes=5)
    house.put_back(backup)
    engine = house.office.engine()
    engine.tick()
    house.office.clock.at += timedelta(seconds=10)

    say(house)
    while engine.tick():
        pass

    assert len(house.post.mails) == told


@pytest.mark.parametrize("ran_before", [False, True])
def test_an_engine_that_stood_still_goes_on_under_the_new_incarnation(house: House, ran_before: bool) -> None:
    """It may have begun under the old one: a server of databases puts one back under those who work on it."""
    house.greet()
    house.work()
    backup = house.backup()
    house.greet(times=3)
    house.work()
    house.put_back(backup)
    if ran_before:
        assert house.office.ports.store.identity.incarnation == house.standing().identity.incarnation
    engine = house.office.engine()
    assert engine.tick() == 0

    house.go_on()
    house.greet(times=3)
    while engine.tick():
        pass

    assert [instance.id for instance in house.office.instances()] == [1, 2, 3, 4]
    assert len(set(house.ids())) == len(house.ids()) == 7


def test_what_engines_died_with_is_left_alone_while_it_is_held(house: House) -> None:
    house.greet()
    house.work()
    house.greet()
    claim(house.office.elsewhere(), 1)
    backup = house.backup()
    house.office.given("x", "account", name="Lost")
    house.work()

    house.put_back(backup)
    house.work()

    assert house.office.states() == ["completed", "running"]
    assert house.drop_due().instances == 1
    house.open()
    house.work()
    assert house.office.states() == ["completed", "cancelled"]


# --- who finds it out


def test_a_database_that_goes_on_is_not_held(house: House) -> None:
    house.greet(times=3)
    house.work()
    house.office.ports.engine.leave()

    house.open()
    house.greet()
    house.work()

    assert not house.standing().held
    assert len(house.post.mails) == 4
    with pytest.raises(InputError, match="is not held, and it knows of everything"):
        house.go_on()


def test_a_mail_that_was_deleted_since_is_no_sign_of_a_backup(house: House) -> None:
    house.greet()
    house.work()
    (mail,) = house.mails()
    house.office.known["mail"] = replace(house.office.known["ann"], entity="activity", id=mail.activity)
    house.office.delete("mail")

    house.open()
    house.work()

    assert not house.standing().held


def test_the_first_engine_on_a_database_that_no_engine_had_is_not_held(house: House) -> None:
    assert not house.standing().held
    assert house.standing().is_witnessed


def test_a_database_without_the_file_that_was_beside_it_is_held(house: House) -> None:
    house.witness.file.unlink()

    house.open()
    house.work()

    assert "there is no" in house.standing().held


def test_another_database_in_its_place_is_held(house: House, tmp_path: Path) -> None:
    other = House(tmp_path / "other")

    house.put_back(other.backup())
    house.work()

    assert "another one than" in house.standing().held


@pytest.mark.parametrize("written", ["", "{", "[]", '{"installation": "x"}', "\x00"])
def test_a_damaged_file_is_as_one_that_is_missing(house: House, written: str) -> None:
    house.witness.file.write_text(written)

    house.open()
    house.work()

    assert house.standing().held


def test_an_older_backup_than_the_last_restore_is_found_out(house: House) -> None:
    first = house.backup()
    house.greet()
    house.work()
    house.put_back(first)
    house.work()
    house.go_on()
    house.open()
    house.greet()
    house.work()

    house.put_back(first)
    house.work()

    assert house.standing().held == "it is of a time before it was restored last"


def test_an_engine_of_another_folder_believes_what_a_person_said_here(house: House) -> None:
    """Its file is of the incarnation before, and knows of events that are lost."""
    there = Witness(house.folder / "there")
    backup = house.backup()
    house.greet(times=3)
    house.work()
    there.begin(Mark.of(house.standing()))
    there.note([SentMail(99, "<lost@us.example>")])
    house.put_back(backup)
    house.work()
    house.go_on()

    for _ in range(2):
        engine = Membership(house.office.ports.store, EngineProcess("there"), witness=there)
        engine.beat()
        engine.leave()

    assert not house.standing().held
    mark = there.mark()
    assert mark
    assert mark.incarnation == house.standing().identity.incarnation


def test_an_engine_on_a_new_machine_joins_one_that_is_alive(house: House) -> None:
    """It has no file, and the database says that there is one: but somebody works on it."""
    there, store, pace = Witness(house.folder / "there"), house.office.ports.store, Pace(beat=0.2)

    def alive() -> None:
        house.office.ports.engine.beat()

    joining = Membership(store, EngineProcess("there"), pace=pace, witness=there, monotonic=_Counting(alive))
    joining.beat()

    assert not house.standing().held
    assert there.mark() == Mark.of(house.standing())


def test_an_engine_on_a_new_machine_is_not_fooled_by_the_rows_of_dead_ones(house: House) -> None:
    there, store, pace = Witness(house.folder / "there"), house.office.ports.store, Pace(beat=0.2)

    Membership(
        store, EngineProcess("there"), pace=pace, witness=there, monotonic=_Counting(lambda: None)
    ).beat()

    assert house.standing().held


class _Counting:
    """A clock that a tenth of a second goes by at each look, in which something happens."""

    def __init__(self, happens: Callable[[], None]) -> None:
        self.now, self._happens = 0.0, happens

    def __call__(self) -> float:
        self.now += 0.1
        self._happens()
        return self.now


def test_a_running_engine_finds_out_at_its_next_beat(house: House) -> None:
    """PostgreSQL: a database is put back while an engine waits for it."""
    house.greet()
    house.work()
    engine = house.office.ports.engine
    house.witness.keep(replace(Mark.of(house.standing()), event=10**6))

    engine.beat()

    assert house.standing().held


@pytest.mark.parametrize("is_known", [True, False])
def test_a_running_engine_whose_file_is_gone_knows_the_database_if_it_knows_its_engine(
    house: House, is_known: bool
) -> None:
    house.greet()
    house.work()
    house.witness.file.unlink()
    if not is_known:
        house.office.dead(house.office.ports)

    house.office.ports.engine.beat()

    assert bool(house.standing().held) is not is_known


def test_an_engine_that_leaves_notes_how_far_the_database_is(house: House) -> None:
    house.greet()
    house.office.work()

    house.office.ports.engine.leave()

    assert house.witness.mark() == Mark.of(house.standing())


# --- what nobody can do meanwhile


def test_nothing_can_be_claimed_by_any_way_while_it_is_held(house: House) -> None:
    house.greet(LATER)
    house.work()
    house.greet()
    ports = house.office.ports
    with ports.store.unit() as unit:
        unit.journal.hold("a test")
        unit.commit()

    plan = house.office.plans["hello"]
    by_hand = start_by_hand(ports, plan, {"c": house.office.known["ann"]}, actor=ANNA, at_once=True)
    house.office.clock.at += timedelta(hours=2)

    assert by_hand
    assert by_hand.state == "ready"
    assert claim(ports, 10) == claim(ports, 1, alone=True) == []
    assert deliver_due(ports) == 0
    assert house.office.engine().planner.plan(replace(_glance(house), pending=True, orphans=True)) == 0
    assert house.post.mails == []
    with pytest.raises(ConfigurationError, match="may have been put back from a backup, or copied: a test"):
        refuse_if_held(ports)


def _glance(house: House):
    with house.office.ports.store.unit(write=False) as unit:
        return unit.journal.glance(house.office.clock.now())


def test_it_is_said_once_what_to_do(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    house.witness.file.unlink()
    house.open()
    engine = house.office.engine()

    for _ in range(3):
        engine.tick()
        house.office.ports.engine.look()
    house.go_on()
    engine.tick()

    told = [record.getMessage() for record in caplog.records if record.name == "procession.engine"]
    assert len(told) == 2
    assert "procession restored --go-on, or procession restored --drop-due" in told[0]
    assert "held no more" in told[1]


# --- a copy


def test_a_copy_is_an_installation_of_its_own_and_sends_nothing_of_the_other_one(
    house: House, tmp_path: Path
) -> None:
    house.greet()
    house.work()
    house.greet(LATER)
    house.work()
    house.office.post.refuse_next("550 5.7.1 no")
    house.greet()
    house.work()
    house.greet()
    copy = House(tmp_path / "copy")
    copy.put_back(house.backup())
    copy.office.known, copy.office.plans = house.office.known, house.office.plans
    copy.work()

    done = restoring.new_identity(copy.office.ports, copy.witness, ANNA, keep=False)
    copy.open()
    copy.office.work(later=timedelta(hours=2))
    copy.greet()
    copy.work()

    assert (done.mails, done.instances) == (1, 3)
    assert copy.office.states() == ["completed", "cancelled", "cancelled", "cancelled", "completed"]
    assert len(copy.post.mails) == 1
    house.greet()
    house.work()
    mine, other = copy.standing().identity, house.standing().identity
    assert mine.installation != other.installation
    assert mine.incarnation != other.incarnation
    assert not {*copy.ids()} & {*house.ids()}
    assert [instance.id for instance in house.office.instances()] == [1, 2, 3, 4, 5]


def test_a_copy_can_go_on_with_everything(house: House) -> None:
    house.greet()
    house.greet(LATER)

    done = restoring.new_identity(house.office.ports, house.witness, ANNA, keep=True, is_a_copy=True)
    house.open()
    house.work()
    house.office.work(later=timedelta(hours=2))

    assert (done.mails, done.instances, done.events) == (0, 0, 0)
    assert len(house.post.mails) == 2


@pytest.mark.parametrize("keep", [True, False])
def test_the_original_stays_what_it_is_though_somebody_takes_it_for_the_copy(
    house: House, keep: bool
) -> None:
    house.greet(LATER)
    house.work()
    house.greet()
    before = house.standing()

    with pytest.raises(InputError, match="nothing says that this database is a copy of another one"):
        restoring.new_identity(house.office.ports, house.witness, ANNA, keep=keep)

    assert house.standing() == before
    house.work()
    house.office.work(later=timedelta(hours=2))
    assert sorted(mail.text.strip() for mail in house.post.mails) == ["Hello", "Later"]


def test_a_folder_that_was_copied_as_a_whole_is_not_held(house: House, tmp_path: Path) -> None:
    """It looks like one that was moved: what is known of its database lies beside it."""
    house.greet()
    house.work()
    house.office.ports.store.close()

    shutil.copytree(house.folder, tmp_path / "moved")
    house.folder = tmp_path / "moved"
    house.witness = Witness(house.file)
    house.open()
    house.greet()
    house.work()

    assert not house.standing().held
    assert len(house.post.mails) == 2


def test_the_original_that_was_put_back_is_no_copy(house: House) -> None:
    house.greet(LATER)
    house.work()
    backup = house.backup()
    house.greet()
    house.work()
    house.put_back(backup)
    house.work()
    assert house.standing().held

    with pytest.raises(
        InputError, match="nothing says that this database is a copy of another one"
    ) as refused:
        restoring.new_identity(house.office.ports, house.witness, ANNA, keep=False)

    assert "procession restored --go-on" in refused.value.hint
    assert house.standing().held


def test_a_folder_that_was_copied_as_a_whole_is_a_copy_if_a_person_says_so(house: House) -> None:
    house.greet(LATER)
    house.work()
    house.greet()

    done = restoring.new_identity(house.office.ports, house.witness, ANNA, keep=False, is_a_copy=True)

    assert (done.mails, done.instances) == (1, 2)


def test_a_database_that_no_engine_has_worked_on_yet_is_no_copy_either(tmp_path: Path) -> None:
    """What was saved in it would never be told to anybody."""
    office = Office(tmp_path)
    witness = Witness(tmp_path / "office.sqlite")
    engine = Membership(office.ports.store, EngineProcess("here"), witness=witness)
    ports = replace(office.ports, engine=engine)
    before = House.standing_of(office)

    with pytest.raises(InputError, match="nothing says that this database is a copy of another one"):
        restoring.new_identity(ports, witness, ANNA, keep=False)
    assert House.standing_of(office).identity == before.identity

    restoring.new_identity(ports, witness, ANNA, keep=False, is_a_copy=True)
    assert House.standing_of(office).identity.installation != before.identity.installation


# --- what went out and is not known any more


@pytest.mark.parametrize("say", [House.go_on, House.drop_due])
def test_mails_that_the_database_does_not_know_of_are_counted(
    house: House, say: Callable[[House], restoring.Restored]
) -> None:
    """What started them may start again, and nobody but this number says so."""
    backup = busy(house)
    house.put_back(backup)
    house.work()

    done = say(house)

    assert (done.sent, done.unknown) == (2, 8)


def test_mails_that_were_deleted_since_are_not_unknown(house: House) -> None:
    house.greet(times=3)
    house.work()
    deleted = house.mails()[0]
    with house.office.ports.store.unit() as unit:
        unit.records.delete([Ref("activity", deleted.id)], ANNA)
        unit.commit()
    backup = house.backup()
    house.greet()
    house.work()
    house.put_back(backup)
    house.work()

    assert house.go_on().unknown == 1


def test_what_was_told_once_is_not_told_at_the_next_restore(house: House) -> None:
    backup = house.backup()
    house.greet(times=3)
    house.work()
    house.put_back(backup)
    house.work()
    assert house.go_on().unknown == 3
    house.open()
    again = house.backup()
    house.greet()
    house.work()
    house.put_back(again)
    house.work()

    assert house.go_on().unknown == 1


# --- the files


def test_the_files_are_for_their_owner_alone(house: House) -> None:
    house.greet()
    house.work()

    files = [house.witness.file, house.file.with_name("office.sqlite.sent")]
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600, 0o600]
    assert sorted(json.loads(files[0].read_text())) == ["event", "incarnation", "installation"]
    assert [file.name for file in house.folder.iterdir() if ".witness." in file.name] == []


def test_a_file_that_cannot_be_written_keeps_no_mail_from_going_out(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    (house.file.with_name("office.sqlite.sent")).mkdir()

    house.greet(times=3)
    house.work()

    assert len(house.post.mails) == 3
    assert [record.levelname for record in caplog.records if record.name == "procession.witness"] == [
        "WARNING"
    ]


def test_a_first_file_that_cannot_be_written_is_told(house: House) -> None:
    witness = Witness(house.folder / "office.sqlite" / "below a file")

    with pytest.raises(ConfigurationError, match="cannot be written"):
        witness.begin(Mark("a", "b", 1))


def test_the_list_of_mails_is_kept_short(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("procession.witness.SENT_BYTES", 200)
    for number in range(40):
        house.witness.note([SentMail(number, f"<{number}@us.example>")])

    known = house.witness.sent()

    assert f"<{39}@us.example>" in known
    assert 10 < len(known) < 40


def test_a_burst_of_saves_of_before_starts_nothing(house: House) -> None:
    house.office.deploy("""
    process: burst
    inputs: {c: {type: record, of: contact}}
    triggers: [{record: contact, events: [modified], debounce: 2m}]
    steps: [{stop: done}]
    """)
    house.office.change("ann", phone="1")
    house.office.work()
    with house.office.ports.store.unit() as unit:
        forgotten = restoring._forget_events(
            unit, restoring.EVERY, house.office.clock.at, house.office.ports.store.schema
        )
        unit.commit()
    house.office.work(later=timedelta(minutes=5))

    assert (forgotten, house.office.states()) == (1, [])


def test_what_is_forgotten_still_comes_for_who_goes_on_waiting(house: House) -> None:
    plan = house.office.deploy("""
    process: waits
    inputs: {c: {type: record, of: contact}}
    triggers: [{manual: {on: contact}}]
    steps: [{id: changed, wait_for: {record: contact, events: [modified]}}]
    """)
    start_by_hand(house.office.ports, plan, {"c": house.office.known["ann"]}, actor=ANNA)
    house.office.work()
    house.office.change("ann", phone="1")
    with house.office.ports.store.unit() as unit:
        restoring._forget_events(
            unit, restoring.EVERY, house.office.clock.at, house.office.ports.store.schema
        )
        unit.commit()
    house.office.work()

    assert house.office.states() == ["completed"]
