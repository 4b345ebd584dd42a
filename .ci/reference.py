#!/usr/bin/env python3
"""Write docs/reference from the registries: step kinds, expressions, settings, commands.

python3 .ci/dev.py docs        writes them
the tests                      fail if they are not what this would write
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
MADE = "<!-- Made by `python3 .ci/dev.py docs` from the registries of the program; do not edit. -->"
GROUPS = {
    "data": "Data",
    "comm": "Mail and History",
    "flow": "Order of steps",
    "waiting": "Waiting",
    "other": "Other",
}


def main() -> None:
    """Write every page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
        sys.stdout.write(f"wrote docs/reference/{name}\n")


def process() -> str:
    """Every key of a process file around its steps."""
    from procession.model import shapes

    lines = [MADE, "", "# A process file", "", PROCESS_INTRODUCTION, "", *_fields(shapes.ProcessShape), ""]
    for title, said, shape in (
        ("Inputs", INPUTS, shapes.InputShape), ("Trigger: a record was saved", SAVED, shapes.RecordTrigger),
        ("Trigger: a message or a signal", MESSAGE, shapes.MessageTrigger), ("Trigger: a schedule", SCHEDULE, shapes.ScheduleTrigger), ("Trigger: by hand", BY_HAND, shapes.ManualTrigger),
        ("`key` and `mode`", KEY_AND_MODE, None), ("`history`", HISTORY, shapes.HistoryShape),
        ("`retry`, `defaults` and `errors`", RETRY, shapes.RetryShape),
    ):  # fmt: skip
        lines += [f"## {title}", "", said, "", *(_fields(shape) if shape else ()), ""]
    return _page(lines)


def templates() -> str:
    """Mail templates: their files, blocks, names, and every filter."""
    from procession.mail.sandbox import JINJA_FILTERS, OURS

    lines = [
        MADE,
        "",
        "# Mail templates",
        "",
        TEMPLATES_INTRODUCTION,
        "",
        "## Filters",
        "",
        "| filter | what |",
        "|---|---|",
    ]
    lines += [f"| `{name}` | {_first_sentences(write)} |" for name, write in OURS.items()]
    lines += ["", TEMPLATE_FILTERS, "", ", ".join(f"`{name}`" for name in sorted(JINJA_FILTERS)) + "."]
    return _page(lines)


def _first_sentences(write: Any) -> str:
    return " ".join((write.__doc__ or "").split("\n\n")[0].split()).replace("|", "\\|")


def steps() -> str:
    """Every kind of step with its fields and outputs."""
    from procession.steps import STEPS

    lines = [MADE, "", "# Steps", "", STEPS_INTRODUCTION, ""]
    for group, title in GROUPS.items():
        kinds = [kind for kind in STEPS if kind.group == group]
        if kinds:
            lines += [f"## {title}", ""]
        for kind in kinds:
            lines += list(_step(kind))
    return _page(lines)


def _step(kind: Any) -> Iterator[str]:
    from procession.model.problems import model_below

    yield f"### `{kind.word}`"
    yield ""
    yield f"{kind.title}.{' Needs an `id`.' if kind.needs_id else ''}"
    if kind.whole:
        yield "One of these, or a list of them."
    if kind.shorthand:
        yield f"`{kind.word}: …` is short for `{kind.word}: {{{kind.shorthand}: …}}`."
    yield ""
    if kind.word == "set":
        yield 'Its fields are names of your own: `set: {greeting: "Hello {{ meeting.contact.name }}"}` gives `vars.greeting`.'
    else:
        yield from _fields(model_below(kind.shape, kind.whole) if kind.whole else kind.shape)
    yield ""
    if kind.word in EXAMPLES:
        yield EXAMPLES[kind.word]
        yield ""


def _fields(shape: Any) -> Iterator[str]:
    if not shape.model_fields:
        return
    yield "| field | needed | what |"
    yield "|---|---|---|"
    for name, field in shape.model_fields.items():
        needed = "yes" if field.is_required() else ""
        yield f"| `{field.alias or name}` | {needed} | {_what(field)} |"


def _what(field: Any) -> str:
    said = field.description or f"{field.title or ''}."
    if _is_literal(field):
        choices = _choices(field.annotation)
        said += f" One of {', '.join(f'`{choice}`' for choice in choices)}." if choices else ""
        said += " Plain text, no `{{ }}`." if not choices else ""
    if any(type(mark).__name__ == "ConditionMark" for mark in field.metadata):
        said += " A bare expression."
    if (
        not field.is_required()
        and field.default not in (None, "", (), [])
        and isinstance(field.default, (str, int, float, list))
    ):
        default = field.default if not isinstance(field.default, list) else f"[{', '.join(field.default)}]"
        said += f" Default: `{default}`."
    return said.replace("|", "\\|")


def _is_literal(field: Any) -> bool:
    return any(type(mark).__name__ == "LiteralMark" for mark in field.metadata)


def _choices(annotation: Any) -> tuple[str, ...]:
    return tuple(choice for choice in get_args(annotation) if isinstance(choice, str))


def expressions() -> str:
    """Every filter, function and test."""
    from procession.expressions.operations import FILTERS, FUNCTIONS, TESTS

    lines = [MADE, "", "# Expressions", "", EXPRESSIONS_INTRODUCTION, ""]
    for title, registry, word in (
        ("Filters", FILTERS, "value | name"), ("Functions", FUNCTIONS, "name()"), ("Tests", TESTS, "value is name"),
    ):  # fmt: skip
        lines += [f"## {title}", "", f"`{word}`", "", "| name | what | example |", "|---|---|---|"]
        lines += [_operation(operation) for operation in registry.values()]
        lines.append("")
    return _page(lines)


def _operation(operation: Any) -> str:
    doc, example = (text.replace("|", "\\|") for text in (operation.doc, operation.example))
    return f"| `{operation.name}` | {doc} | `{example}` |"


def settings() -> str:
    """Every setting."""
    from flows.settings import described

    lines = [MADE, "", "# Settings", "", SETTINGS_INTRODUCTION, "",
             "| setting | environment variable | default | what |", "|---|---|---|---|"]  # fmt: skip
    for name, variable, default, description in described():
        lines.append(f"| `{name}` | `{variable}` | {f'`{default}`' if default else ''} | {description} |")
    return _page(lines)


def commands() -> str:
    """Every command with its arguments, options and examples."""
    from typer.main import get_command

    from procession.cli.main import app

    lines = [MADE, "", "# Commands", "", COMMANDS_INTRODUCTION, ""]
    for path, command in every_command("procession", get_command(app)):
        lines += [f"## `{path}`", "", *_help(command.help or ""), *_parameters(command)]
    return _page(lines)


def every_command(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    """(command line, command) of every command below this one."""
    for name, below in getattr(command, "commands", {}).items():
        yield f"{path} {name}", below
        yield from every_command(f"{path} {name}", below)


def _help(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\n+", text.strip()):
        if paragraph.startswith("  "):
            yield "```sh"
            yield from (line.strip() for line in paragraph.splitlines())
            yield "```"
        elif paragraph != "Examples:":
            yield " ".join(paragraph.split())
        else:
            continue
        yield ""


def _parameters(command: Any) -> Iterator[str]:
    rows = [_parameter(parameter) for parameter in command.params if parameter.name != "help"]
    if rows:
        yield "| argument or option | what |"
        yield "|---|---|"
        yield from rows
        yield ""


def _parameter(parameter: Any) -> str:
    names = ", ".join(
        f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts) if name.startswith("-")
    )
    shown = names or f"`{parameter.metavar or parameter.name}`"
    return f"| {shown} | {(getattr(parameter, 'help', '') or '').replace('|', chr(92) + '|')} |"


def _page(lines: list[str]) -> str:
    return "\n".join(lines).rstrip() + "\n"


STEPS_INTRODUCTION = """\
A step is one item of `steps:`; its kind is its key. Beside the kind stand, as far as they are needed:

| key | what |
|---|---|
| `id` | Its name for later steps: `outputs.<id>`. |
| `name` | A title for people. |
| `if` | A condition: the step is taken only if it holds. With `then` it is a step of its own. |
| `retry` | `transient` (six tries in a quarter of an hour), `none`, or `{max_attempts, interval, backoff, max_interval, jitter, on}`. |
| `on_error` | Steps to take when it failed for good; `error.message` says why. |
| `timeout` | At `wait` and `wait_for`: how long it waits at most, such as `2 business days`. |
| `on_timeout` | Steps to take when it waited in vain; without them that is an error (`error.class` is `timeout`), as any other. |

**`retry`** tries a step again that failed, after a pause; `on` says after which errors (`temporary` ones, unless it
names others). At a step with steps inside (`if`, `choose`, `for_each`) it is what every step inside goes by that names no `retry`
of its own, the nearest one first; what `defaults` say comes last. Each step is tried again by itself: the block as a whole never
is, since its mails would be sent again. What stands in the `on_error` of a step is outside of it.

**`on_error`** takes over when a step has failed for good, after its last try. At a step with steps inside it catches what
fails anywhere inside: the rest of the block is left out, these steps are taken, and the process goes on after the block. An
error goes to the innermost `on_error` around it, then to `errors` of the process; if there is none, the instance waits as an incident.

A key that can have no effect where it stands is a mistake that `procession check` finds: a `retry` where nothing
can fail for a moment, an `on_error` at a step that cannot fail, `undo` beside `send: draft`."""

EXAMPLES = {
    "wait_for": """\
What is first ends the wait: a record that is saved, a message, a signal, a moment. `match` sees `record` and `event`
(`event.type`, `event.changed`, `event.data.<name>`), and all that the step sees. **Which record** is meant says an equality in it, such as
`record.contact == meeting.contact` or `event.data.order == vars.order`, by which instances are found however many wait. It compares the record, one that it
refers to, or a value of a message; names and addresses are no such equality, and what stands behind `or` need not hold. Without one the record
that the process is about is meant. (A trigger asks by `if`, a wait by `match`.) Later steps read `outputs.<id>.record`, `.data`, `.type` (`until` for a moment), `.came_at`, and `.source`: the number of the one that came.

What happened before the step was reached counts too, back to the start of the instance, unless `since` says otherwise: a reply
that came while the process did something else is not lost. An instance takes each event once: in a loop, the second wait
gets the second reply. What a process saves itself it does not wait for.

```yaml
process: ask_for_date
inputs:
  meeting: {type: record, of: activity}
triggers: [{manual: {on: activity}}]
history: {on: "{{ meeting.opportunity }}"}
steps:
  - id: answer
    wait_for:
      - record: activity
        events: [added]
        match: record.contact == meeting.contact and record.type == 'email' and record.incoming
        then:
          - log_history: "They replied: {{ outputs.answer.record.subject }}"
      - {record: activity, events: [modified], changed: [start], match: record == meeting}
      - {message: called back, about: activity}
    timeout: 2 business days
    on_timeout:
      - create_activity: {type: call, subject: "Ask {{ meeting.contact.name }}", contact: "{{ meeting.contact }}", due: 1 business day}
```""",
}
"""After the fields of a kind of step."""

EXPRESSIONS_INTRODUCTION = """\
A text holds expressions in `{{ }}`; a condition (`if`, `when`) is one without braces. A field that is exactly one
`{{ }}` keeps the type of its value; mixed text is text.

| name | what |
|---|---|
| `meeting`, `inputs.meeting` | An input of the process. A record input is live: it is read when the process goes on. |
| `record`, `event` | In triggers, and in the `match` of a `wait_for`: the record, and `event.type`, `event.changed`, `event.name`, `event.at`, `event.data`. |
| `trigger` | What started it: `trigger.id`, `trigger.event`. |
| `outputs.invite.message_id` | What an earlier step left. |
| `vars.name` | What a `set` step set. |
| `process` | `process.id`, `process.title`, `process.instance`, `process.timezone`. |
| `error` | In `on_error` and `errors`: `error.message`, `error.class`, `error.step`. |
| `now()` | This moment. |

A mistake in an expression is found by `procession check`; one that fails on the values it meets stops the instance
as an incident that names the place, the expression and what it saw. Nothing is ever silently empty."""

SETTINGS_INTRODUCTION = """\
An environment variable wins over `procession.toml` in the project folder; a name with a dot stands in a table there:

```toml
mail_domain = "example.com"

[smtp]
host = "mail.example.com"
user = "sales@example.com"
password = "env:SMTP_SECRET"
```

A password is never written down: `env:NAME` names the environment variable, `file:/path` the file that holds it.
`procession doctor` tries what is set."""

COMMANDS_INTRODUCTION = """\
`--project DIR` (or `PROCESSION_PROJECT`) names the project's folder; otherwise it is the nearest one upwards.
`--json` prints one JSON document on standard output and nothing else. `--debug` shows where an error arose.

| exit code | what |
|---|---|
| 0 | As asked. |
| 1 | The answer is no: `check` found a problem, `doctor` something unwell, a run failed, a mail was not taken. |
| 2 | Wrong use, or something to mend first: a setting, a file, a database, a server. |
| 130 | Interrupted. |"""

PROCESS_INTRODUCTION = """\
One process is one YAML file in `processes/`, called after its id. `procession check` reads it as the engine does.

```yaml
process: tell_owner_of_big_deal
title: Tell the owner of a big deal
owner: sales
inputs:
  deal: {type: record, of: opportunity}
triggers:
  - record: opportunity
    events: [modified]
    changed: [amount]
    if: record.amount is not empty and record.amount > 50000
key: "{{ deal.id }}"
mode: restart
history: {on: "{{ deal }}"}
steps:
  - notify: {to: "{{ deal.owner }}", text: "{{ deal.name }} is worth {{ deal.amount }} now"}
```

Texts that the tables call plain hold no `{{ }}`. What stands in `{{ }}`: [Expressions](expressions.md). The steps: [Steps](steps.md)."""

INPUTS = """\
What a process is about, by name. A record is kept as what it is, not as it was: it is read again whenever the process goes on.
A trigger fills the one record input of its kind by itself; others it names under `inputs`.

```yaml
process: remind
inputs:
  deal: {type: record, of: opportunity}
  days: {type: int, default: 3, min: 1, max: 30, description: How long to wait for an answer.}
  tone: {type: select, options: [friendly, plain], default: friendly}
  text: {type: text, required: false}
triggers:
  - manual: {on: opportunity}
steps:
  - create_activity: {type: call, subject: "Ask about {{ deal.name }}", opportunity: "{{ deal }}", due: "{{ days }} days"}
```"""

SAVED = """\
Whoever saves: a person, an import, another process. `changed` and `if` narrow it down; in `if`, `record` is the record as it is when
it is looked at, and `event.type` and `event.changed` say what happened. What a process saves itself does not start it again.
With `debounce: 2m` saves of one record that follow each other within two minutes are one start, of the latest: what changed adds up, `if` is asked
and the inputs are taken when two minutes have passed without another.

```yaml
process: greet
inputs: {contact: {type: record, of: contact}}
triggers:
  - id: new
    record: contact
    events: [added]
    if: record.email and not record.opt_out
  - id: address
    record: contact
    events: [modified]
    changed: [email]
history: {on: "{{ contact }}"}
steps:
  - log_history: "{{ 'New contact' if trigger.id == 'new' else 'New address' }}: {{ contact.name }}"
```"""

MESSAGE = """\
Of what no saved record tells: another process sends it (`send_message`, `throw_signal`), a program or a person
(`procession message NAME --about contact:17 --data order=A-17`). A message is for those whom it concerns, a signal for all. With `about`,
`record` is the record it is about, and goes to the one record input of its kind.

```yaml
process: thank_for_payment
inputs:
  deal: {type: record, of: opportunity}
  amount: {type: number}
triggers:
  - message: order paid
    about: opportunity
    if: event.data.amount > 0
    inputs: {amount: "{{ event.data.amount }}"}
history: {on: "{{ deal }}"}
steps:
  - log_history: "Paid: {{ amount }}"
```"""

SCHEDULE = """\
A cron expression of five fields in quotes (minute, hour, day, month, weekday), or a fixed pause. What was missed for longer than ten
minutes while no engine ran is skipped, and so is what was before the schedule was published or changed.

```yaml
process: weekly_look
triggers:
  - schedule: "0 8 * * 1"
    timezone: Europe/Berlin
  - schedule: {every: 6h}
steps:
  - id: open
    read: {entity: opportunity, where: {is_open: true}, order: close_date, limit: 500}
  - notify: {to: sales, text: "{{ outputs.open.count }} opportunities are open"}
```"""

BY_HAND = """\
A button in Prefect, and `procession run NAME --input …`. `on` says which kind of record it is started for.

```yaml
process: call_back
inputs: {contact: {type: record, of: contact}}
triggers:
  - manual: {on: contact}
    title: Call this contact back
steps:
  - create_activity: {type: call, subject: "Call {{ contact.name }} back", contact: "{{ contact }}", due: 1h}
```"""

KEY_AND_MODE = """\
`key` says what an instance is about; `mode` what a new start does while one with the same key is under way:

| mode | what a second start does |
|---|---|
| `parallel` | runs beside the first; the default |
| `single` | is left out: the first goes on alone |
| `restart` | takes over: the first ends before its next step, and the second begins after it |
| `queued` | stands in line: it begins when those before it have ended, in the order of what started them |

An instance has its key until it is over, also while it waits or is held as an incident; `procession incidents` says what that keeps from
beginning. One that stands in line may be cancelled. Without `key`, all but `parallel` mean one instance of the process. A record as key is that record, whatever its name. Where a key is
empty (`{{ contact.phone }}` of a contact without), nobody else is about the same, and the instance runs by itself."""

HISTORY = """\
With it, every effect (a mail, a record that was made, changed or deleted) leaves a line in that record's History; without it,
in the History of the record that it changes. So it is, too, where what stands behind `on` is empty."""

RETRY = """\
`retry` at a step, or in `defaults` for all steps of a kind: `transient` (six tries in a quarter of an hour), `none`, or how in detail.
`errors` are steps for what failed for good and no `on_error` caught; `error.message` and `error.step` say what. Without them the instance
waits as an incident for a person (`procession incidents`).

```yaml
process: welcome
inputs: {contact: {type: record, of: contact}}
triggers: [{manual: {on: contact}}]
defaults:
  send_email: {retry: {max_attempts: 5, interval: 1m, backoff: 3}}
steps:
  - id: hello
    send_email: {to: "{{ contact }}", subject: Welcome, text: "Hello {{ contact.name }}"}
errors:
  - notify: {to: sales, text: "{{ contact.name }} was not welcomed: {{ error.message }}"}
```"""

TEMPLATES_INTRODUCTION = """\
A mail is a folder in `templates/`: `send_email: {template: meeting_new}` takes `templates/meeting_new/`.

| file | what |
|---|---|
| `subject.txt.j2` | The subject, on one line. Needed. |
| `body.html.j2` | The body as HTML. Styles are written into it, as mail programs want them. One body is needed. |
| `body.txt.j2` | The body as plain text; made from the HTML if it is missing. |
| `de/`, `fr/`, `pt-BR/` … | The same files in another language. `de-AT` takes `de`; a language that is missing takes the files above it. |
| `_base/` and other `_…` folders | What several mails share: layout, parts, greetings. |

It is the reader's language (`contact.language`) that decides, and the reader's time zone in which times are written; `language:` and
`timezone:` of the step win over them. `procession check` looks at every language, `procession template preview` shows a mail.

A template is [Jinja](https://jinja.palletsprojects.com/templates/) in a sandbox: blocks, macros, `if`, `for`, `set`, `include`, `import`,
`extends`; no Python. Everything that comes from a record is written as text: it can be no HTML.

```jinja
{% extends "_base/layout.html.j2" %}
{% block heading %}{{ meeting.subject }}{% endblock %}
{% block preview %}{{ meeting.start | date }}{% endblock %}
{% block content %}
<p>Hello {{ recipient.name }},</p>
<p>we meet on {{ meeting.start | date("full") }} at {{ meeting.start | time }} ({{ meeting.start | zone }}).</p>
<p>{{ sender.name }}</p>
{% endblock %}
```

| block of `_base/layout.html.j2` | what |
|---|---|
| `heading` | The line above the mail. |
| `preview` | What a list of mails shows beside the subject. |
| `content` | The mail. |

| name | what |
|---|---|
| inputs, `outputs`, `vars`, `process`, `trigger` | What the step sees: [Expressions](expressions.md). A template without a step sees only what `--with` gives it. |
| `with:` of the step | Values of its own. |
| `recipient`, `sender` | The contact or user: `name`, `email`, `phone`, `timezone`; of a contact also `first_name`, `last_name`, `salutation`, `language` …, of a user `signature`. Somebody without a record has a name and an address; all else of them is empty. |
| `language`, `timezone` | Those in which this mail is written. |"""

TEMPLATE_FILTERS = """\
`date`, `time` and `datetime` take a width (`short`, `medium`, `long`, `full`), all that writes moments a `zone=`: `{{ meeting.start |
time(zone=meeting.timezone) }}`. It is written for the reader, in their language and zone, unless these say otherwise.

Besides them, as [Jinja has them](https://jinja.palletsprojects.com/templates/#list-of-builtin-filters):"""

PAGES: Mapping[str, Callable[[], str]] = {
    "process.md": process,
    "templates.md": templates,
    "steps.md": steps,
    "expressions.md": expressions,
    "settings.md": settings,
    "commands.md": commands,
}

if __name__ == "__main__":
    main()
