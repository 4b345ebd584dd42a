"""What `procession.ports.Journal` promises of instances in an engine's hands, on every store."""

from dataclasses import replace
from typing import Any

import pytest
from store_world import (
    LATER,
    NOW,
    START,
    bury,
    claim,
    die,
    do,
    end,
    fence,
    instance,
    mail_of_step,
    mail_state,
    new_engine,
    queue,
    release,
    running,
    save,
    start,
    started,
    states,
    tokens,
)

from procession.ports import Checkpoint, End, Instance, Released, Store

RESTART = replace(START, mode="restart")


# --- claim


def test_ready_instances_are_claimed_oldest_first(store: Store) -> None:
    me = new_engine(store)
    numbers = [started(store, replace(START, key=str(key))) for key in range(3)]

    claimed = do(store, "claim", me, NOW, 2)

    assert [one.id for one in claimed] == numbers[:2]
    assert {one.state for one in claimed} == {"running"}


def test_each_claim_raises_the_fencing_token(store: Store) -> None:
    me = new_engine(store)
    number = started(store)

    seen = []
    for _ in range(3):
        (claimed,) = claim(store, me)
        seen.append(claimed.fencing_token)
        do(store, "give_back", tokens(claimed))

    assert seen == [1, 2, 3]
    assert instance(store, number).fencing_token == 3


def test_one_that_was_taken_for_dead_claims_nothing(store: Store) -> None:
    """It would be taken from it at once, and a death counted."""
    engine, number = new_engine(store), started(store)
    bury(store, engine)

    assert claim(store, engine) == claim(store, engine, number) == claim(store, 999) == []
    assert [one.id for one in claim(store, new_engine(store))] == [number]


def test_what_waits_or_runs_is_not_claimed(store: Store) -> None:
    first, other = running(store), new_engine(store)
    assert do(store, "glance", NOW).ready is False
    assert claim(store, other) == []

    end(store, first, "waiting")

    assert do(store, "glance", NOW).due is do(store, "glance", LATER).ready is False
    assert claim(store, other) == []
    assert do(store, "glance", LATER).due is True
    do(store, "wake_due", LATER, 1)
    assert do(store, "glance", LATER).ready is True
    assert len(claim(store, other, now=LATER)) == 1


def test_only_those_asked_for_are_claimed(store: Store) -> None:
    numbers = [started(store, replace(START, key=str(key))) for key in range(3)]

    claimed = claim(store, new_engine(store), *numbers[1:], 999)

    assert [one.id for one in claimed] == numbers[1:]


@pytest.mark.parametrize("by_number", [False, True])
def test_versions_that_an_engine_cannot_run_are_left_to_others(store: Store, by_number: bool) -> None:
    old, new = started(store), started(store, replace(START, key="18", digest="d2"))
    ids = (old, new) if by_number else ()

    mine = claim(store, new_engine(store), *ids, not_of={"d2", "d3"})

    assert [one.id for one in mine] == [old]
    assert [one.id for one in claim(store, new_engine(store), *ids)] == [new]


# --- fence


def test_the_fence_lets_through_what_runs_under_that_token(store: Store) -> None:
    first, second = running(store), running(store, replace(START, key="18"))

    assert fence(store, first, second) == {first.id, second.id}
    assert do(store, "fence", {first.id: 2, second.id: 0, 999: 1}) == set()
    assert do(store, "fence", {}) == set()


def test_one_that_was_claimed_again_is_fenced_off_whoever_claimed_it(store: Store) -> None:
    """Two threads of one engine, too: it slept so long that it was buried, and its second thread claimed what the
    first still works on."""
    engine = new_engine(store)
    before = running(store, engine=engine)
    do(store, "give_back", tokens(before))
    (after,) = claim(store, engine)

    assert after.fencing_token > before.fencing_token
    assert fence(store, before) == set()
    assert fence(store, after) == {after.id}


def test_the_fence_asks_for_the_token_and_not_who_has_it(store: Store) -> None:
    """An engine that was taken for dead goes on as another one with what nobody has taken yet."""
    before = running(store)
    bury(store, 1)

    assert fence(store, before) == {before.id}
    release(store)
    assert fence(store, before) == set()


def test_the_fence_ends_one_that_was_asked_to_stop_with_its_mails_and_position(store: Store) -> None:
    one = running(store)
    save(store, one, {"at": "invite"}, big=[1])
    (mail,) = queue(store, mail_of_step(one.id))
    do(store, "ask_to_stop", [one.id], "by anna", NOW)
    assert mail_state(store, mail.id) == "queued"

    assert fence(store, one) == set()

    found = instance(store, one.id)
    assert (found.state, found.result, found.ended_at) == ("cancelled", "by anna", NOW)
    assert mail_state(store, mail.id) == "cancelled"
    assert do(store, "positions", [one.id]) == {}
    assert start(store, START) != [None]


def test_one_that_was_stopped_under_a_token_is_told(store: Store) -> None:
    """So that whoever had it in hand may still say what became of its last mail."""
    stopped, moving, over, other = (running(store, replace(START, key=str(key))) for key in range(4))
    do(store, "ask_to_stop", [stopped.id], "by anna", NOW)
    assert do(store, "stopped", tokens(stopped, moving)) == set()
    end(store, over, "completed")
    do(store, "give_back", tokens(other))
    do(store, "ask_to_stop", [other.id], "by anna", NOW)

    fence(store, stopped, moving)

    assert do(store, "stopped", {**tokens(stopped, moving, over, other), 999: 1}) == {stopped.id, other.id}
    assert do(store, "stopped", {stopped.id: 2}) == set()


def test_one_that_was_stopped_under_a_later_token_is_no_matter_of_those_who_had_it_before(
    store: Store,
) -> None:
    before = running(store)
    do(store, "give_back", tokens(before))
    (after,) = claim(store, new_engine(store))
    do(store, "ask_to_stop", [after.id], "by anna", NOW)
    fence(store, after)

    assert do(store, "stopped", tokens(before)) == set()
    assert do(store, "stopped", tokens(after)) == {after.id}


# --- give back


def test_what_is_given_back_is_ready_as_it_was(store: Store) -> None:
    one, other = running(store), new_engine(store)
    save(store, one, {"at": "invite"})

    assert do(store, "give_back", {**tokens(one), 999: 1}) == 1

    assert instance(store, one.id) == replace(one, state="ready")
    assert do(store, "positions", [one.id]) == {one.id: Checkpoint(one.id, {"at": "invite"})}
    assert [again.id for again in claim(store, other)] == [one.id]


def test_what_somebody_else_has_meanwhile_is_not_given_back(store: Store) -> None:
    before = running(store)
    do(store, "give_back", tokens(before))
    (after,) = claim(store, new_engine(store))

    assert do(store, "give_back", tokens(before)) == 0
    assert fence(store, after) == {after.id}


def test_one_that_was_asked_to_stop_ends_when_it_is_given_back(store: Store) -> None:
    one = running(store)
    do(store, "ask_to_stop", [one.id], "by anna", NOW)

    assert do(store, "give_back", tokens(one)) == 0
    assert states(store) == {one.id: "cancelled"}


# --- release


def test_what_the_dead_left_running_is_ready_again_and_they_are_fenced_off(store: Store) -> None:
    lost, kept = running(store), running(store, replace(START, key="18"))
    assert release(store) == Released()
    assert do(store, "glance", NOW).orphans is False

    bury(store, 1)
    assert do(store, "glance", NOW).orphans is True
    assert release(store) == Released(ready=(lost.id,))

    assert do(store, "glance", NOW).orphans is False
    assert states(store) == {lost.id: "ready", kept.id: "running"}
    assert fence(store, lost, kept) == {kept.id}


def test_one_that_was_asked_to_stop_and_whose_engine_died_is_cancelled_not_taken_over(store: Store) -> None:
    one = running(store)
    (mail,) = queue(store, mail_of_step(one.id))
    do(store, "ask_to_stop", [one.id], "by anna", NOW)

    assert die(store, 1) == Released()

    found = instance(store, one.id)
    assert (found.state, found.result, found.ended_at) == ("cancelled", "by anna", NOW)
    assert mail_state(store, mail.id) == "cancelled"


def test_one_that_was_asked_to_stop_is_cancelled_without_an_error_though_engines_died_with_it(
    store: Store,
) -> None:
    number = started(store)
    die_with(store, number, times=2)
    engine = new_engine(store)
    claim(store, engine, alone=True)
    do(store, "ask_to_stop", [number], "by anna", NOW)

    assert die(store, engine) == Released()

    found = instance(store, number)
    assert (found.state, found.result, found.error) == ("cancelled", "by anna", None)


# --- deaths


def die_with(store: Store, number: int, times: int = 1, **named: Any) -> Instance:
    """Engines die with this instance, one after the other."""
    for _ in range(times):
        engine = new_engine(store)
        assert [one.id for one in claim(store, engine, number, **named)] == [number]
        die(store, engine)
    return instance(store, number)


def test_a_death_is_counted_and_one_alone_changes_nothing(store: Store) -> None:
    number = started(store)

    assert die_with(store, number).deaths == 1

    glance = do(store, "glance", NOW)
    assert (glance.ready, glance.suspect) == (True, False)
    assert [one.deaths for one in claim(store, new_engine(store))] == [1]


def test_one_that_two_engines_died_with_runs_alone(store: Store) -> None:
    suspect, innocent = started(store), started(store, replace(START, key="18"))
    die_with(store, suspect, times=2)

    assert do(store, "glance", NOW).suspect is True
    assert [one.id for one in claim(store, new_engine(store))] == [innocent]
    assert claim(store, new_engine(store), suspect) == []
    assert [one.id for one in claim(store, new_engine(store), alone=True)] == [suspect]
    assert do(store, "glance", NOW).suspect is False


def test_only_one_at_a_time_runs_alone_and_none_of_the_others(store: Store) -> None:
    first, second = started(store), started(store, replace(START, key="18"))
    started(store, replace(START, key="19"))
    for number in (first, second):
        die_with(store, number, times=2)

    assert [one.id for one in do(store, "claim", new_engine(store), NOW, 100, alone=True)] == [first]
    assert [one.id for one in claim(store, new_engine(store), second, alone=True)] == [second]
    assert claim(store, new_engine(store), alone=True) == []


def test_a_suspect_is_left_to_an_engine_that_can_run_it(store: Store) -> None:
    number = started(store)
    die_with(store, number, times=2)

    assert claim(store, new_engine(store), alone=True, not_of={"d1"}) == []
    assert claim(store, new_engine(store), number, alone=True, not_of={"d1"}) == []
    assert len(claim(store, new_engine(store), number, alone=True)) == 1


def test_one_that_an_engine_died_with_while_it_ran_alone_is_held_and_says_so(store: Store) -> None:
    number = started(store)
    die_with(store, number, times=2)
    engine = new_engine(store)
    claim(store, engine, alone=True)
    bury(store, engine)

    assert release(store) == Released(held=(number,))

    found = instance(store, number)
    assert (found.state, found.deaths) == ("incident", 3)
    assert found.error is not None
    assert "the last one while it ran nothing else" in found.error["message"]
    assert found.error["class"] == "permanent"
    assert start(store, START) == [None]
    assert do(store, "glance", NOW).suspect is False


def test_a_batch_that_engines_die_with_is_not_held(store: Store) -> None:
    numbers = {started(store, replace(START, key=str(key))) for key in range(5)}

    for _ in range(2):
        engine = new_engine(store)
        assert {one.id for one in claim(store, engine)} == numbers
        bury(store, engine)
        assert release(store).held == ()

    assert set(states(store).values()) == {"ready"}


def test_what_is_given_back_was_no_death(store: Store) -> None:
    number = started(store)
    die_with(store, number)

    (claimed,) = claim(store, new_engine(store))
    do(store, "give_back", tokens(claimed))

    assert instance(store, number).deaths == 1


def test_deaths_are_forgotten_when_it_gets_a_step_further(store: Store) -> None:
    number = started(store)
    die_with(store, number)

    (claimed,) = claim(store, new_engine(store))
    save(store, claimed, {"at": "invite"})
    assert instance(store, number).deaths == 0

    do(store, "give_back", tokens(claimed))
    assert die_with(store, number).deaths == 1
    assert do(store, "glance", NOW).suspect is False


def test_one_that_got_further_alone_runs_with_the_others_again(store: Store) -> None:
    number = started(store)
    die_with(store, number, times=2)
    (claimed,) = claim(store, new_engine(store), alone=True)
    save(store, claimed, {"at": "invite"})
    do(store, "give_back", tokens(claimed))

    assert die_with(store, number).state == "ready"


def test_one_that_is_resumed_starts_with_no_deaths(store: Store) -> None:
    number = started(store)
    die_with(store, number, times=2)
    die_with(store, number, alone=True)

    assert do(store, "resume", number, NOW) is True

    found = instance(store, number)
    assert (found.state, found.deaths, found.error) == ("ready", 0, None)
    assert [one.id for one in claim(store, new_engine(store))] == [number]


# --- end


@pytest.mark.parametrize("state", ["completed", "stopped", "failed", "cancelled"])
def test_an_instance_that_is_over_has_an_end_and_is_in_nobody_s_hands(store: Store, state: Any) -> None:
    one = running(store)
    error = {"message": "no"}

    end(store, one, state, result="won", error=error, now=LATER)

    found = instance(store, one.id)
    assert (found.state, found.result, found.error, found.ended_at) == (state, "won", error, LATER)
    assert fence(store, one) == set()
    assert die(store, 1) == Released()


def test_one_that_tries_again_later_waits_and_keeps_its_error(store: Store) -> None:
    one = running(store)

    end(store, one, "waiting", error={"message": "later"})

    found = instance(store, one.id)
    assert (found.state, found.ended_at) == ("waiting", None)
    assert found.error == {"message": "later"}
    assert die(store, 1) == Released()


def test_many_end_at_once_each_in_its_own_way(store: Store) -> None:
    many = [running(store, replace(START, key=str(key))) for key in range(5)]
    ends = [
        End(many[0].id, "completed", result="a"),
        End(many[1].id, "completed", result="b"),
        End(many[2].id, "incident", error={"message": "no"}),
        End(many[3].id, "waiting"),
    ]

    with store.unit() as unit:
        unit.journal.fence(tokens(*many))
        unit.journal.end(ends, NOW)
        unit.commit()

    found = [instance(store, one.id) for one in many]
    assert [one.state for one in found] == ["completed", "completed", "incident", "waiting", "running"]
    assert [one.result for one in found] == ["a", "b", "", "", ""]
    assert do(store, "end", [], NOW) is None


def test_one_that_was_asked_to_stop_ends_cancelled(store: Store) -> None:
    one = running(store)
    do(store, "ask_to_stop", [one.id], "by anna", NOW)

    assert end(store, one, "completed", result="won", now=LATER) == set()

    found = instance(store, one.id)
    assert (found.state, found.result, found.ended_at) == ("cancelled", "by anna", NOW)
    assert start(store, START) != [None]


# --- stop and resume


def test_ready_instances_and_incidents_stop_at_once_and_running_ones_before_their_next_step(
    store: Store,
) -> None:
    ready = started(store)
    incident, moving, over = (running(store, replace(START, key=str(key))) for key in range(3))
    save(store, incident, {"at": "invite"})
    (mail,) = queue(store, mail_of_step(incident.id))
    end(store, incident, "incident")
    end(store, over, "completed")

    numbers = [ready, incident.id, moving.id, over.id, 999]
    assert do(store, "ask_to_stop", numbers, "by anna", LATER) == 3

    assert states(store) == {
        ready: "cancelled", incident.id: "cancelled", moving.id: "running", over.id: "completed",
    }  # fmt: skip
    found = instance(store, ready)
    assert (found.result, found.ended_at) == ("by anna", LATER)
    assert mail_state(store, mail.id) == "cancelled"
    assert do(store, "positions", [incident.id]) == {}
    assert fence(store, moving) == set()
    assert states(store)[moving.id] == "cancelled"


def test_an_incident_can_be_resumed(store: Store) -> None:
    one = running(store)
    end(store, one, "incident", error={"message": "no"})

    assert do(store, "resume", one.id, LATER) is True

    found = instance(store, one.id)
    assert (found.state, found.error) == ("ready", None)
    assert do(store, "resume", one.id, LATER) is False
    assert do(store, "resume", 999, LATER) is False


# --- positions


def test_a_position_comes_back_with_what_is_kept_beside_it(store: Store) -> None:
    one, other = running(store), running(store, replace(START, key="18"))
    position = {"z": [1, {"ü": None}], "a": {"$date": "2026-01-01"}}

    save(store, one, position, **{"outputs.find": [1, 2], "items.3": "text", "count": 0})

    (found,) = do(store, "positions", [one.id, other.id, 999]).values()
    assert found == Checkpoint(one.id, position, {"outputs.find": [1, 2], "items.3": "text", "count": 0})
    assert list(found.position) == ["z", "a"]


def test_a_later_position_replaces_the_one_before_and_names_what_changed_beside_it(store: Store) -> None:
    one = running(store)
    save(store, one, {"at": "find"}, first=[1], second=[2], third=[3])

    save(store, one, {"at": "invite"}, second=[4], third=None, fourth=[5], never=None)

    assert do(store, "positions", [one.id]) == {
        one.id: Checkpoint(one.id, {"at": "invite"}, {"first": [1], "second": [4], "fourth": [5]})
    }


def test_positions_of_many_are_saved_at_once(store: Store) -> None:
    many = [running(store, replace(START, key=str(key))) for key in range(5)]
    checkpoints = [Checkpoint(one.id, {"n": one.id}, {"v": one.id}) for one in many]

    with store.unit() as unit:
        unit.journal.fence(tokens(*many))
        unit.journal.save_positions(checkpoints[::-1])
        unit.journal.save_positions([])
        unit.commit()

    assert do(store, "positions", [one.id for one in many]) == {one.instance: one for one in checkpoints}


def test_a_position_is_forgotten_with_what_is_kept_beside_it(store: Store) -> None:
    one, other = running(store), running(store, replace(START, key="18"))
    for each in (one, other):
        save(store, each, {"at": "find"}, kept=[1])

    do(store, "forget_positions", [one.id, 999])

    assert list(do(store, "positions", [one.id, other.id])) == [other.id]
    save(store, one, {"at": "again"})
    assert do(store, "positions", [one.id])[one.id].kept == {}


def test_a_superseded_instance_leaves_no_position(store: Store) -> None:
    one = running(store)
    save(store, one, {"at": "find"}, kept=[1])
    end(store, one, "waiting")

    started(store, RESTART)

    assert do(store, "positions", [one.id]) == {}


# --- successors


def begins(store: Store, number: int) -> bool:
    """Whether it can be claimed now, by its number or not; it stays ready."""
    engine = new_engine(store)
    answers = set()
    for ids in ((), (number,)):
        claimed = claim(store, engine, *ids)
        answers.add(number in tokens(*claimed))
        do(store, "give_back", tokens(*claimed))
    (answer,) = answers
    return answer


def test_a_successor_begins_when_its_predecessor_has_ended(store: Store) -> None:
    first = running(store)
    second = started(store, RESTART)

    assert not begins(store, second)
    assert start(store, START) == [None]  # it has the key all the same

    fence(store, first)
    assert begins(store, second)


def test_what_a_running_predecessor_did_last_comes_before_its_successor(store: Store) -> None:
    """The mail that it has in hand is settled, and may be its last step."""
    first = running(store)
    (mail,) = queue(store, mail_of_step(first.id), engine=1, hands=1)
    second = started(store, RESTART)

    assert mail_state(store, mail.id) == "sending"
    assert not begins(store, second)
    with store.unit() as unit:
        unit.outbox.settle(mail.id, "sent", NOW, engine=1)
        assert unit.journal.fence(tokens(first)) == set()
        unit.commit()

    assert mail_state(store, mail.id) == "sent"
    assert begins(store, second)


def test_of_a_chain_of_restarts_the_last_begins_when_the_first_has_ended(store: Store) -> None:
    first = running(store)

    second, third, fourth = (started(store, RESTART) for _ in range(3))

    assert states(store) == {
        first.id: "running", second: "cancelled", third: "cancelled", fourth: "ready",
    }  # fmt: skip
    assert not begins(store, fourth)
    fence(store, first)
    assert begins(store, fourth)


def test_of_a_chain_in_one_call_the_last_begins_when_the_first_has_ended(store: Store) -> None:
    first = running(store)

    *superseded, last = start(store, RESTART, RESTART, RESTART)

    assert {instance(store, number or 0).state for number in superseded} == {"cancelled"}
    assert not begins(store, last or 0)
    fence(store, first)
    assert begins(store, last or 0)


def test_a_predecessor_that_is_held_is_over_at_once(store: Store) -> None:
    first = running(store)
    end(store, first, "incident")

    second = started(store, RESTART)

    assert states(store)[first.id] == "cancelled"
    assert begins(store, second)


def test_the_successor_of_a_held_successor_begins(store: Store) -> None:
    first = running(store)
    second = started(store, RESTART)
    fence(store, first)
    (held,) = claim(store, new_engine(store), second)
    end(store, held, "incident")

    third = started(store, RESTART)

    assert begins(store, third)


def test_a_predecessor_whose_engine_died_is_waited_for_until_it_is_taken_back(store: Store) -> None:
    running(store)
    second = started(store, RESTART)
    bury(store, 1)
    assert not begins(store, second)

    release(store)

    assert begins(store, second)


def test_a_predecessor_that_is_given_back_is_over(store: Store) -> None:
    first = running(store)
    second = started(store, RESTART)

    do(store, "give_back", tokens(first))

    assert states(store)[first.id] == "cancelled"
    assert begins(store, second)


def test_the_key_of_a_successor_that_a_person_cancels_goes_back_to_the_one_that_runs(store: Store) -> None:
    """Or the next one would run beside it."""
    first = running(store)
    second = started(store, RESTART)

    do(store, "ask_to_stop", [second], "by anna", NOW)

    assert states(store)[second] == "cancelled"
    assert start(store, START) == [None]
    third = started(store, RESTART)
    assert not begins(store, third)
    fence(store, first)
    assert begins(store, third)


def test_a_key_goes_back_to_nobody_who_is_over(store: Store) -> None:
    first = running(store)
    second = started(store, RESTART)
    fence(store, first)

    do(store, "ask_to_stop", [second], "by anna", NOW)

    assert start(store, START) != [None]


def test_a_successor_that_waits_is_nothing_to_do(store: Store) -> None:
    first = running(store)
    started(store, RESTART)
    assert not do(store, "glance", NOW).ready

    fence(store, first)
    assert do(store, "glance", NOW).ready


def test_what_engines_died_with_is_told_of_apart(store: Store) -> None:
    number = started(store)

    told = []
    for _ in range(3):
        glance = do(store, "glance", NOW)
        told.append((glance.ready, glance.suspect))
        die_with(store, number, alone=glance.suspect)

    assert told == [(True, False), (True, False), (False, True)]
