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
GROUPS = {"data": "Data", "comm": "Mail and History", "flow": "Order of steps", "other": "Other"}


def main() -> None:
    """Write every page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
        sys.stdout.write(f"wrote docs/reference/{name}\n")


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
    yield f"### `{kind.word}`"
    yield ""
    yield f"{kind.title}.{' Needs an `id`.' if kind.needs_id else ''}"
    if kind.shorthand:
        yield f"`{kind.word}: …` is short for `{kind.word}: {{{kind.shorthand}: …}}`."
    yield ""
    if kind.word == "set":
        yield 'Its fields are names of your own: `set: {greeting: "Hello {{ meeting.contact.name }}"}` gives `vars.greeting`.'
    else:
        yield from _fields(kind.shape)
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
        and isinstance(field.default, (str, int))
    ):
        said += f" Default: `{field.default}`."
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

**`retry`** tries a step again that failed, after a pause; `on` says after which errors (`temporary` ones, unless it
names others). At a step with steps inside (`if`, `choose`, `for_each`) it is what every step inside goes by that names no `retry`
of its own, the nearest one first; what `defaults` say comes last. Each step is tried again by itself: the block as a whole never
is, since its mails would be sent again. What stands in the `on_error` of a step is outside of it.

**`on_error`** takes over when a step has failed for good, after its last try. At a step with steps inside it catches what
fails anywhere inside: the rest of the block is left out, these steps are taken, and the process goes on after the block. An
error goes to the innermost `on_error` around it, then to `errors` of the process; if there is none, the instance waits as an incident.

A key that can have no effect where it stands is a mistake that `procession check` finds: a `retry` where nothing
can fail for a moment, an `on_error` at a step that cannot fail, `undo` beside `send: draft`."""

EXPRESSIONS_INTRODUCTION = """\
A text holds expressions in `{{ }}`; a condition (`if`, `when`) is one without braces. A field that is exactly one
`{{ }}` keeps the type of its value; mixed text is text.

| name | what |
|---|---|
| `meeting`, `inputs.meeting` | An input of the process. A record input is live: it is read when the process goes on. |
| `record`, `event` | In triggers: the saved record, and `event.type`, `event.changed`. |
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

PAGES: Mapping[str, Callable[[], str]] = {
    "steps.md": steps,
    "expressions.md": expressions,
    "settings.md": settings,
    "commands.md": commands,
}

if __name__ == "__main__":
    main()
