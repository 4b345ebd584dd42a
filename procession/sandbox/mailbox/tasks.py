"""The rules of tasks: status, percentage and completion go together; a recurring task goes on when it is done.

Source: [MS-OXWSTASK] 2.2.4.6 (R46 ff.) and [MS-OXOTASK] 3.1.4.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from procession.sandbox.mailbox.items import Item
from procession.sandbox.mailbox.recurrence import days
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Recurrence, Refused


def consistent(values: Mapping[str, Any], changed: frozenset[str], now: datetime) -> dict[str, Any]:
    """A task's values with status, percentage and completion date in line; `changed` words lead.

    Raises:
        Refused: a percentage beyond 100, or a completion date in the future.
    """
    after = {"status": "NotStarted", "percent": 0.0, **values}
    if not 0 <= after["percent"] <= 100:  # noqa: PLR2004 - per cent
        raise Refused("The percentage must be from 0 to 100.", reason="InvalidPercentCompleteValue")
    if "complete_date" in changed and after.get("complete_date"):
        if after["complete_date"] > now + timedelta(days=1):
            raise Refused("A task cannot be completed in the future.", reason="InvalidCompleteDate")
        after |= {"status": "Completed", "percent": 100.0}
    elif "status" in changed:
        after["percent"] = {"Completed": 100.0, "NotStarted": 0.0}.get(
            after["status"], min(after["percent"], 99.0)
        )
    elif "percent" in changed:
        after["status"] = _status(after["percent"], after["status"])
    if after["status"] == "Completed":
        after.setdefault("complete_date", now)
    else:
        after.pop("complete_date", None)
    return after


def _status(percent: float, before: str) -> str:
    if percent == 100:  # noqa: PLR2004 - per cent
        return "Completed"
    if percent == 0:
        return "NotStarted"
    return before if before not in {"Completed", "NotStarted"} else "InProgress"


def complete(mailbox: Mailbox, task: Item, values: Mapping[str, Any]) -> Item:
    """A recurring task is done: it goes on to its next date, and a task of its own records what was done."""
    recurrence: Recurrence = values["recurrence"]
    anchor = (
        values.get("due")
        or values.get("start_date")
        or datetime.combine(recurrence.start, time(), tzinfo=UTC)
    )
    done = {word: value for word, value in values.items() if word != "recurrence"}
    record = mailbox.add(mailbox.folder(task.folder), "task", done, extended=task.extended)
    following = _following(recurrence, anchor.date(), mailbox.moment().date())
    if following is None:
        mailbox.remove(task)
        return record
    shift = following - anchor.date()
    moved = {word: task.values[word] + shift for word in ("due", "start_date") if task.values.get(word)}
    rest = {word: value for word, value in task.values.items() if word != "complete_date"}
    mailbox.change(task, rest | moved | {"status": "NotStarted", "percent": 0.0})
    return record


def _following(recurrence: Recurrence, after: date, today: date) -> date | None:
    if recurrence.pattern.kind.endswith("regeneration"):
        step = {"daily": 1, "weekly": 7, "monthly": 30, "yearly": 365}[
            recurrence.pattern.kind.partition("_")[0]
        ]
        return today + timedelta(days=step * recurrence.pattern.interval)
    return next((day for day in days(recurrence) if day > after), None)


def delete_occurrence(mailbox: Mailbox, task: Item) -> None:
    """Deleting one occurrence of a recurring task skips to the next; the last one takes the task with it."""
    recurrence: Recurrence = task.values["recurrence"]
    anchor = task.values.get("due") or task.values.get("start_date") or task.created
    following = _following(recurrence, anchor.date(), mailbox.moment().date())
    if following is None:
        mailbox.remove(task)
        return
    shift = following - anchor.date()
    mailbox.change(
        task,
        {
            **task.values,
            **{word: task.values[word] + shift for word in ("due", "start_date") if task.values.get(word)},
        },
    )
