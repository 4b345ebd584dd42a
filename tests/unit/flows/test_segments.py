"""Which flow runs show which segments, and what they say of the steps."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from prefect_world import plan

from flows.segments import MOST_TASKS, Picture, Segment, StepTaken, noting, pictured
from flows.starting import Stopping
from procession.errors import PermanentError, ProcessionError
from procession.ports import End, Instance

PLAN = plan()
AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
INVITE, NOTE = PLAN.steps


class Clock:
    """A second passes whenever it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def now(self) -> datetime:
        self.asked += 1
        return AT + timedelta(seconds=self.asked)


def segment(
    *numbers: int, after: int = 0, broken_off: str = "", errors: Sequence[ProcessionError] = ()
) -> Segment:
    began = AT + timedelta(seconds=after)
    instances = [
        Instance(n, PLAN.process, PLAN.digest, f"no. {n}", "", "completed", {}, {}, began, began)
        for n in numbers
    ]
    taken = [
        StepTaken(
            step, len(numbers), began + timedelta(seconds=at), began + timedelta(seconds=at + 1), errors
        )
        for at, step in enumerate((INVITE, NOTE))
    ]
    ends = [] if broken_off else [End(n, "completed") for n in numbers]
    return Segment(PLAN, instances, began, taken, ends, broken_off, began + timedelta(seconds=2))


def ids(pictures: Sequence[Picture]) -> list[list[int]]:
    return [[instance.id for instance in picture.instances] for picture in pictures]


def test_few_segments_are_a_run_each_and_more_of_them_share_one():
    few, many = [segment(1), segment(2)], [segment(1), segment(2), segment(3, 4)]

    assert ids(pictured(few, 2)) == [[1], [2]]
    assert ids(pictured(many, 2)) == [[1, 2, 3, 4]]


def test_what_was_broken_off_and_what_is_of_the_same_instance_has_a_run_of_its_own():
    again, broken = segment(1, after=5), segment(3, broken_off="The engine was stopped here")

    assert ids(pictured([segment(1), segment(2), again, broken], 2)) == [[1, 2], [1], [3]]
    assert Picture([broken]).state(AT).name == "Interrupted"
    assert Picture([broken]).state(AT).message == "The engine was stopped here. It goes on in another run."


def test_the_steps_of_segments_that_share_a_run_are_told_together():
    (picture,) = pictured([segment(1), segment(2, after=7), segment(3, errors=[PermanentError("no")])], 2)

    invite, note = picture.tasks()

    assert (invite.path, invite.name, invite.state.name) == (
        "invite",
        "Send the invitation for 3",
        "Partly done",
    )
    assert (invite.began, invite.ended) == (AT, AT + timedelta(seconds=8))
    assert note.path == "note"
    assert (picture.began, picture.ended) == (AT, AT + timedelta(seconds=9))
    assert picture.state(AT).message == "3 completed."


def test_a_loop_is_not_a_task_run_for_each_of_its_turns():
    one = segment(1)
    one.steps = [StepTaken(NOTE, 1, AT, AT)] * (MOST_TASKS + 50)

    tasks = Picture([one]).tasks()

    assert len(tasks) == MOST_TASKS + 1
    assert tasks[-1].name == "Note it for 50"
    assert len({(task.path, task.number) for task in tasks}) == len(tasks)


def test_a_step_that_goes_on_is_told_as_running_and_a_segment_that_goes_on_has_no_end():
    one = segment(1)
    one.ended = one.steps[-1].ended = None

    assert [task.state.name for task in Picture([one]).tasks()] == ["Completed", "Running"]
    assert Picture([one]).ended is None


def test_each_step_is_noted_with_its_times_and_its_errors():
    one, error = Segment(PLAN, [], AT), PermanentError("no")
    wrap = noting(one, Clock(), threading.Event())

    wrap(INVITE, 1, lambda: [error])

    assert one.steps == [StepTaken(INVITE, 1, AT + timedelta(seconds=1), AT + timedelta(seconds=2), [error])]


def test_a_step_that_breaks_off_is_noted_with_the_error_that_broke_it():
    one, error = Segment(PLAN, [], AT), PermanentError("no")

    def breaks() -> None:
        raise error

    with pytest.raises(PermanentError):
        noting(one, Clock(), threading.Event())(INVITE, 2, breaks)

    assert one.steps[0].errors == [error, error]
    assert one.steps[0].ended


def test_no_step_is_begun_once_the_engine_is_to_stop():
    one, stopping = Segment(PLAN, [], AT), threading.Event()
    stopping.set()

    with pytest.raises(Stopping):
        noting(one, Clock(), stopping)(INVITE, 1, list)

    assert one.steps == []
