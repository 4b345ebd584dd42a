"""Keys that can have no effect where they stand: whoever wrote one expects something that will not happen.

What a key means at each kind of step, and where it is refused, is listed in `tests/golden/keys.md`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from procession.errors import ReferenceProblem
from procession.model import Draft, Filled, Leaf, StepDraft, YamlPath
from procession.model.draft import RetryDraft
from procession.records import Type
from procession.rules.typed import Typed, World, problem
from procession.spelling import closest
from procession.steps import kind_of
from procession.times import parse_duration

EITHER = ("temporary", "permanent")
REMOVE = "Remove it."


def keys_have_an_effect(typed: Typed, _world: World) -> Iterable[ReferenceProblem]:
    draft = typed.draft
    for path, why, hint in (*_process(draft), *_triggers(draft), *(_steps(typed))):
        yield problem(draft, f"{path[-1]!r} has no effect here: {why}", path, hint, key=True)


Idle = tuple[YamlPath, str, str]
"""(the path of the key, why it has no effect, what to do)."""


def _at(draft: Draft, path: YamlPath) -> Any:
    """What the file says at a path."""
    value: Any = draft.document.value
    for segment in path:
        value = value[segment]
    return value


# --- the process, its inputs and triggers


def _process(draft: Draft) -> Iterator[Idle]:
    if "folder" in draft.document.value:
        yield ("folder",), "no list goes by it yet", REMOVE
    for declared in draft.inputs:
        given = _at(draft, declared.where) if declared.type else {}
        if given.get("required") is True and "default" in given:
            yield (*declared.where, "required"), "with a default, nothing is asked for", "Remove one of them."
    if draft.errors and draft.steps and not any(_fails(step, EITHER) for step in draft.steps):
        yield ("errors",), "no step can fail", REMOVE
    yield from _defaults(draft)


def _defaults(draft: Draft) -> Iterator[Idle]:
    """Nothing is said where a step could not be read: it may be the one they are for."""
    defaults, steps = draft.document.value.get("defaults"), list(draft.every_step())
    if not isinstance(defaults, dict) or any(step.shape is None for step in steps):
        return
    for word in filter(kind_of, defaults):
        same = [step for step in steps if step.kind and step.kind.word == word]
        retry = same[0].default_retry if same else None
        if not same:
            yield ("defaults", word), "no step is of that kind", REMOVE
        elif retry and all(_idle_retry(step, retry) for step in same):
            yield ("defaults", word, "retry"), _idle_retry(same[0], retry), REMOVE


def _triggers(draft: Draft) -> Iterator[Idle]:
    for trigger in draft.triggers:
        if trigger.every and trigger.timezone:
            yield (*trigger.where, "timezone"), "a fixed pause is the same in every zone", REMOVE


# --- steps


def _steps(typed: Typed) -> Iterator[Idle]:
    draft = typed.draft
    for step in draft.every_step():
        if step.kind is None or step.shape is None:
            continue
        if step.retry and (why := _idle_retry(step, step.retry)):
            yield (*step.where, "retry"), why, REMOVE
        elif step.retry:
            yield from _settings((*step.where, "retry"), step.retry)
        if step.timeout and step.kind.group != "waiting":
            yield (*step.where, "timeout"), f"{step.kind.word!r} waits for nothing", REMOVE
        elif step.on_timeout and not step.timeout and not _misspelt(draft, step, "timeout"):
            yield (
                (*step.where, "on_timeout"),
                "there is no 'timeout'",
                "Add `timeout: 2 business days`, for example.",
            )
        if step.on_error and not _fails(step, EITHER):
            yield (*step.where, "on_error"), "this step cannot fail", REMOVE
        for key, idle in _FIELDS.get(step.kind.word, {}).items():
            if key in _written(draft, step) and (found := idle(typed, step)):
                yield (*step.where, step.kind.word, key), *found


def _misspelt(draft: Draft, step: StepDraft, key: str) -> bool:
    """Whether something beside it was meant to be that key, which was said already."""
    others = [str(other) for other in _at(draft, step.where) if other != f"on_{key}"]
    return bool(closest(key, others))


def _written(draft: Draft, step: StepDraft) -> Mapping[str, Any]:
    """What stands below the step's word; what `defaults` add is for others as well."""
    given = _at(draft, (*step.where, step.kind.word)) if step.kind else None
    return given if isinstance(given, dict) else {}


def _fails(step: StepDraft, classes: Iterable[str]) -> bool:
    """Whether a step, or one inside it, can fail with an error of one of these classes."""
    if step.kind is None:
        return True
    if "permanent" in classes and step.timeout and not step.on_timeout:
        return True
    if "permanent" in classes and (step.kind.asks != "nothing" or _has_expression(step)):
        return True
    if "temporary" in classes and step.kind.asks == "outside" and not _is_draft(step):
        return True
    return any(_fails(child, classes) for children in step.slots.values() for child in children)


def _has_expression(step: StepDraft) -> bool:
    return any(leaf.spans for leaf in step.leaves())


def _is_draft(step: StepDraft) -> bool:
    return step.fields.get("send", Filled()).value == "draft"


# --- retry


def _classes(retry: RetryDraft) -> tuple[str, ...]:
    return tuple(retry.settings.get("on", ("temporary",)))


def _idle_retry(step: StepDraft, retry: RetryDraft) -> str:
    """Why a `retry` has no effect; "" if it may have one. `none` says what is, wherever it stands."""
    return "" if retry.word == "none" or _tries(step, retry) else _no_second_try(step)


def _no_second_try(step: StepDraft) -> str:
    if step.slots:
        return "none of the steps inside can fail for a moment, or each has a 'retry' of its own"
    if not _fails(step, EITHER):
        return "this step cannot fail"
    if _is_draft(step):
        return "a draft is not sent by the process"
    if step.kind and step.kind.word == "notify":
        return "a notice is tried again by itself"
    word, busy = (step.kind.word, step.kind.asks == "store") if step.kind else ("", False)
    waits = "; the engine itself waits while the database is busy" if busy else ""
    return f"{word!r} never fails for a moment{waits}"


def _tries(step: StepDraft, retry: RetryDraft) -> bool:
    """Whether a step that goes by this `retry`, or one inside that names none of its own, can need it."""
    if not step.slots:
        return _fails(step, _classes(retry))
    if "permanent" in _classes(retry) and _has_expression(step):
        return True
    inside = [child for children in step.slots.values() for child in children]
    return any(_inherits(child, retry) for child in inside)


def _inherits(step: StepDraft, retry: RetryDraft) -> bool:
    handlers = any(_inherits(child, retry) for child in step.on_error)
    return handlers or (step.retry is None and _tries(step, retry))


def _settings(path: YamlPath, retry: RetryDraft) -> Iterator[Idle]:
    given = retry.written
    if retry.settings.get("max_attempts") == 1:
        for key in given:
            if key != "max_attempts":
                yield (*path, key), "there is one try", "Raise 'max_attempts', or write `retry: none`."
    elif "interval" in given and "max_interval" in given:
        first, longest = (parse_duration(retry.settings[key]) for key in ("interval", "max_interval"))
        if first > longest:
            yield (*path, "interval"), "it is longer than 'max_interval'", "Change one of them."


# --- fields that go with another


def _without_template(hint: str) -> "_Idle":
    def idle(_typed: Typed, step: StepDraft) -> tuple[str, str] | None:
        return None if "template" in step.fields else ("this mail has no template", hint)

    return idle


def _holds_back(_typed: Typed, step: StepDraft) -> tuple[str, str] | None:
    return ("a draft waits for a person", "Remove it, or `send: draft`.") if _is_draft(step) else None


def _still(typed: Typed, step: StepDraft) -> tuple[str, str] | None:
    """It is asked when the mail goes, and by no other step."""
    if "undo" in step.fields or "send_window" in step.fields:
        return _holds_back(typed, step)
    return (
        "this mail is not held back",
        "Write it as the step's 'if', or give the mail an 'undo' or a 'send_window'.",
    )


def _opt_out(typed: Typed, step: StepDraft) -> tuple[str, str] | None:
    leaves = [leaf for key in ("to", "cc", "bcc") for leaf in step.fields.get(key, Filled()).leaves]
    if any(_may_be_a_contact(typed.at(step, leaf).type, leaf) for leaf in leaves):
        return None
    return "only contacts opt out, and this mail goes to none", REMOVE


def _may_be_a_contact(type_: Type, leaf: Leaf) -> bool:
    if not leaf.is_expression:
        return False
    one = type_.item or type_
    return one.name in ("any", "list") or (one.name == "record" and one.of != "user")


def _connected_to(_typed: Typed, step: StepDraft) -> tuple[str, str] | None:
    entity = getattr(step.shape, "entity", "")
    if entity == "activity":
        return None
    return "only activities are connected to records", f"Give the {entity} a field of its own that names it."


_Idle = Callable[[Typed, StepDraft], tuple[str, str] | None]
_FIELDS: Mapping[str, Mapping[str, _Idle]] = {
    "send_email": {
        "with": _without_template("Put the values into the text itself."),
        "timezone": _without_template("Write `| time(zone=…)` in the text."),
        "undo": _holds_back,
        "send_window": _holds_back,
        "still": _still,
        "opt_out": _opt_out,
    },
    "create": {"connected_to": _connected_to},
}
