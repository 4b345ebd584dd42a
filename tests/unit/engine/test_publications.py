"""Which version of a process is current, whatever files the engines have."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from textwrap import dedent

import pytest
from engine_world import NOON
from office import ANNA, FUNCTIONS, Office

from crm.schema import SCHEMA
from procession.advance import advance
from procession.compile import Folder, compile_files, compile_text
from procession.definitions import StoredDefinitions
from procession.dispatch import start_by_hand
from procession.engine import PAUSE, Engine
from procession.errors import ShapeProblem, TemporaryError
from procession.mail import Templates
from procession.plan import Plan
from procession.publications import Asked, publish, retire

WELCOME = """\
    process: welcome
    inputs: {c: {type: record, of: contact}}
    triggers: [{record: contact, events: [added]}]
    history: {on: "{{ c }}"}
    steps:
      - log_history: "TEXT"
"""
DOUBLE = """\
    process: double
    triggers: [{record: account, events: [added]}]
    steps:
      - call: {function: double, args: {number: 3}}
"""


def plan(text: str) -> Plan:
    text = dedent(text)
    name = text.splitlines()[0].removeprefix("process: ")
    return compile_text(text, f"{name}.yaml", Templates.of_files({}), SCHEMA, FUNCTIONS)


def folder(*texts: str, broken: Collection[str] = ()) -> Folder:
    problems = {name: (ShapeProblem("a slip"),) for name in broken}
    return Folder({made.process: made for made in map(plan, texts)}, problems)


def welcome(text: str) -> str:
    return WELCOME.replace("TEXT", text)


def hourly(cron: str) -> str:
    return (
        f"process: hourly\ntriggers: [{{schedule: {cron!r}}}]\nmode: parallel\nsteps: [{{set: {{x: 1}}}}]\n"
    )


def told(office: Office, files: Folder, name: str = "here", **asked: bool) -> list[str]:
    done = publish(office.ports.store, files, name, office.clock.now(), Asked(**asked))
    return done.sentences()


def current(office: Office) -> dict[str, int]:
    with office.ports.store.unit(write=False) as unit:
        found = {one.process: one.number for one in unit.journal.publications()}
    return {process: number for process, number in found.items() if number}


def engine(office: Office, host: str, functions: Collection[str] = FUNCTIONS) -> Engine:
    """One on a machine of its own, of a program that knows these functions."""

    def compiled(files: Mapping[str, str]) -> Plan:
        return compile_files(files, SCHEMA, functions)

    ports = office.elsewhere(host)
    return Engine(
        ports, StoredDefinitions(ports.store, compiled), lambda plan, group: advance(plan, group, ports)
    )


def work(*engines: Engine) -> None:
    while any(engine.tick() for engine in engines):
        pass


# --- what a folder publishes


def test_a_file_that_changed_is_the_current_version(office: Office):
    assert told(office, folder(welcome("hello"))) == ["welcome: version 1 is current"]
    assert told(office, folder(welcome("hello"))) == []
    assert told(office, folder(welcome("hello, you"))) == ["welcome: version 2 is current"]

    assert current(office) == {"welcome": 2}


def test_a_folder_with_older_files_changes_nothing_and_says_so(office: Office):
    old, new = folder(welcome("old")), folder(welcome("new"), DOUBLE)
    told(office, old, "old")
    told(office, new, "new")

    for name in ("old", "a container of the older release"):
        assert told(office, old, name) == [
            "welcome: its file is version 1, which was current before; version 2 goes on"
        ]
    assert current(office) == {"welcome": 2, "double": 1}


def test_an_older_file_comes_back_if_somebody_says_so(office: Office):
    old = folder(welcome("old"))
    told(office, old, "old")
    told(office, folder(welcome("new")), "new")

    assert told(office, old, "old", back=True) == ["welcome: version 1 is current"]
    assert told(office, old, "old") == []
    assert told(office, folder(welcome("new")), "new") == [
        "welcome: its file is version 2, which was current before; version 1 goes on"
    ]


def test_a_file_that_is_gone_retires_nothing_unless_somebody_says_so(office: Office):
    told(office, folder(welcome("hello"), DOUBLE))

    assert told(office, folder(DOUBLE)) == ["welcome: its file is gone, version 1 goes on"]
    assert told(office, folder(DOUBLE), "a folder that never had it", prune=True) == []
    assert current(office) == {"welcome": 1, "double": 1}

    assert told(office, folder(DOUBLE), prune=True) == ["welcome: it is retired, since its file is gone"]
    assert told(office, folder(DOUBLE), prune=True) == []
    assert current(office) == {"double": 1}


def test_a_broken_file_is_not_gone_and_stops_no_other(office: Office):
    told(office, folder(welcome("hello")))

    assert told(office, folder(DOUBLE, broken=["welcome", "unheard"]), prune=True) == [
        "double: version 1 is current",
        "unheard: its file cannot be used (1 problem), no version of it is current",
        "welcome: its file cannot be used (1 problem), version 1 goes on",
    ]


def test_looking_says_what_would_change_and_changes_nothing(office: Office):
    told(office, folder(welcome("old"), DOUBLE))
    told(office, folder(welcome("new"), DOUBLE))
    files = folder(welcome("old"), DOUBLE.replace("3", "4"))

    assert told(office, files, dry_run=True) == [
        "double: its file is not published yet, version 1 goes on",
        "welcome: its file is version 1, which was current before; version 2 goes on",
    ]
    assert told(office, folder(welcome("old")), back=True, prune=True, dry_run=True) == [
        "double: its file is gone, version 1 goes on until it is retired",
        "welcome: its file is version 1, version 2 goes on until it is published",
    ]
    assert current(office) == {"welcome": 2, "double": 1}


# --- retired


def test_a_retired_process_starts_nothing_and_its_instances_go_on(office: Office):
    told(office, folder(welcome("hello")))
    office.given("ann", "contact", name="Ann")
    running = engine(office, "host")
    running.definitions.refresh()
    running.planner.plan(running._glance())

    assert retire(office.ports.store, "welcome", "here", NOON)
    office.given("bob", "contact", name="Bob")
    work(running)

    assert office.states() == ["completed"]
    assert [row.text for row in office.history("ann")] == ["hello"]
    assert office.history("bob") == []
    assert not retire(office.ports.store, "welcome", "here", NOON)


def test_a_running_engine_says_in_one_line_what_is_current_from_now_on(
    office: Office, caplog: pytest.LogCaptureFixture
):
    """So that whoever saved a file, and published it or did not, sees whether the engine goes by it."""
    caplog.set_level("INFO", "procession.definitions")
    told(office, folder(welcome("hello")))
    running = engine(office, "host")
    work(running)
    assert caplog.messages == []  # the start says by itself what it serves

    told(office, folder(welcome("hello again")))
    work(running)
    retire(office.ports.store, "welcome", "here", NOON)
    work(running)
    work(running)

    assert caplog.messages == ["current from now on: another version of welcome", "retired: welcome"]
    told(office, folder(welcome("hello once more")))
    work(running)
    assert caplog.messages[2:] == ["current from now on: welcome"]


def test_a_retired_process_comes_back_with_a_changed_file_or_if_somebody_says_so(office: Office):
    told(office, folder(welcome("hello")))
    retire(office.ports.store, "welcome", "here", NOON)

    assert told(office, folder(welcome("hello"))) == [
        "welcome: its file is version 1, which was current before; no version of it is current"
    ]
    assert told(office, folder(welcome("hello")), back=True) == ["welcome: version 1 is current"]
    retire(office.ports.store, "welcome", "here", NOON)
    assert told(office, folder(welcome("hello again"))) == ["welcome: version 2 is current"]


# --- schedules

DIGEST = """\
    process: digest
    triggers: [{id: daily, schedule: "0 12 * * *"}]
    mode: parallel
    steps:
      - set: {text: TEXT}
"""
MINUTE = timedelta(minutes=1)


def digest(text: str = "first", *, at: str = "0 12 * * *", name: str = "daily") -> Folder:
    """The process that has its moment at noon, but for what is named."""
    trigger = f'{{id: {name}, schedule: "{at}"}}'
    return folder(DIGEST.replace('{id: daily, schedule: "0 12 * * *"}', trigger).replace("TEXT", text))


def ran(office: Office) -> list[datetime | None]:
    """The moments that were run."""
    return [one.event_at for one in office.instances()]


@pytest.fixture
def before_noon(office: Office) -> Office:
    office.clock.at = NOON - MINUTE
    return office


def test_a_schedule_that_is_published_after_its_moment_waits_for_the_next(office: Office):
    office.clock.at = NOON + 5 * MINUTE
    running = engine(office, "host")
    work(running)
    told(office, digest())

    work(running, engine(office, "another"))
    assert ran(office) == []

    office.clock.at += timedelta(days=1)
    work(running)
    assert ran(office) == [NOON + timedelta(days=1)]


def test_a_schedule_that_is_published_at_its_very_moment_fires(office: Office):
    office.clock.at = NOON
    told(office, digest())

    work(engine(office, "host"))

    assert ran(office) == [NOON]


@pytest.mark.parametrize("changed", [{"at": "55 11 * * *"}, {"name": "noon"}], ids=["moved", "renamed"])
def test_a_schedule_that_is_changed_does_not_fire_for_moments_before(
    before_noon: Office, changed: dict[str, str]
):
    office, running = before_noon, engine(before_noon, "host")
    told(office, digest())
    work(running)
    office.clock.at = NOON + 2 * MINUTE
    work(running)

    told(office, digest(**changed))
    work(running)
    office.dead(running.ports)
    work(engine(office, "another"))

    assert ran(office) == [NOON]


@pytest.mark.parametrize("is_down", [True, False])
@pytest.mark.parametrize("versions", [1, 3])
def test_a_new_version_with_the_same_schedule_loses_no_moment_that_fell_due_just_before(
    before_noon: Office, is_down: bool, versions: int
):
    office, running = before_noon, engine(before_noon, "host")
    told(office, digest())
    if not is_down:
        work(running)
    office.clock.at = NOON
    for number in range(versions):
        office.clock.at += MINUTE
        told(office, digest(f"version {number}"))

    work(running)
    work(engine(office, "another"))

    assert ran(office) == [NOON]


def test_a_new_version_with_the_same_schedule_fires_no_moment_twice(before_noon: Office):
    office, running = before_noon, engine(before_noon, "host")
    told(office, digest())
    office.clock.at = NOON
    work(running)

    office.clock.at += MINUTE
    told(office, digest("second"))
    work(running)
    told(office, digest(), "there", back=True)
    work(running)

    assert ran(office) == [NOON]


def test_a_schedule_does_not_fire_for_moments_at_which_its_process_was_retired(before_noon: Office):
    office, running = before_noon, engine(before_noon, "host")
    told(office, digest())
    work(running)
    retire(office.ports.store, "digest", "here", office.clock.now())
    office.clock.at = NOON + MINUTE
    told(office, digest(), back=True)

    work(running)
    office.clock.at += MINUTE
    told(office, digest("second"))
    work(running)

    assert ran(office) == []


def test_an_engine_that_was_down_makes_up_for_moments_since_the_publication(office: Office):
    office.clock.at = NOON - 3 * MINUTE
    told(office, digest(at="* * * * *"))
    office.clock.at = NOON

    work(engine(office, "host"))

    assert ran(office) == [NOON]  # the latest


def test_a_restart_with_older_files_does_not_change_since_when_a_schedule_counts(before_noon: Office):
    office, running = before_noon, engine(before_noon, "host")
    told(office, digest(), "old")
    work(running)
    office.clock.at = NOON + MINUTE
    told(office, digest(at="55 11 * * *"), "new")
    told(office, digest(), "old")
    work(running)
    assert ran(office) == []

    told(office, digest(), "old", back=True)
    work(running)
    assert ran(office) == []


def test_a_schedule_fires_though_the_clock_was_wrong_when_it_was_published(office: Office):
    office.clock.at = NOON + timedelta(days=365)
    told(office, digest())
    office.clock.at = NOON - MINUTE
    running = engine(office, "host")
    work(running)

    office.clock.at = NOON
    work(running)

    assert ran(office) == [NOON]


# --- several engines


def test_whichever_engine_takes_an_event_it_starts_what_the_newest_files_say(office: Office):
    """An engine whose files lack the process looks first."""
    told(office, folder(DOUBLE), "old")
    old = engine(office, "old")
    work(old)
    told(office, folder(DOUBLE, welcome("hello")), "new")

    office.given("ann", "contact", name="Ann")
    work(old, engine(office, "new"))

    assert [row.text for row in office.history("ann")] == ["hello"]


def test_what_is_published_while_the_planner_looks_starts_the_events_after_it(office: Office):
    told(office, folder(DOUBLE))
    planner = engine(office, "planner")
    work(planner)
    office.given("acme", "account", name="Acme")
    glance = planner._glance()
    told(office, folder(DOUBLE, welcome("hello")))
    office.given("ann", "contact", name="Ann")

    with pytest.raises(TemporaryError, match=r"^Another engine plans now, or a process changed\.$"):
        planner.planner.plan(glance)
    work(planner)

    assert [row.text for row in office.history("ann")] == ["hello"]
    assert office.states() == ["completed", "completed"]


def test_what_is_published_before_an_engine_becomes_the_planner_is_read_first(office: Office):
    standing_by = engine(office, "standing by")
    office.given("acme", "account", name="Acme")
    glance = standing_by._glance()
    told(office, folder(welcome("hello")))
    office.given("ann", "contact", name="Ann")

    standing_by.planner.plan(glance)
    work(standing_by)

    assert [row.text for row in office.history("ann")] == ["hello"]


def test_engines_with_different_files_restarted_in_turn_start_each_event_once(office: Office):
    files = {"old": folder(welcome("old")), "new": folder(welcome("new"), DOUBLE)}
    seen = []
    running = {}
    for round_ in range(10):
        host = ("old", "new")[round_ % 2]
        if host in running:
            office.dead(running[host].ports)
        told(office, files[host], host)
        running[host] = engine(office, f"{host} {round_}")

        name = f"contact {round_}"
        office.given(name, "contact", name=name)
        office.given(f"account {round_}", "account", name="Acme")
        work(*running.values())

        seen.append(current(office))
        assert [row.text for row in office.history(name)] == ["new" if round_ else "old"]

    assert seen == [{"welcome": 1}] + [{"welcome": 2, "double": 1}] * 9
    assert sum(one.process == "double" for one in office.instances()) == 9
    assert set(office.states()) == {"completed"}


@pytest.mark.parametrize("published_while_it_plans", [True, False])
def test_an_engine_that_cannot_run_a_current_version_leaves_the_planning_to_others(
    office: Office, published_while_it_plans: bool, caplog: pytest.LogCaptureFixture
):
    told(office, folder(welcome("hello")))
    old, new = engine(office, "old", functions=()), engine(office, "new")
    if published_while_it_plans:
        work(old)
    told(office, folder(DOUBLE))

    office.given("acme", "account", name="Acme")
    office.given("ann", "contact", name="Ann")
    work(old)
    assert office.states() == []
    work(new)
    work(old)

    assert office.states() == ["completed", "completed"]
    assert "this engine does not plan, since it cannot run double" in caplog.text
    assert "version 1 of double cannot be run here: double.yaml:4:22: " in caplog.text
    assert list(old.definitions.unusable) == ["double"]


def test_an_engine_that_cannot_run_a_version_works_on_what_it_can(office: Office):
    told(office, folder(welcome("hello"), DOUBLE))
    old, new = engine(office, "old", functions=()), engine(office, "new")
    for number in range(3):
        office.given(f"account {number}", "account", name="Acme")
    office.given("ann", "contact", name="Ann")
    new.definitions.refresh()
    new.planner.plan(new._glance())

    work(old)

    assert sorted(office.states()) == ["completed", "ready", "ready", "ready"]
    work(new)
    assert set(office.states()) == {"completed"}


def test_a_running_engine_goes_by_the_schedule_that_was_published_last(office: Office):
    told(office, folder(hourly("30 * * * *")))
    running = engine(office, "running")
    work(running)

    told(office, folder(hourly("45 * * * *")))
    for _ in range(60):
        office.clock.at += timedelta(minutes=1)
        work(running)

    assert [one.event_at - NOON for one in office.instances()] == [timedelta(minutes=45)]


def test_a_running_engine_leaves_the_schedule_of_a_process_that_was_retired(office: Office):
    told(office, folder(hourly("30 * * * *")))
    running = engine(office, "running")
    work(running)

    retire(office.ports.store, "hourly", "here", NOON)
    office.clock.at += timedelta(hours=1)
    work(running)

    assert office.instances() == []


def test_what_waits_for_a_version_that_is_missing_goes_on_when_it_is_published(office: Office):
    told(office, folder(welcome("hello")))
    running = engine(office, "running")
    missing = folder(hourly("30 * * * *"))
    start_by_hand(office.ports, missing.plans["hourly"], {}, actor=ANNA)
    work(running)
    assert office.states() == ["ready"]

    told(office, missing)
    office.clock.at += PAUSE
    work(running)

    assert office.states() == ["completed"]


def test_an_older_version_is_read_once_however_often_its_instances_are_claimed(office: Office):
    read: list[str] = []

    def compiled(files: Mapping[str, str]) -> Plan:
        read.extend(files.values())
        return compile_files(files, SCHEMA, FUNCTIONS)

    old = plan("process: p\ntriggers: [{manual: {}}]\nsteps: [{set: {x: 1}}]\n")
    new = plan("process: p\ntriggers: [{manual: {}}]\nsteps: [{set: {x: 2}}]\n")
    for version in (old, new):
        publish(office.ports.store, Folder({"p": version}, {}), "here", NOON)
    ports = office.ports
    one = Engine(
        ports, StoredDefinitions(ports.store, compiled), lambda plan, group: advance(plan, group, ports)
    )

    for _ in range(5):
        for version in (old, old, new):
            start_by_hand(ports, version, {}, actor=ANNA)
        work(one)

    assert office.states() == ["completed"] * 15
    assert len(read) == 2
