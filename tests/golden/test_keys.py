"""Every key of the language at every construct it can stand at: what it means there, or that it is refused.

The pairs come from the shapes themselves, so a key or a kind of step that is added shows up in `keys.md`;
`pytest tests/golden --update-golden` writes it. A key that is accepted has an effect; a person has read the table.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from crm.schema import SCHEMA
from procession.compile import compile_files, compile_text
from procession.errors import ProcessErrors
from procession.mail import Templates
from procession.model.problems import keys_of, model_below
from procession.model.shapes import (
    InputShape,
    InputType,
    ManualTrigger,
    MessageTrigger,
    ProcessShape,
    RecordTrigger,
    RetryShape,
    ScheduleTrigger,
    SignalTrigger,
    StepFrame,
)
from procession.steps import STEPS
from procession.steps.choose import Branch
from procession.steps.kind import StepKind
from procession.steps.send_email import Attach

TABLE = Path(__file__).parent / "keys.md"
TEMPLATES = Templates.of_files({"hello/subject.txt.j2": "Hello", "hello/body.txt.j2": "{{ recipient.name }}"})

ASK: dict[str, Any] = {"call": {"function": "rate"}}
TELL: dict[str, Any] = {"notify": {"to": "sales", "text": "Hello"}}
NOTE: dict[str, Any] = {"log_history": {"text": "Hello", "on": "{{ meeting.contact }}"}}
SURE: dict[str, Any] = {"set": {"x": 1}}
MAIL: dict[str, Any] = {"to": "{{ meeting.contact }}", "template": "hello"}
TEXT: dict[str, Any] = {"to": "{{ meeting.contact }}", "subject": "Hello", "text": "Hello"}

# --- the constructs: a step of each kind, and of those whose surroundings matter one for each

CONSTRUCTS: Mapping[str, Mapping[str, Any]] = {
    "`read`": {"read": {"entity": "contact"}},
    "`create` of an activity": {"create": {"entity": "activity", "values": {"type": "task", "subject": "x"}}},
    "`create` of another record": {"create": {"entity": "account", "values": {"name": "x"}}},
    "`update`": {"update": {"record": "{{ meeting }}", "values": {"subject": "x"}}},
    "`delete`": {"delete": {"record": "{{ meeting }}"}},
    "`create_activity`": {"create_activity": {"type": "call", "subject": "x"}},
    "`set` of an expression": {"set": {"x": "{{ meeting.contact.email }}"}},
    "`set` of what is written out": SURE,
    "`send_email` with a template": {"id": "mail", "send_email": MAIL},
    "`send_email` with a text": {"id": "mail", "send_email": TEXT},
    "`send_email` as a draft": {"id": "mail", "send_email": {**MAIL, "send": "draft"}},
    "`send_email` that is held back": {"id": "mail", "send_email": {**MAIL, "undo": "2m"}},
    "`send_email` to a colleague": {"id": "mail", "send_email": {**MAIL, "to": "{{ meeting.owner }}"}},
    "`send_email` to an address": {"id": "mail", "send_email": {**MAIL, "to": ["a@b.example", "c@d.example"]}},
    "`log_history`": NOTE,
    "`notify`": TELL,
    "`if` around a step that may fail for a moment": {"if": "meeting.contact", "then": [ASK]},
    "`if` around one that has its own `retry`": {"if": "meeting.contact", "then": [{**ASK, "retry": "none"}]},
    "`if` around one that only fails for good": {"if": "meeting.contact", "then": [NOTE]},
    "`if` around one that cannot fail": {"if": "true", "then": [SURE]},
    "`choose`": {"choose": {"branches": [{"when": "meeting.contact", "steps": [ASK]}], "else": "stop"}},
    "`for_each`": {"for_each": {"items": "{{ meeting.participants }}", "steps": [ASK]}},
    "`for_each` of what is written out, around one that cannot fail": {"for_each": {"items": [1, 2], "steps": [SURE]}},
    "`wait` for a while": {"id": "pause", "wait": {"for": "1 day"}},
    "`wait` until a moment": {"id": "pause", "wait": {"until": "{{ meeting.start }}"}},
    "`wait_for` a record": {"id": "came", "wait_for": {"record": "activity", "events": ["modified"]}},
    "`wait_for` a message": {"id": "came", "wait_for": {"message": "paid"}},
    "`wait_for` a signal": {"id": "came", "wait_for": {"signal": "open"}},
    "`wait_for` a moment": {"id": "came", "wait_for": {"until": "{{ meeting.start }}"}},
    "`send_message`": {"send_message": {"name": "paid"}},
    "`throw_signal`": {"throw_signal": {"name": "open"}},
    "`stop` with an expression": {"stop": {"result": "{{ meeting.subject }}"}},
    "`stop`": {"stop": {"result": "done"}},
    "`call`": {"call": {"function": "rate"}},
}  # fmt: skip

FRAME: Mapping[str, Any] = {
    "id": "it", "name": "A name", "if": "meeting.contact", "retry": "transient", "on_error": [ASK], "then": [ASK],
    "else": [ASK], "timeout": "1 day", "on_timeout": [ASK],
}  # fmt: skip
OWN: Mapping[str, Mapping[str, Any]] = {
    "read": {"entity": "contact", "where": {"name": "x"}, "order": "name", "limit": 7},
    "create": {"entity": "account", "values": {"name": "x"}, "connected_to": "{{ meeting.contact }}"},
    "update": {"record": "{{ meeting }}", "values": {"subject": "x"}},
    "delete": {"record": "{{ meeting }}"},
    "create_activity": {
        "type": "call", "subject": "x", "category": "Meeting", "owner": "{{ meeting.owner }}", "due": "1 day", "start": "1 day",
        "end": "2 days", "status": "planned", "priority": "high", "body": "x", "location": "x", "contact": "{{ meeting.contact }}",
        "opportunity": "{{ meeting.opportunity }}", "account": "{{ meeting.account }}", "connected_to": "{{ meeting.contact }}",
    },
    "set": {},
    "send_email": {
        "to": "{{ meeting.contact }}", "cc": "a@b.example", "bcc": "a@b.example", "from": "{{ meeting.owner }}", "template": "hello",
        "subject": "Hello", "text": "Hello", "html": "<p>Hello</p>", "with": {"more": 1}, "reply_to": "before",
        "attach": [{"invitation": "{{ meeting }}"}], "connected_to": "{{ meeting.opportunity }}", "language": "de",
        "timezone": "Europe/Berlin", "undo": "2m", "send_window": "office_hours", "still": "meeting.status == 'planned'", "send": "draft", "on_unknown": "resend", "opt_out": "ignore",
    },
    "log_history": {"text": "x", "on": "{{ meeting.contact }}"},
    "notify": {"to": "sales", "text": "x", "subject": "x"},
    "if": {"if": "meeting.contact", "then": [ASK], "else": [ASK]},
    "choose": {"branches": [{"when": "meeting.contact", "steps": [ASK]}], "match": "all", "else": [ASK]},
    "for_each": {"items": "{{ meeting.participants }}", "as": "one", "steps": [ASK], "max": 7},
    "wait": {"for": "1 day", "until": "{{ meeting.start }}", "if_past": "run"},
    "wait_for": {
        "record": "activity", "events": ["modified"], "changed": ["start"], "message": "paid", "signal": "open", "about": "activity",
        "until": "{{ meeting.start }}", "match": "record.subject == 'x'", "of": "any", "since": "1h", "then": [ASK],
    },
    "send_message": {"name": "paid", "about": "{{ meeting }}", "data": {"x": 1}},
    "throw_signal": {"name": "paid", "about": "{{ meeting }}", "data": {"x": 1}},
    "stop": {"result": "x", "error": "x"},
    "call": {"function": "rate", "args": {"x": 1}},
}  # fmt: skip

# --- around the steps

TRIGGERS: Mapping[str, Mapping[str, Any]] = {
    "`record` that was added": {"record": "activity", "events": ["added"]},
    "`record` that was modified": {"record": "activity", "events": ["modified"]},
    "`record` that was added or modified": {"record": "activity", "events": ["added", "modified"]},
    "`record` that was deleted": {"record": "activity", "events": ["deleted"]},
    "`schedule` by cron": {"schedule": "0 8 * * 1", "inputs": {"meeting": "{{ none }}"}},
    "`schedule` by a pause": {"schedule": {"every": "1h"}, "inputs": {"meeting": "{{ none }}"}},
    "`manual`": {"manual": {"on": "activity"}},
    "`message`": {"message": "paid", "about": "activity"},
    "`signal`": {"signal": "open", "about": "activity"},
}
OF_TRIGGERS: Mapping[str, Any] = {
    "id": "start", "record": "activity", "events": ["modified"], "changed": ["start"], "if": "event.type == 'added'", "debounce": "2m",
    "inputs": {"size": 2}, "schedule": "0 8 * * 1", "timezone": "Europe/Berlin", "manual": {"on": "activity"},
    "title": "Do it", "message": "paid", "signal": "open", "about": "activity",
}  # fmt: skip
OF_PROCESSES: Mapping[str, Any] = {
    "process": "p", "title": "P", "description": "x", "owner": "sales", "folder": "Sales", "labels": ["x"],
    "inputs": {"meeting": {"type": "record", "of": "activity"}, "size": {"type": "int", "default": 1}},
    "triggers": [{"manual": {"on": "activity"}}], "key": "{{ meeting.id }}", "mode": "single", "timezone": "Europe/Berlin",
    "history": {"on": "{{ meeting.opportunity }}"}, "defaults": {"notify": {"subject": "x"}}, "steps": [TELL], "errors": [TELL],
}  # fmt: skip
PROCESSES: Mapping[str, Mapping[str, Any]] = {
    "a process": {}, "a process of `mode: parallel`": {"mode": "parallel"},
    "a process of `mode: restart`": {"mode": "restart", "key": "{{ meeting.id }}"},
    "a process without a `notify`": {"steps": [SURE]},
}  # fmt: skip
INPUTS: Mapping[str, Any] = {
    "of": "contact", "options": ["a", "b"], "title": "X", "description": "x", "required": True, "min": 1, "max": 1, "pattern": "a+",
}  # fmt: skip
DEFAULTS: Mapping[str, Any] = {
    "text": "a", "int": 1, "number": 1.5, "bool": True, "date": "2026-03-06", "datetime": "2026-03-06T10:00+01:00", "duration": "1h",
    "select": "a", "list": [1], "record": 1, "user": 1, "template": "hello",
}  # fmt: skip
NEEDED: Mapping[str, Mapping[str, Any]] = {"record": {"of": "contact"}, "select": {"options": ["a", "b"]}}
RETRIES: Mapping[str, Mapping[str, Any]] = {
    "`retry`": {"max_attempts": 3}, "`retry` of one try": {"max_attempts": 1}, "`retry` with a long pause": {"interval": "2h"},
}  # fmt: skip
OF_RETRIES: Mapping[str, Any] = {
    "max_attempts": 3, "interval": "2h", "backoff": 3, "max_interval": "4h", "jitter": 0.5, "on": ["temporary", "permanent"],
}  # fmt: skip


def process(**changes: Any) -> dict[str, Any]:
    base = {key: OF_PROCESSES[key] for key in ("process", "inputs", "triggers", "steps")}
    return {**base, "history": OF_PROCESSES["history"], **changes}


def with_step(step: Mapping[str, Any]) -> dict[str, Any]:
    before = {"id": "before", "send_email": MAIL} if "before" in json.dumps(step) else None
    return process(steps=[*([before] if before else []), step])


Cells = Mapping[str, Mapping[str, Any]]
"""`{key: a process with that key}`."""
Section = tuple[str, tuple[type[BaseModel], ...], Mapping[str, Cells]]
"""(title, the shapes whose keys it is about, the constructs)."""


def sections() -> Iterator[Section]:
    yield "Beside a step", (StepFrame,), {name: _beside(step) for name, step in CONSTRUCTS.items()}
    for kind in STEPS:
        if kind.word != "if":
            same = {name: step for name, step in CONSTRUCTS.items() if kind.word in step}
            yield (
                f"Below `{kind.word}`",
                (shape_of(kind),),
                {name: _below(kind, step) for name, step in same.items()},
            )
    shapes = (RecordTrigger, ScheduleTrigger, ManualTrigger, MessageTrigger, SignalTrigger)
    triggers = {name: _of_trigger(trigger, all_keys(*shapes)) for name, trigger in TRIGGERS.items()}
    yield "In a trigger", shapes, triggers
    yield "In a process", (ProcessShape,), {name: _of_process(changes) for name, changes in PROCESSES.items()}
    inputs = {f"`{type_}`": _of_input(type_) for type_ in get_args(InputType)}
    yield "In an input of type", (InputShape,), {**inputs, "one with a default": _of_input("int", default=1)}
    yield "In a retry", (RetryShape,), {name: _of_retry(retry) for name, retry in RETRIES.items()}


def all_keys(*shapes: type[BaseModel]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key for shape in shapes for key in keys_of(shape)))


def _beside(step: Mapping[str, Any]) -> Cells:
    keys = (*keys_of(StepFrame), "then", "else")
    permanent = {**step, "retry": {"max_attempts": 3, "on": ["permanent"]}}
    cells = {key: with_step({**step, key: step.get(key, FRAME[key])}) for key in keys}
    return {**cells, "retry on permanent": with_step(permanent)}


def _below(kind: StepKind, step: Mapping[str, Any]) -> Cells:
    own, given = OWN[kind.word], step[kind.word]
    return {
        key: with_step({**step, kind.word: {**given, key: given.get(key, own[key])}})
        for key in keys_of(shape_of(kind))
    }


def shape_of(kind: StepKind) -> type[BaseModel]:
    """What stands below its word."""
    return (model_below(kind.shape, kind.whole) if kind.whole else None) or kind.shape


def _of_trigger(trigger: Mapping[str, Any], keys: Sequence[str]) -> Cells:
    return {key: process(triggers=[{**trigger, key: trigger.get(key, OF_TRIGGERS[key])}]) for key in keys}


def _of_process(changes: Mapping[str, Any]) -> Cells:
    return {key: process(**{key: OF_PROCESSES[key], **changes}) for key in keys_of(ProcessShape)}


def _of_input(type_: str, **more: Any) -> Cells:
    base = {"type": type_, **NEEDED.get(type_, {}), **({} if more else {"required": False}), **more}
    values = {**INPUTS, "type": type_, **dict.fromkeys(("default", "min", "max"), DEFAULTS[type_])}
    inputs = OF_PROCESSES["inputs"]
    return {key: process(inputs={**inputs, "x": {**base, key: values[key]}}) for key in keys_of(InputShape)}


def _of_retry(retry: Mapping[str, Any]) -> Cells:
    keys = keys_of(RetryShape)
    return {key: with_step({**ASK, "retry": {**retry, key: retry.get(key, OF_RETRIES[key])}}) for key in keys}


def refusal(given: Mapping[str, Any]) -> str:
    try:
        compile_text(json.dumps(given), "p.yaml", TEMPLATES, SCHEMA, {"rate"})
    except ProcessErrors as error:
        return " ".join(f"{p.message.removesuffix('.')}. {p.hint}".strip() for p in error.problems)
    return ""


def described(shapes: Sequence[type[BaseModel]]) -> Iterator[str]:
    infos = {info.alias or name: info for shape in shapes for name, info in shape.model_fields.items()}
    for key, info in infos.items():
        yield f"- `{key}`: {info.description or info.title}"


def _of_any(message: str) -> str:
    """The same for all kinds of steps and all types of inputs."""
    kinds = "|".join(kind.word for kind in STEPS if kind.word != "if")
    return re.sub(rf"(?<=type )'\w+'|'({kinds})'(?= never| cannot|,| among)", "'…'", message)


def table() -> Iterator[str]:
    yield "# What every key means at every construct\n"
    yield "Made by `pytest tests/golden --update-golden` from the shapes of the language, and read by a person."
    yield "A key that is taken (+) has the effect that is said; one that can have none is refused (**no**), with the"
    yield "sentence below the table."
    for title, shapes, constructs in sections():
        keys = list(next(iter(constructs.values()), {}))
        if not keys:
            continue
        yield f"\n## {title}\n"
        yield from described(shapes)
        yield f"\n| | {' | '.join(keys)} |\n|---|{'---|' * len(keys)}"
        refused: dict[str, list[str]] = {}
        for construct, cells in constructs.items():
            found = {key: refusal(given) for key, given in cells.items()}
            yield f"| {construct} | {' | '.join('**no**' if why else '+' for why in found.values())} |"
            for key, why in found.items():
                if why:
                    refused.setdefault(_of_any(why), []).append(f"{construct} × {key}")
        yield ""
        yield from (f"- {why}\n  ({'; '.join(places)})" for why, places in refused.items())


def test_every_key_of_the_language_has_a_meaning_where_it_is_taken_or_is_refused(
    request: pytest.FixtureRequest,
):
    found = "\n".join(table()) + "\n"

    if request.config.getoption("--update-golden"):
        TABLE.write_text(found, encoding="utf-8")
    assert found == TABLE.read_text("utf-8")


def test_the_constructs_are_all_there_are():
    assert {word for step in CONSTRUCTS.values() for word in step if word in OWN} == {
        kind.word for kind in STEPS
    }
    assert {kind.word: {*keys_of(shape_of(kind))} for kind in STEPS} == {
        word: {*own} for word, own in OWN.items()
    }
    assert {*keys_of(Attach)} == {"invitation"}
    assert {*keys_of(Branch)} == {"when", "steps"}


@pytest.mark.parametrize("construct", CONSTRUCTS)
def test_the_constructs_themselves_are_right(construct: str):
    assert refusal(with_step(CONSTRUCTS[construct])) == ""


def test_a_version_that_was_published_before_a_key_was_refused_goes_on():
    files = {"p.yaml": json.dumps(with_step({**SURE, "retry": "transient", "on_error": [TELL]}))}

    assert compile_files(files, SCHEMA, ()).steps[0].retry.max_attempts > 1
