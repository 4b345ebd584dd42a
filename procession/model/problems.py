"""Mistakes of shape, in the product's words: the collector, and pydantic's errors translated."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from procession.errors import ShapeProblem
from procession.model import words
from procession.model.draft import YamlPath, path_in_words
from procession.source import Document
from procession.spelling import closest, one_of

Locate = Callable[[YamlPath], YamlPath]
"""From a path below a shape to the path in the file."""


@dataclass(frozen=True, slots=True)
class Problems:
    """What is wrong with one document, each mistake once."""

    document: Document
    found: dict[tuple[str, str], ShapeProblem] = field(default_factory=dict)

    def add(
        self, message: str, path: YamlPath, hint: str = "", *, key: bool = False, offset: int | None = None
    ) -> None:
        at = self.document.place(path, key=key, offset=offset)
        problem = ShapeProblem(message, at=at, path=path_in_words(self.document, path), hint=hint)
        self.found.setdefault((str(at), message), problem)

    def unknown(self, word: str, of: str, where: YamlPath, known: Sequence[str]) -> None:
        """A key that `of` does not have."""
        path = (*where, word)
        if words.is_later(word, known):
            self.add(f"{word!r} is not available in this version", path, key=True)
        else:
            self.add(f"{word!r} is not a key of {of}", path, words.hint_for(word, known), key=True)


def check_shape(
    shape: type[BaseModel], value: Mapping[str, Any], of: str, locate: Locate, problems: Problems
) -> BaseModel | None:
    """`value` as this shape; None if it has problems. `of` is what messages call the thing.

    Nothing is converted: a text is no number, and a number no text.
    """
    try:
        return shape.model_validate(value, strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        _translate(error, shape, value, of, locate, problems)
    return None


def keys_of(shape: type[BaseModel]) -> tuple[str, ...]:
    return tuple(info.alias or name for name, info in shape.model_fields.items())


def _translate(
    error: ValidationError, shape: type[BaseModel], value: Mapping[str, Any], of: str, locate: Locate, problems: Problems
) -> None:  # fmt: skip
    by_path: dict[YamlPath, list[ErrorDetails]] = defaultdict(list)
    for details in error.errors(include_url=False):
        by_path[_real(details, value)].append(details)
    guesses = {
        (*path[:-1], words.meant(str(path[-1]), _known(shape, path)))
        for path, (details, *_) in by_path.items()
        if details["type"] == "extra_forbidden"
    }
    for path, group in by_path.items():
        owner = of if len(path) <= 1 else f"an entry of {path[0]!r}"
        if group[0]["type"] == "missing":
            if path not in guesses:
                _missing(shape, path, owner, locate, problems)
        elif group[0]["type"] == "extra_forbidden":
            problems.unknown(str(path[-1]), owner, locate(path)[:-1], _known(shape, path))
        elif not any(other[: len(path)] == path for other in by_path if len(other) > len(path)):
            _wrong_value(path, group, shape, owner, locate, problems)


def _real(details: ErrorDetails, value: Any) -> YamlPath:
    """The location without what pydantic adds for unions."""
    path: list[Any] = []
    for segment in details["loc"]:
        if (isinstance(value, Mapping) and segment in value) or (
            isinstance(value, list) and isinstance(segment, int)
        ):
            value = cast("Any", value)[segment]
        elif details["type"] != "missing" or segment != details["loc"][-1]:
            continue
        path.append(segment)
    return tuple(path)


def _known(shape: type[BaseModel], path: YamlPath) -> tuple[str, ...]:
    """The keys of the mapping in which the last segment stands."""
    for segment in path[:-1]:
        if isinstance(segment, str):
            shape = model_below(shape, segment) or shape
    return keys_of(shape)


LISTS_OF_STEPS = ("steps", "then", "else", "on_error", "on_timeout", "errors")


def example(shape: type[BaseModel]) -> str:
    """What a value of this shape looks like: `{to: …, text: …}`, with all it needs."""
    needed = [info.alias or name for name, info in shape.model_fields.items() if info.is_required()]
    keys = needed or list(keys_of(shape))[:1] or ["name"]
    return f"{{{', '.join(f'{key}: …' for key in keys)}}}"


def model_below(shape: type[BaseModel], key: str) -> type[BaseModel] | None:
    """The shape that a field holds: itself, one of a union, or as the items of a list."""
    for name, info in shape.model_fields.items():
        if (info.alias or name) == key:
            return _model_in(info.annotation)
    return None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inside = (_model_in(part) for part in getattr(annotation, "__args__", ()))
    return next((model for model in inside if model), None)


def _missing(shape: type[BaseModel], path: YamlPath, owner: str, locate: Locate, problems: Problems) -> None:
    for segment in path[:-1]:
        if isinstance(segment, str):
            shape = model_below(shape, segment) or shape
    name = str(path[-1])
    info = next(i for n, i in shape.model_fields.items() if (i.alias or n) == name)
    problems.add(f"{owner} needs {name!r}", locate(path)[:-1], info.description or "", key=True)


def _wrong_value(
    path: YamlPath, group: list[ErrorDetails], shape: type[BaseModel], owner: str, locate: Locate, problems: Problems
) -> None:  # fmt: skip
    details, value, where = group[0], group[-1]["input"], locate(path)
    if details["type"] == "value_error":
        message, _, hint = str(details["ctx"]["error"]).partition(". ")
        problems.add(message.rstrip("."), where, _sentence(hint), key=not path, offset=0)
        return
    name = path[-1] if path and isinstance(path[-1], str) else None
    called = repr(name) if name else f"an entry of {path[-2]!r}" if len(path) > 1 else owner
    options = [option for d in group if d["type"] == "literal_error" for option in _options(d)]
    if options and value in words.LATER:
        problems.add(
            f"{value!r} is not available in this version", where, f"Write {_expected(group)}.", offset=0
        )
        return
    if options and isinstance(value, str) and "{{" not in value:
        guess = closest(value, options)
        instead = words.INSTEAD_OF.get(value) or f"Write {_expected(group)}."
        if guess:
            instead = f"Did you mean {guess!r}?"
        problems.add(f"{called} cannot be {value!r}", where, instead, offset=0)
        return
    message, hint = _said(details, value, called, _expected(group))
    below = model_below(shape, name) if name and len(path) == 1 else None
    if below and details["type"] in ("model_type", "model_attributes_type"):
        hint = f"Write `{name}: {example(below)}`."
    elif name in LISTS_OF_STEPS and details["type"] == "list_type":
        hint = f"Write the steps below {name!r}, each beginning with '- '."
    problems.add(message, where, hint, offset=0)


def _options(details: ErrorDetails) -> list[str]:
    return [part.strip("'") for part in details["ctx"]["expected"].replace(" or ", ", ").split(", ")]


_TYPES = {
    "string_type": "a text", "int_type": "a whole number", "float_type": "a number", "bool_type": "true or false",
    "list_type": "a list", "dict_type": "names and values", "model_type": "names and values",
    "model_attributes_type": "names and values", "finite_number": "a number", "int_from_float": "a whole number",
}  # fmt: skip


def _expected(group: Sequence[ErrorDetails]) -> str:
    kinds = [
        one_of(f"'{option}'" for option in _options(d))
        if d["type"] == "literal_error"
        else _TYPES.get(d["type"], "")
        for d in group
    ]
    return one_of([kind for kind in kinds if kind] or ["something else"])


def _said(details: ErrorDetails, value: Any, called: str, expected: str) -> tuple[str, str]:
    """(message, hint) for one kind of pydantic's errors."""
    context = details.get("ctx", {})
    match details["type"]:
        case "greater_than_equal":
            return f"{called} must be at least {context['ge']:g}, not {value}", ""
        case "less_than_equal":
            return f"{called} must be at most {context['le']:g}, not {value}", ""
        case "too_short":
            return f"{called} is empty", "Give it at least one entry."
        case "string_too_short":
            return f"{called} is empty", "Write it out."
        case "string_pattern_mismatch":
            return f"{value!r} cannot be a name", words.as_name(str(value))
        case kind if kind in _TYPES or kind == "literal_error":
            return f"{called} must be {expected}, not {described(value)}", _instead(kind, value)
    return f"{called} is not right: {details['msg']}", ""


def described(value: Any) -> str:
    """A wrong value in a sentence."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return "a text"
        case int() | float():
            return f"the number {value}"
        case list():
            return "a list"
    return "names and values"


def _instead(kind: str, value: Any) -> str:
    if isinstance(value, str) and "{{" in value:
        return "Nothing is filled in here: write it out."
    if kind == "string_type" and isinstance(value, bool | int | float):
        return f'Put it in quotes: "{str(value).lower() if isinstance(value, bool) else value}".'
    if kind in ("int_type", "float_type") and isinstance(value, str) and value.isdecimal():
        return f"Write it without quotes: {value}."
    if kind == "list_type" and isinstance(value, str | int | float) and "\n" not in str(value):
        return f"Write [{value}]."
    return {
        "list_type": "Begin each entry with '- '.",
        "dict_type": "Write `name: value`, one per line.",
        "model_type": "Write `name: value`, one per line.",
    }.get(kind, "")


def _sentence(text: str) -> str:
    text = text.strip()
    return f"{text.rstrip('.')}." if text and not text.endswith(("?", "!")) else text
