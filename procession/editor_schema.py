"""A JSON Schema of process files (draft 2020-12), for editors that complete and check while an author types.

It is made of the shapes that the parser itself uses, so the two agree; what needs more than shapes (names,
types, records) only `procession check` can tell.
"""

from typing import Any

from pydantic import BaseModel

from procession.model.shapes import InputShape, ProcessShape, RetryShape, StepFrame
from procession.model.triggers import KINDS
from procession.steps import STEPS
from procession.steps.kind import StepKind

Json = dict[str, Any]


def editor_schema() -> Json:
    """The schema as plain JSON data."""
    definitions: Json = {}
    root = _shape(ProcessShape, definitions)
    root["properties"]["inputs"]["additionalProperties"] = {"$ref": "#/$defs/Input"}
    root["properties"]["triggers"]["items"] = {"$ref": "#/$defs/Trigger"}
    root["properties"]["defaults"] = {"$ref": "#/$defs/Defaults"}
    for kind in STEPS:
        definitions[kind.word] = _shape(kind.shape, definitions)
    definitions["Input"] = _shape(InputShape, definitions)
    definitions["Retry"] = _shape(RetryShape, definitions)
    definitions["Trigger"] = {"oneOf": [_trigger(word, shape, definitions) for word, shape in KINDS]}
    definitions["Defaults"] = _defaults(definitions)
    definitions["Step"] = _step(definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Process",
        **_linked(root),
        "$defs": _linked(dict(sorted(definitions.items()))),
    }


def _shape(shape: type[BaseModel], definitions: Json) -> Json:
    """The schema of one shape; the shapes in it go to `definitions`."""
    schema = shape.model_json_schema(by_alias=True, ref_template="#/$defs/{model}")
    for name, inner in schema.pop("$defs", {}).items():
        definitions[name] = _tidy(inner)
    return _tidy(schema)


def _tidy(schema: Json) -> Json:
    """Without the name of the class, and without defaults that say nothing to an author."""
    schema.pop("title", None)
    for field in schema.get("properties", {}).values():
        if "default" in field and field["default"] in ("", None):
            del field["default"]
    return schema


def _linked(schema: Any) -> Any:
    """With a reference wherever a shape only names another: steps hold steps."""
    if isinstance(schema, dict):
        names = {"Step": "Step", "RetryShape": "Retry"}
        if set(schema) == {"title"} and schema["title"] in names:
            return {"$ref": f"#/$defs/{names[schema['title']]}"}
        return {key: _linked(value) for key, value in schema.items()}
    return [_linked(item) for item in schema] if isinstance(schema, list) else schema


def _trigger(word: str, shape: type[BaseModel], definitions: Json) -> Json:
    schema = _shape(shape, definitions)
    if word == "manual":
        schema["properties"]["manual"] = {"anyOf": [schema["properties"]["manual"], {"type": "null"}]}
    return schema


def _defaults(definitions: Json) -> Json:
    kinds = [kind for kind in STEPS if kind.word != "if" and not kind.whole]
    retry = _shape(StepFrame, definitions)["properties"]["retry"]
    return _closed(
        {
            kind.word: _closed({**definitions[kind.word].get("properties", {}), "retry": retry})
            for kind in kinds
        },
        description="Values that every step of a kind gets unless it has its own.",
    )


def _step(definitions: Json) -> Json:
    """A step has what every step may have, and exactly one word that says what it does."""
    kinds = [kind for kind in STEPS if kind.word != "if"]
    branching = definitions["if"]["properties"]
    frame = _shape(StepFrame, definitions)["properties"]
    words = {kind.word: _kind(kind, definitions) for kind in kinds}
    return _closed(
        {**frame, **words, "then": branching["then"], "else": branching["else"]},
        description="One thing that is done.",
        oneOf=[{"required": [word]} for word in (*words, "then")],
        dependentRequired={"then": ["if"], "else": ["then"]},
    )


def _kind(kind: StepKind, definitions: Json) -> Json:
    """Below the word of a kind: its fields, or its shorthand; or the one field that is all of it."""
    forms: list[Json] = [{"$ref": f"#/$defs/{kind.word}"}]
    if kind.whole:
        several = definitions.pop(kind.word)["properties"][kind.whole]
        forms = [several["items"], {"type": "array", "items": several["items"], "minItems": 1}]
    if kind.shorthand:
        forms.append({"type": ["string", "number", "boolean", "array"]})
    if not any(field.is_required() for field in kind.shape.model_fields.values()) and kind.word not in (
        "set",
        "wait",
        "wait_for",
    ):
        forms.append({"type": "null"})
    return {
        "title": kind.word,
        "description": kind.title,
        **(forms[0] if len(forms) == 1 else {"anyOf": forms}),
    }


def _closed(properties: Json, **more: Any) -> Json:
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}
