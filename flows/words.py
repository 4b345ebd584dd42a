"""What people read in Prefect: names of flows and runs, and one sentence for how a run ended.

Everything that goes to Prefect passes through `discreet`: no e-mail address leaves the store this way, whatever a
title or an error message holds (decision 0021).
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Failed

from procession.errors import ProcessionError
from procession.plan import Plan, Step, Trigger
from procession.ports import LIVE, End, Instance
from procession.records import Record, Ref, ref_of
from procession.times import spoken
from procession.values import from_json

TAG = "procession"
"""Tag of every flow run and deployment of ours."""

LONGEST_NAME = 120
LATE = timedelta(seconds=5)
_ADDRESS = re.compile(r"[^\s<>()\[\]\"',;:|]+@[^\s<>()\[\]\"',;:|]+")


def discreet(text: str) -> str:
    """`text` without the e-mail addresses in it."""
    return _ADDRESS.sub("(address)", text)


def flow_name(process: str) -> str:
    """`notify_contact_of_meeting` → `Notify contact of meeting`.

    Made of the id and not of the title, since Prefect knows a flow by its name: a better title must not cut
    its history in two.
    """
    return process.replace("_", " ").capitalize()


def tags(plan: Plan) -> list[str]:
    owner = [plan.owner] if plan.owner else []
    return sorted({TAG, plan.process, *plan.labels, *owner})


def run_name(title: str, instances: Sequence[Instance]) -> str:
    """`Notify contact of meeting: Kick-off (activity 17)`, or `Notify contact of meeting × 200`."""
    if len(instances) > 1:
        return _short(f"{title} × {len(instances)}")
    return instance_name(instances[0])


def instance_name(instance: Instance) -> str:
    """Its title, and the number of the record it is about under the name that the process has for it."""
    title = instance.title or instance.process
    name, about = _about(instance)
    return _short(f"{title} ({name} {about.id})" if about else f"{title} (instance {instance.id})")


def _about(instance: Instance) -> tuple[str, Ref | None]:
    """(input, record): the first record among its inputs."""
    for name, value in from_json(instance.inputs).items():
        if isinstance(value, (Ref, Record)):
            return name.replace("_", " "), value if isinstance(value, Ref) else ref_of(value)
    return "", None


def task_name(step: Step, count: int) -> str:
    title = step.title or step.path
    return _short(title if count == 1 else f"{title} for {count}")


def _short(text: str) -> str:
    text = discreet(" ".join(text.split()))
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"


# --- states


def step_state(step: Step, count: int, errors: Sequence[ProcessionError]) -> State[Any]:
    """How the task run of a step ends."""
    if not errors:
        return Completed(message="Done." if count == 1 else f"Done for {count}.")
    first = _sentence(errors[0].message, str(getattr(errors[0], "at", None) or step.at), errors[0].hint)
    if len(errors) < count:
        return Completed(name="Partly done", message=f"It failed for {len(errors)} of {count}. {first}")
    return Failed(message=first if count == 1 else f"It failed for all {count}. {first}")


def end_state(end: End) -> State[Any]:
    """How the flow run of one instance ends."""
    match end.state:
        case "ready" | "running" | "waiting" | "queued":
            return Completed(name="Waiting", message=waiting(end))
        case "incident":
            return Failed(name="Held", message=f"{told(end.error)} See: procession incidents")
        case "failed":
            return Failed(message=told(end.error))
        case "cancelled":
            return Cancelled(message=discreet(end.result or "It was stopped before its next step."))
    return Completed(message=discreet(end.result or "Done."))


def interrupted(why: str) -> State[Any]:
    """How a flow run ends whose instances go on in another one."""
    return Completed(name="Interrupted", message=f"{discreet(why).rstrip('.')}. It goes on in another run.")


def when(state: State[Any], began: datetime, ended: datetime, now: datetime) -> State[Any]:
    """What is told late says in its message when it was: Prefect shows when it heard of it."""
    if now - ended < LATE:
        return state
    lasted = ended - began
    said = f"{state.message or 'Done.'} It ran {_moment(began)}, for {spoken(lasted) if lasted.seconds else 'less than a second'}."
    return state.model_copy(update={"message": said})


def ends_state(ends: Sequence[End]) -> State[Any]:
    """How a flow run for many instances ends: as the one that a person must look at, if there is one."""
    if len(ends) == 1:
        return end_state(ends[0])
    message = counts(ends)
    for state in ("incident", "failed"):
        if bad := [end for end in ends if end.state == state]:
            first = end_state(bad[0])
            return Failed(name=first.name, message=f"{message}. The first: {first.message}")
    if ends and all(end.state == "cancelled" for end in ends):
        return Cancelled(message=message)
    return Completed(name=None if all(_over(end) for end in ends) else "Waiting", message=f"{message}.")


def counts(ends: Sequence[End]) -> str:
    """`198 completed, 1 waiting, 1 held`."""
    found = Counter(outcome(end) for end in ends)
    return ", ".join(f"{number} {word}" for word, number in found.most_common()) or "nothing to do"


def outcome(end: End) -> str:
    return {
        "ready": "waiting", "running": "waiting", "queued": "waiting", "incident": "held", "stopped": "completed",
    }.get(end.state, end.state)  # fmt: skip


def _over(end: End) -> bool:
    return end.state not in LIVE or end.state == "incident"


def waiting(end: End) -> str:
    why = told(end.error) if end.error else ""
    when = (
        f"It goes on {_moment(end.until)}."
        if end.until or end.state != "waiting"
        else "Nobody can say yet when it goes on."
    )
    return f"{when} {why}".strip()


def told(error: Mapping[str, Any] | None) -> str:
    """One sentence of an error of the journal: `file:line:column: message. hint`."""
    error = error or {}
    return _sentence(str(error.get("message", "")), str(error.get("place", "")), str(error.get("hint", "")))


def _sentence(message: str, place: str, hint: str) -> str:
    head = f"{place}: {message}" if place and place != "None" else message
    return discreet(f"{head.rstrip('.')}. {hint}".strip())


def _moment(at: datetime | None) -> str:
    return f"at {at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else "soon"


# --- many instances at once


def table(instances: Sequence[Instance], ends: Sequence[End]) -> list[dict[str, Any]]:
    """One row for each instance: what it is, which record it is about, what became of it."""
    by_id = {end.instance: end for end in ends}
    return [_row(instance, by_id.get(instance.id)) for instance in instances]


def _row(instance: Instance, end: End | None) -> dict[str, Any]:
    _, about = _about(instance)
    return {
        "Instance": instance.id,
        "Record": str(about or ""),
        "What": discreet(instance.title),
        "Outcome": outcome(end) if end else "unknown",
        "Details": (end_state(end).message or "") if end else "",
    }


def description(plan: Plan) -> str:
    """Title and description of a process, and what starts it, as Markdown."""
    starts = "\n".join(f"- {line}" for line in _starts(plan))
    parts = (f"**{plan.title}**", plan.description, f"Starts by itself:\n\n{starts}" if starts else "")
    owner = f"Owner: {plan.owner}" if plan.owner else ""
    return discreet("\n\n".join(part for part in (*parts, owner) if part))


def _starts(plan: Plan) -> list[str]:
    return [_start(trigger) for trigger in plan.triggers if trigger.events != ("manual",)]


def _start(trigger: Trigger) -> str:
    if trigger.cron:
        return f"by the clock: `{trigger.cron}` ({trigger.timezone})"
    if trigger.every:
        return f"every {spoken(trigger.every)}"
    article = "an" if trigger.entity[:1] in "aeiou" else "a"
    how = [
        f"modified in {' or '.join(trigger.changed)}" if event == "modified" and trigger.changed else event
        for event in trigger.events
    ]
    condition = f", if `{trigger.condition.source}`" if trigger.condition else ""
    return f"when {article} {trigger.entity} is {', or '.join(how)}{condition}"
