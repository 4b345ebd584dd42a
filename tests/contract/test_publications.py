"""The log of publications and what depends on it, whatever the store."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from procession.ports import Definition, End, EngineProcess, Publication, Start, Store

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)


def do(store: Store, call: str, *args: Any, **named: Any) -> Any:
    """One call on the journal in a unit of its own."""
    with store.unit() as unit:
        answer = getattr(unit.journal, call)(*args, **named)
        unit.commit()
    return answer


def publish(store: Store, process: str, digest: str, folder: str = "here", at: datetime = NOW) -> None:
    do(store, "publish", Definition(process, digest, files={f"{process}.yaml": digest}))
    do(store, "make_current", process, digest, folder, at)


def test_the_last_line_of_a_process_says_which_version_is_current(store: Store) -> None:
    before = do(store, "glance", NOW).publication
    publish(store, "notify", "d1")
    publish(store, "other", "d1")
    publish(store, "notify", "d2", "there", LATER)
    do(store, "make_current", "other", "", "here", LATER)

    assert do(store, "current") == {"notify": "d2"}
    assert do(store, "publications") == [
        Publication("notify", "d1", 1, "here", NOW), Publication("other", "d1", 1, "here", NOW),
        Publication("notify", "d2", 2, "there", LATER), Publication("other", "", 0, "here", LATER),
    ]  # fmt: skip
    assert do(store, "glance", NOW).publication > before


def test_who_publishes_is_alone_until_it_is_done(store: Store) -> None:
    seen: list[list[Publication]] = []
    begun = threading.Event()

    def second() -> None:
        begun.set()
        with store.unit() as unit:
            seen.append(unit.journal.publications(alone=True))

    with store.unit() as unit:
        assert unit.journal.publications(alone=True) == []
        waiting = threading.Thread(target=second)
        waiting.start()
        begun.wait(5)
        unit.journal.make_current("notify", "d1", "here", NOW)
        unit.commit()
    waiting.join(20)

    assert [[one.digest for one in log] for log in seen] == [["d1"]]


def test_a_publication_ends_the_epoch_of_the_planner(store: Store) -> None:
    engine = do(store, "register", EngineProcess("host"))
    epoch = do(store, "lead", engine)

    publish(store, "notify", "d1")

    assert not do(store, "leads", engine, epoch)
    glance = do(store, "glance", NOW)
    assert glance.planner == engine
    assert do(store, "leads", engine, glance.epoch)


def test_those_who_only_look_do_not_wait_for_who_publishes(store: Store) -> None:
    publish(store, "notify", "d1")

    with store.unit() as unit:
        unit.journal.publications(alone=True)
        unit.journal.make_current("notify", "", "here", NOW)
        with store.unit(write=False) as other:
            assert other.journal.current() == {"notify": "d1"}


def test_instances_that_are_not_over_are_counted_for_each_process(store: Store) -> None:
    starts = [
        Start(process, "d1", process, str(number), "parallel", {}, {})
        for number, process in enumerate(["notify"] * 5 + ["other"] * 2)
    ]
    numbers = do(store, "start", starts, NOW)
    with store.unit() as unit:
        engine = unit.journal.register(EngineProcess("host"))
        claimed = unit.journal.claim(engine, NOW, 10, [numbers[0], numbers[1], numbers[5], numbers[6]])
        unit.journal.fence({one.id: one.fencing_token for one in claimed})
        ends = [(numbers[1], "incident"), (numbers[5], "completed"), (numbers[6], "failed")]
        unit.journal.end([End(number, state) for number, state in ends], NOW)
        unit.commit()

    assert do(store, "live") == {"notify": 5}


def test_a_planner_that_steps_down_makes_room_for_another(store: Store) -> None:
    first, second = (do(store, "register", EngineProcess(host)) for host in ("a", "b"))
    epoch = do(store, "lead", first)
    do(store, "step_down", second)
    assert do(store, "lead", second) is None

    do(store, "step_down", first)

    assert not do(store, "leads", first, epoch)
    assert do(store, "glance", NOW).planner == 0
    assert do(store, "lead", second) == epoch + 1
