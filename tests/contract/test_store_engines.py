"""What `procession.ports.Journal` promises of engines and of the one that plans, and which database it is, on every store."""

from store_world import EVENT, NOW, bury, do, new_engine

from procession.ports import EngineProcess, EngineRow, Store


def test_an_engine_is_told_as_it_registered(store: Store) -> None:
    here = EngineProcess("here", boot="b1", pid_namespace="pid:[4026531836]", pid=2**22, began=2**40)
    first, second = do(store, "register", here), do(store, "register", EngineProcess("there"))

    assert do(store, "engines") == [EngineRow(first, here, 0), EngineRow(second, EngineProcess("there"), 0)]


def test_the_number_of_an_engine_is_never_used_again(store: Store) -> None:
    numbers = []
    for _ in range(3):
        numbers.append(new_engine(store))
        bury(store, numbers[-1])

    assert numbers == sorted(set(numbers))
    assert do(store, "engines") == []


def test_a_beat_is_raised_and_shows(store: Store) -> None:
    engine, other = new_engine(store), new_engine(store)

    assert [do(store, "beat", engine) for _ in range(3)] == [True] * 3

    assert {row.id: row.beat for row in do(store, "engines")} == {engine: 3, other: 0}


def test_one_that_was_taken_for_dead_learns_it_at_its_next_beat(store: Store) -> None:
    engine = new_engine(store)
    bury(store, engine)

    assert do(store, "beat", engine) is False
    assert do(store, "engines") == []


def test_one_whose_beat_was_raised_meanwhile_is_not_buried(store: Store) -> None:
    dead, alive = new_engine(store), new_engine(store)
    do(store, "beat", alive)

    assert do(store, "bury", {dead: 0, alive: 0, 999: 0}) == {dead}
    assert [row.id for row in do(store, "engines")] == [alive]
    assert do(store, "bury", {alive: 1}) == {alive}
    assert do(store, "bury", {}) == set()


# --- the planner


def test_a_version_that_becomes_current_ends_the_epoch_though_nobody_plans_yet(store: Store) -> None:
    do(store, "make_current", "notify", "d1", "here", NOW)
    before = do(store, "glance", NOW)

    epoch = do(store, "lead", new_engine(store))

    assert (before.planner, before.epoch) == (0, 1)
    assert epoch == 2


def test_the_first_one_that_asks_plans(store: Store) -> None:
    first, second = new_engine(store), new_engine(store)
    assert do(store, "glance", NOW).planner == 0

    epoch = do(store, "lead", first)

    assert epoch > 0
    assert do(store, "lead", second) is None
    assert do(store, "leads", first, epoch) is True
    assert do(store, "leads", second, epoch) is False
    glance = do(store, "glance", NOW)
    assert (glance.planner, glance.epoch) == (first, epoch)


def test_one_that_was_taken_for_dead_does_not_plan_whoever_else_does_not(store: Store) -> None:
    engine = new_engine(store)
    epoch = do(store, "lead", engine)
    bury(store, engine)

    assert do(store, "lead", engine) is None
    assert do(store, "lead", 999) is None
    assert do(store, "glance", NOW).planner == 0
    assert do(store, "lead", new_engine(store)) > epoch


def test_another_one_plans_when_the_planner_is_dead_in_an_epoch_of_its_own(store: Store) -> None:
    first, second = new_engine(store), new_engine(store)
    epoch = do(store, "lead", first)
    bury(store, first)
    assert do(store, "glance", NOW).planner == 0

    later = do(store, "lead", second)

    assert later > epoch
    assert do(store, "leads", first, epoch) is False
    assert do(store, "leads", first, later) is False
    assert do(store, "leads", second, later) is True


def test_an_epoch_is_never_given_again_not_even_to_the_same_engine(store: Store) -> None:
    engine = new_engine(store)

    epochs = [do(store, "lead", engine) for _ in range(3)]

    assert epochs == sorted(set(epochs))
    assert [do(store, "leads", engine, epoch) for epoch in epochs] == [False, False, True]


def test_a_unit_of_the_old_planner_learns_that_it_is_superseded_and_writes_nothing(store: Store) -> None:
    old, new = new_engine(store), new_engine(store)
    epoch = do(store, "lead", old)
    bury(store, old)
    do(store, "lead", new)

    with store.unit() as unit:
        unit.journal.append([EVENT])
        if unit.journal.leads(old, epoch):
            unit.commit()

    assert do(store, "pending", 10) == []


def test_who_takes_over_in_a_unit_that_is_rolled_back_does_not_plan(store: Store) -> None:
    first, second = new_engine(store), new_engine(store)
    with store.unit() as unit:
        unit.journal.lead(first)

    assert do(store, "glance", NOW).planner == 0
    assert do(store, "lead", second) is not None


# --- which database


def test_a_database_keeps_its_identity(store: Store) -> None:
    assert store.identity == store.identity
    assert store.identity.installation
    assert store.identity.incarnation
    assert store.identity.installation != store.identity.incarnation
