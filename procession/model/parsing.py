"""Document → `Draft`: every mistake of shape at once."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from procession.errors import ProcessErrors
from procession.model import fields
from procession.model.draft import Draft, Filled, InputDraft, YamlPath
from procession.model.problems import Problems, check_shape, keys_of
from procession.model.shapes import HistoryShape, InputShape, ProcessShape
from procession.model.steps import Steps, ids_below
from procession.model.triggers import read_triggers
from procession.model.words import STEP_WORDS, meant
from procession.source import Document
from procession.steps import kind_of
from procession.steps.fields import Wants


def parse(document: Document) -> Draft:
    """The draft of a process file. Mistakes that leave the names in it clear are in its `problems`.

    Raises:
        ProcessErrors: of `ShapeProblem`s, where nothing more can be said before they are mended.
    """
    problems = Problems(document)
    value = document.value
    if not isinstance(value, dict):
        problems.add(
            "a process is written as `key: value` lines", (), "It begins with `process: name_of_the_process`."
        )
        raise _errors(problems)
    check_shape(ProcessShape, value, "a process", lambda path: path, problems)
    _named_like_its_file(value, problems)
    draft = _draft(value, problems)
    if not _clear(value):
        raise _errors(problems)
    return draft


def _errors(problems: Problems) -> ProcessErrors:
    return ProcessErrors(
        f"{problems.document.file} is not a process", problems=tuple(problems.found.values())
    )


_NAMING = ("process", "inputs", "steps", "defaults")
"""The keys without which nothing can be said about the rest."""


def _clear(value: Mapping[str, Any]) -> bool:
    """Whether it is known which inputs and steps there are, whatever else is wrong."""
    known = keys_of(ProcessShape)
    unknown = [str(key) for key in value if key not in known]
    return (
        not any(meant(key, [word for word in known if word not in value]) in _NAMING for key in unknown)
        and isinstance(value.get("process"), str)
        and isinstance(value.get("inputs", {}), dict)
        and isinstance(value.get("steps"), list)
    )


def _draft(value: Mapping[str, Any], problems: Problems) -> Draft:
    process = str(value.get("process"))
    steps = Steps(problems, _defaults(value, problems), frozenset(ids_below(value)))
    inputs = _inputs(_mapping(value, "inputs"), problems)
    triggers = read_triggers(_list(value, "triggers"), problems)
    sections = {
        name: steps.read(value[name], (name,), prefix)
        for name, prefix in (("steps", ""), ("errors", "errors/"))
        if isinstance(value.get(name), list)
    }
    return Draft(
        document=problems.document,
        process=process,
        title=_text(value, "title") or process.replace("_", " ").capitalize(),
        description=_text(value, "description"),
        owner=_text(value, "owner"),
        labels=tuple(label for label in _list(value, "labels") if isinstance(label, str)),
        inputs=inputs,
        triggers=triggers,
        mode=_text(value, "mode") or "parallel",
        key=_filled(value, "key", problems),
        timezone=_filled(value, "timezone", problems),
        history_on=_history(value, problems),
        steps=sections.get("steps", ()),
        errors=sections.get("errors", ()),
        problems=tuple(problems.found.values()),
    )


def _named_like_its_file(value: Mapping[str, Any], problems: Problems) -> None:
    name, file = value.get("process"), PurePath(problems.document.file)
    if isinstance(name, str) and name != file.stem:
        problems.add(
            f"the process {name!r} stands in a file of another name", ("process",),
            f"Name the file {name}.yaml, or the process {file.stem}.", offset=0,
        )  # fmt: skip


def _mapping(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    given = value.get(key)
    return given if isinstance(given, dict) else {}


def _list(value: Mapping[str, Any], key: str) -> list[Any]:
    given = value.get(key)
    return given if isinstance(given, list) else []


def _text(value: Mapping[str, Any], key: str) -> str:
    given = value.get(key)
    return given if isinstance(given, str) else ""


def _filled(value: Mapping[str, Any], key: str, problems: Problems) -> Filled:
    wants = Wants(("text",) if key == "timezone" else ("text", "int", "record"))
    return fields.value(value[key], (key,), problems, wants) if value.get(key) is not None else Filled()


def _history(value: Mapping[str, Any], problems: Problems) -> Filled:
    given = _mapping(value, "history")
    filled, _ = fields.fill(HistoryShape, given, lambda path: ("history", *path), problems)
    return filled.get("on", Filled())


# --- inputs


def _inputs(given: Mapping[str, Any], problems: Problems) -> tuple[InputDraft, ...]:
    return tuple(_input(name, raw, problems) for name, raw in given.items())


def _input(name: str, raw: Any, problems: Problems) -> InputDraft:
    where: YamlPath = ("inputs", name)
    if not isinstance(raw, dict):
        hint = "Write `{type: record, of: activity}` or another type."
        problems.add(f"the input {name!r} says no type", where, hint, offset=0)
        return InputDraft(name, where)
    read = check_shape(InputShape, raw, "an input", lambda path: (*where, *path), problems)
    if not isinstance(read, InputShape):
        return InputDraft(name, where)
    return InputDraft(
        name=name,
        where=where,
        type=read.type,
        of=read.of,
        title=read.title or name.replace("_", " ").capitalize(),
        description=read.description,
        required=read.required and "default" not in raw,
        default=read.default,
        minimum=read.min,
        maximum=read.max,
        pattern=read.pattern,
        options=tuple(read.options),
    )


# --- defaults


def _defaults(value: Mapping[str, Any], problems: Problems) -> Mapping[str, Mapping[str, Any]]:
    """`{step word: {field: value}}`, the known ones of them."""
    defaults: dict[str, Mapping[str, Any]] = {}
    for word, given in _mapping(value, "defaults").items():
        kind = kind_of(word)
        if kind is None or kind.word == "if" or kind.whole:
            known = tuple(w for w in STEP_WORDS if w not in ("if", "wait_for"))
            problems.unknown(word, "'defaults'", ("defaults",), known)
        elif not isinstance(given, dict):
            problems.add(
                f"the defaults of {word!r} must be names and values",
                ("defaults", word),
                "Write one `name: value` per line.",
                offset=0,
            )
        else:
            known = (*keys_of(kind.shape), "retry")
            for key in given:
                if key not in known:
                    problems.unknown(key, repr(word), ("defaults", word), known)
            defaults[word] = given
    return defaults
