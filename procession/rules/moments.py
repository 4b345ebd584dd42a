"""Times that are written out can be read: zones, durations, schedules, and when something is due."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from cronsim import CronSim, CronSimError

from procession import times
from procession.errors import ReferenceProblem
from procession.model import Filled, StepDraft, TriggerDraft, YamlPath
from procession.rules.fitting import unreadable_time
from procession.rules.literals import asking_the_time, written_in
from procession.rules.typed import Typed, World, problem

SHORTEST_SCHEDULE = timedelta(minutes=1)
_DAYS_AND_MONTHS = {"Bad hour": "0 to 23", "Bad minute": "0 to 59", "Bad day-of-month": "1 to 31", "Bad month": "1 to 12", "Bad day-of-week": "0 to 7"}  # fmt: skip


def zones_are_known(typed: Typed, _world: World) -> Iterable[ReferenceProblem]:
    for name, path, offset in _zones(typed):
        try:
            times.zone(name)
        except ValueError as error:
            message, _, hint = str(error).partition(". ")
            said = message[:1].lower() + message[1:].rstrip(".")
            yield problem(typed.draft, said, path, hint, offset=offset)


def _zones(typed: Typed) -> Iterable[tuple[str, YamlPath, int]]:
    for trigger in typed.draft.triggers:
        if trigger.timezone:
            yield trigger.timezone, (*trigger.where, "timezone"), 0
    for found in typed.leaves:
        path = found.leaf.path
        if path[-1] == "timezone" and (len(path) == 1 or path[-2] == "send_email"):
            yield from ((name, path, offset) for name, offset in written_in(found.leaf))


def schedules_can_be_read(typed: Typed, _world: World) -> Iterable[ReferenceProblem]:
    for trigger in typed.draft.triggers:
        path = (*trigger.where, "schedule")
        if trigger.cron:
            wrong = _wrong_cron(trigger)
            if wrong:
                yield problem(typed.draft, wrong[0], path, wrong[1], offset=0)
        elif trigger.every and times.parse_duration(trigger.every) < SHORTEST_SCHEDULE:
            yield problem(
                typed.draft,
                "a schedule goes by the minute at most",
                (*path, "every"),
                "Write `every: 1m` or more.",
                offset=0,
            )


def _wrong_cron(trigger: TriggerDraft) -> tuple[str, str] | None:
    example = 'Write minute, hour, day, month and weekday: "0 8 * * 1" is Mondays at 8:00.'
    if len(trigger.cron.split()) != 5:  # noqa: PLR2004  the five fields of cron
        return f"{trigger.cron!r} is not a schedule", example
    try:
        next(CronSim(trigger.cron, datetime(2026, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        what = str(error).removeprefix("Bad ")
        allowed = _DAYS_AND_MONTHS.get(str(error))
        return f"the {what} in {trigger.cron!r} cannot be", f"It goes from {allowed}." if allowed else example
    except StopIteration:
        return f"the moment {trigger.cron!r} never comes", example
    return None


def written_times_can_be_read(typed: Typed, _world: World) -> Iterable[ReferenceProblem]:
    """`due: 1 business day` and the like."""
    for found in typed.leaves:
        text, wants = found.leaf.value, found.leaf.wants
        if isinstance(text, str) and wants and wants.types[:1] == ("datetime",):
            wrong = unreadable_time("datetime", text)
            if wrong:
                yield problem(typed.draft, wrong[0], found.leaf.path, wrong[1], offset=0)


def waits_can_be_read(typed: Typed, _world: World) -> Iterable[ReferenceProblem]:
    """A `for` that is written out is a duration, an `until` is none: it would begin anew whenever it is looked at."""
    for step in typed.draft.every_step():
        if step.kind is None or step.kind.word not in ("wait", "wait_for") or step.shape is None:
            continue
        if step.kind.word == "wait_for":
            yield from _until_of_sources(typed, step)
            continue
        for word in ("for", "until"):
            text = step.fields[word].value if word in step.fields else None
            wrong = _wrong_wait(word, text) if isinstance(text, str) else None
            if wrong:
                where = (*step.where, "wait")
                path = (*where, word) if isinstance(_given(typed, where), dict) else where
                yield problem(typed.draft, wrong[0], path, wrong[1], offset=0)
        if "until" in step.fields:
            yield from _moving_on(typed, step.fields["until"])


def _until_of_sources(typed: Typed, step: StepDraft) -> Iterable[ReferenceProblem]:
    for leaf in step.leaves():
        if leaf.path[-1] != "until":
            continue
        if isinstance(leaf.value, str) and (wrong := _wrong_wait("until", leaf.value)):
            yield problem(
                typed.draft,
                wrong[0],
                leaf.path,
                f"Write `timeout: {leaf.value}` beside 'wait_for'.",
                offset=0,
            )
        yield from _moving_on(typed, Filled(leaf.value, (leaf,)))


def _moving_on(typed: Typed, until: Filled) -> Iterable[ReferenceProblem]:
    """A moment is worked out again whenever its wait is looked at: one computed from the time would never be the same."""
    for leaf in until.leaves:
        for expression, offset in leaf.spans:
            if asking := asking_the_time(expression):
                yield problem(
                    typed.draft,
                    "an 'until' that asks what time it is begins anew whenever it is looked at",
                    leaf.path,
                    "Write `for:` and how long, or give the moment a name by `set`, in a step before.",
                    offset=offset + asking[0],
                )


def _given(typed: Typed, path: YamlPath) -> object:
    value: Any = typed.draft.document.value
    for segment in path:
        value = value[segment]
    return value


def _wrong_wait(word: str, text: str) -> tuple[str, str] | None:
    try:
        span = times.parse_any_duration(text)
    except ValueError as error:
        message, _, hint = str(error).partition(". ")
        return (message, hint) if word == "for" else None
    if word == "until":
        return f"{text!r} is a while, not a moment", f"Write `for: {text}`."
    is_over = span <= timedelta(0) if isinstance(span, timedelta) else span.days <= 0
    return ("'for' must be longer than nothing", "Write 1 hour.") if is_over else None


def pauses_are_positive(typed: Typed, _world: World) -> Iterable[ReferenceProblem]:
    for trigger in typed.draft.triggers:
        if trigger.debounce and times.parse_duration(trigger.debounce) <= timedelta(0):
            path = (*trigger.where, "debounce")
            yield problem(typed.draft, "'debounce' must be longer than nothing", path, "Write 2m.", offset=0)
    for step in typed.draft.every_step():
        undo = step.fields["undo"].value if "undo" in step.fields else None
        if isinstance(undo, str) and step.shape and times.parse_duration(undo) <= timedelta(0):
            yield problem(
                typed.draft,
                "'undo' must be longer than nothing",
                (*step.where, "send_email", "undo"),
                "Write 60s.",
                offset=0,
            )
