"""What the rules look at: a draft with the names that each place can see, and the type of each value."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from procession.errors import ProcessError, ReferenceProblem
from procession.expressions import Checked, Scope
from procession.model import Draft, Leaf, StepDraft, TriggerDraft, YamlPath, path_in_words
from procession.records import ANY, BOOL, INT, NUMBER, TEXT, Schema, Type, list_of

Reads = frozenset[tuple[str, ...]]
"""References, each a path from an input (`("meeting", "contact")`) or from what a step gives
(`("outputs", "open", "records", "owner")`)."""


class Mails(Protocol):
    """The mail templates; implemented by `procession.mail.Templates`."""

    def names(self) -> tuple[str, ...]: ...

    def files(self, name: str) -> Mapping[str, str]: ...

    def problems(self, name: str, scope: Scope) -> list[ProcessError]: ...

    def reads(self, name: str, scope: Scope) -> frozenset[tuple[str, ...]]: ...

    def steps_named(self, name: str) -> frozenset[str]: ...


@dataclass(frozen=True, slots=True)
class World:
    """What a process can refer to: records, mail templates, functions of `call`."""

    schema: Schema
    templates: Mails
    functions: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class TypedLeaf:
    """A leaf with the type of its value, what was found out about its expressions, and the references they follow.

    `owner` is the step or trigger it belongs to; None for what belongs to the process (`key`, `history`).
    """

    leaf: Leaf
    type: Type
    scope: Scope
    checks: tuple[Checked, ...] = ()
    reads: Reads = frozenset()
    owner: StepDraft | TriggerDraft | None = None


@dataclass(frozen=True, slots=True)
class TypedMail:
    """A mail template that a step may send, what is wrong with it there, and the references it follows."""

    step: StepDraft
    template: str
    problems: tuple[ProcessError, ...]
    reads: Reads


@dataclass(frozen=True, slots=True)
class Typed:
    """A draft whose expressions were looked at. `scopes` are by step path."""

    draft: Draft
    leaves: tuple[TypedLeaf, ...]
    scopes: Mapping[str, Scope]
    mails: tuple[TypedMail, ...] = ()
    _by_path: Mapping[tuple[str, YamlPath], TypedLeaf] = field(default_factory=dict)

    def at(self, step: StepDraft, leaf: Leaf) -> TypedLeaf:
        return self._by_path[step.path, leaf.path]


def problem(
    draft: Draft,
    message: str,
    path: YamlPath,
    hint: str = "",
    *,
    key: bool = False,
    offset: int | None = None,
) -> ReferenceProblem:
    """A problem at a place of the draft's file."""
    at = draft.place(path, key=key, offset=offset)
    return ReferenceProblem(message, at=at, path=path_in_words(draft.document, path), hint=hint)


def type_of_plain(value: Any) -> Type:
    """The type of a value that is written out."""
    match value:
        case bool():
            return BOOL
        case int():
            return INT
        case float():
            return NUMBER
        case str():
            return TEXT
        case tuple():
            return list_of(ANY)
    return ANY
