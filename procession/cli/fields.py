"""`crm fields`: what can be written and asked, for people at `crm save` and for authors of expressions."""

from collections.abc import Collection, Iterable, Sequence
from typing import Annotated

import typer

from procession.cli import output
from procession.cli.content import Json
from procession.cli.session import entity_of, session
from procession.errors import InputError
from procession.records import Field, Type


def fields(
    context: typer.Context,
    entity: Annotated[str, typer.Argument(metavar="ENTITY", help="contact, account, opportunity, user or activity")],
    json: Json = False,
) -> None:  # fmt: skip
    """List the fields of a kind of record: what `crm save` takes, and what expressions and templates can ask.

    Examples:

      procession crm fields activity
      procession crm fields contact --json
    """
    schema = session(context).application.schema
    known = schema.entity(entity_of(entity, schema)).fields
    if json:
        output.emit([{"field": name, **_described(field)} for name, field in known.items()])
    else:
        output.table(
            ("field", "what", "title", "written"), [_line(name, field) for name, field in known.items()]
        )


def pairs(written: Iterable[str], option: str) -> dict[str, str]:
    """`name=value` of an option that may be given many times.

    Raises:
        InputError: one has another form.
    """
    found = {}
    for text in written:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise InputError(
                f"{option} {text!r} is not of the form name=value", hint=f"Write {option} name=value"
            )
        found[name.strip()] = value
    return found


def options(words: Sequence[str], flags: Collection[str]) -> dict[str, str]:
    """`--field value` and `--field=value` as `{field: value}`; one of the `flags` alone is a yes.

    Raises:
        InputError: a word is no option, or an option has no value.
    """
    found = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            hint = 'Write --field value, with quotes around blanks: --subject "First talk".'
            raise InputError(f"{word!r} is no field", hint=hint)
        option, equals, value = word.removeprefix("--").partition("=")
        name = option.replace("-", "_")
        if not equals:
            given = bool(rest) and not rest[0].startswith("--")
            if not given and name not in flags:
                raise InputError(f"--{option} needs a value")
            value = rest.pop(0) if given else "yes"
        found[name] = value
    return found


def _line(name: str, field: Field) -> tuple[str, str, str, str]:
    written = "needed" if field.required else "once" if field.fixed else "yes" if field.writable else "no"
    return name, ", ".join(field.options) or _in_words(field.type), field.title, written


def _in_words(kind: Type) -> str:
    match kind.name:
        case "record":
            return kind.of
        case "list":
            return f"list of {_in_words(kind.item)}" if kind.item else "list"
        case "bool":
            return "yes or no"
        case "datetime":
            return "moment"
    return kind.name


def _described(field: Field) -> dict[str, object]:
    return {
        "type": field.type.name, "of": field.type.of or (field.type.item.of if field.type.item else ""),
        "options": list(field.options), "title": field.title, "required": field.required, "writable": field.writable,
        "fixed": field.fixed,
    }  # fmt: skip
