"""The loop of `serve`: it ticks until it is to stop, whatever a tick runs into."""

import logging
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from flows.engine import IDLE_SECONDS, PAUSE_SECONDS, _loop, _Parts
from procession.errors import ConfigurationError
from procession.ports import Pace


@dataclass
class Shift:
    """An engine with its host. The loop is to stop after the last of the `ticks`: how much each does, or what it raises."""

    ticks: list[int | Exception]
    told: list[object] = field(default_factory=list)
    """What became of the engine, and how long the loop waited, in this order."""
    pace = Pace()
    id = 1

    def tick(self) -> int:
        self.told.append("tick")
        done = self.ticks.pop(0)
        if isinstance(done, Exception):
            raise done
        return done

    def is_set(self) -> bool:
        return not self.ticks

    def wait(self, seconds: float) -> None:
        self.told.append(seconds)

    def clear(self) -> None: ...

    def beat(self) -> None:
        self.told.append("beat")

    def give_back(self) -> None:
        self.told.append("give back")

    def leave(self) -> None:
        self.told.append("leave")


@pytest.fixture
def run(caplog: pytest.LogCaptureFixture) -> Callable[..., list[object]]:
    caplog.set_level(logging.INFO)

    def looped(*ticks: int | Exception) -> list[object]:
        shift = Shift(list(ticks))
        host = SimpleNamespace(stopping=shift, ports=SimpleNamespace(engine=shift))
        nothing = nullcontext()
        _loop(_Parts(host, shift, nothing, nothing, nothing, shift, nothing, IDLE_SECONDS))
        return shift.told

    return looped


def test_the_engine_beats_before_its_first_tick_and_gives_back_and_leaves_after_its_last(run):
    assert run(1) == ["beat", "tick", "give back", "leave"]


def test_the_loop_pauses_for_a_moment_where_there_was_nothing_to_do(run):
    assert run(1, 0, 1)[1:-2] == ["tick", "tick", IDLE_SECONDS, "tick"]


def test_a_tick_that_fails_is_tried_again_after_a_pause_and_the_log_has_a_sentence(run, caplog):
    told = run(ConfigurationError("the database is away"), 1)

    (record,) = caplog.records
    assert told[1:-2] == ["tick", PAUSE_SECONDS, "tick"]
    assert record.getMessage() == "the database is away; trying again in 2 seconds"
    assert (record.levelname, bool(record.exc_info)) == ("ERROR", False)


def test_what_nobody_foresaw_is_tried_again_too_and_the_log_says_where_it_arose(run, caplog):
    told = run(ZeroDivisionError("division by zero"), 1)

    (record,) = caplog.records
    assert told[1:-2] == ["tick", PAUSE_SECONDS, "tick"]
    assert record.getMessage().startswith("a tick of the engine failed in a way nobody foresaw: ZeroDivision")
    assert "in tick" in caplog.text
