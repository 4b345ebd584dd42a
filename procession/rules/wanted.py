"""Every field gets a value of a type that makes sense for it."""

from collections.abc import Iterable

from procession.errors import ReferenceProblem
from procession.records import Schema, Type, record_of
from procession.rules.typed import Typed, TypedLeaf, World, problem
from procession.spelling import one_of
from procession.steps.fields import Wants

CALLED = {
    "text": "a text", "bool": "yes or no", "int": "a number", "number": "a number", "datetime": "a moment",
    "date": "a date", "duration": "a duration", "record": "a record", "list": "a list", "any": "names and values",
}  # fmt: skip


def fields_get_what_they_need(typed: Typed, world: World) -> Iterable[ReferenceProblem]:
    for found in typed.leaves:
        wants = found.leaf.wants
        if wants is None or found.leaf.value is None:
            continue
        wrong = isinstance(found.leaf.value, dict) or not _fits(found.type, wants)
        if wrong:
            name = _field_name(found)
            message = f"{name!r} needs {in_words(wants)}, not {called(found)}"
            offset = found.leaf.spans[0][1] if found.leaf.spans else 0
            yield problem(
                typed.draft, message, found.leaf.path, _hint(found, wants, world.schema), offset=offset
            )


def _field_name(found: TypedLeaf) -> str:
    return next(segment for segment in reversed(found.leaf.path) if isinstance(segment, str))


def called(found: TypedLeaf) -> str:
    """The type of a value in a sentence."""
    if found.type.name == "record":
        return (
            f"a record ({found.type.of})" if not found.type.of.startswith("$") else f"'{found.type.of[1:]}'"
        )
    return CALLED[found.type.name]


def in_words(wants: Wants) -> str:
    kinds: list[str] = []
    anything_written = {"text", "number"} <= {*wants.types}
    for name in ("text",) if anything_written else wants.types:
        if name == "record" and wants.of:
            kinds.extend(f"a {entity}" for entity in wants.of)
        elif CALLED[name] not in kinds:
            kinds.append(CALLED[name])
    return one_of(kinds)


def _fits(type_: Type, wants: Wants) -> bool:
    if type_.name == "any":
        return True
    if type_.name == "list" and "list" in wants.types:
        return type_.item is None or _fits(
            type_.item, Wants(tuple(t for t in wants.types if t != "list") or ("any",), wants.of)
        )
    if "any" in wants.types:
        return True
    if type_.name not in wants.types and not (type_.name == "int" and "number" in wants.types):
        return False
    return type_.name != "record" or not wants.of or type_.of in wants.of


def _hint(found: TypedLeaf, wants: Wants, schema: Schema) -> str:
    """What the author probably meant: a field of the record, or braces around a name."""
    text = found.leaf.value
    if isinstance(text, str) and "record" in wants.types:
        root = text.strip().split(".")[0]
        return f'Write "{{{{ {text.strip()} }}}}".' if root in found.scope.names else 'Write it as "{{ … }}".'
    if found.leaf.is_expression and found.type.name == "record" and wants.of:
        source = found.leaf.spans[0][0].source
        fields = schema.entities[found.type.of].fields if found.type.of in schema.entities else {}
        near = next(
            (name for of in wants.of for name, field in fields.items() if field.type == record_of(of)), ""
        )
        return f"Did you mean '{source}.{near}'?" if near else ""
    if found.type.name == "list" and found.leaf.is_expression and "text" in wants.types:
        return "Write its items as one text: '| join(', ')'."
    if wants.types == ("list",) and found.type.name == "record":
        return "Write [ … ] around it for a list of one."
    return ""
