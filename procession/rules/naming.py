"""The names that expressions can see, by place: what an input is, what a step gives, what a loop is at."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from procession.expressions import Names
from procession.model import Draft, StepDraft
from procession.records import (
    ANY,
    BOOL,
    DATE,
    DATETIME,
    DURATION,
    INT,
    NUMBER,
    TEXT,
    Entity,
    Field,
    Schema,
    Type,
    list_of,
    record_of,
)

INPUT_TYPES: Mapping[str, Type] = {
    "text": TEXT, "int": INT, "number": NUMBER, "bool": BOOL, "date": DATE, "datetime": DATETIME, "duration": DURATION,
    "select": TEXT, "list": list_of(ANY), "user": record_of("user"), "template": TEXT,
}  # fmt: skip
ERROR_CLASSES = ("temporary", "permanent", "unknown", "stopped", "timeout")
EVENT_TYPES = ("added", "modified", "deleted", "schedule", "manual", "message", "signal")

_OURS = {
    "$trigger": {"id": Field(TEXT, "Id"), "event": Field(TEXT, "Event", options=EVENT_TYPES), "changed": Field(list_of(TEXT), "Changed")},
    "$event": {
        "type": Field(TEXT, "Type", options=EVENT_TYPES), "changed": Field(list_of(TEXT), "Changed"), "name": Field(TEXT, "Name"),
        "at": Field(DATETIME, "At"), "data": Field(ANY, "Data"),
    },
    "$process": {name: Field(INT if name == "instance" else TEXT, name) for name in ("id", "title", "instance", "timezone")},
    "$error": {
        "message": Field(TEXT, "Message"), "class": Field(TEXT, "Class", options=ERROR_CLASSES), "step": Field(TEXT, "Step"),
    },
}  # fmt: skip
"""`trigger`, `event`, `process` and `error` are described like records, so that a slip in `trigger.event ==
'modifed'` is found like one in a field of the CRM."""

OURS = {name: record_of(f"${name}") for name in ("trigger", "event", "process", "error")}


def with_ours(schema: Schema) -> Schema:
    """The schema that expressions are checked against."""
    ours = {
        name: Entity(name.removeprefix("$"), name.removeprefix("$"), fields) for name, fields in _OURS.items()
    }
    return Schema({**schema.entities, **ours})


def settled(type_: Type, schema: Schema) -> Type:
    """The type, or "anything" for records of a kind that is not there: `entities_are_known` has said so."""
    if type_.item:
        return list_of(settled(type_.item, schema))
    return ANY if type_.name == "record" and type_.of not in schema.entities else type_


def input_types(draft: Draft, schema: Schema) -> dict[str, Type]:
    """`{input: type}`; an input that could not be read may be anything."""
    types = {
        i.name: record_of(i.of) if i.type == "record" else INPUT_TYPES.get(i.type, ANY) for i in draft.inputs
    }
    return {name: settled(type_, schema) for name, type_ in types.items()}


Origins = Mapping[tuple[str, ...], frozenset[tuple[str, ...]]]
"""`{a name's path: the paths it stands for}`: a loop variable `("item",)` for `("outputs", "open", "records")`."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What has been seen on the way to a step: outputs and named values of earlier steps, and names that
    are only there (`error`, loop variables). `anything`: an opaque step may have named values, too."""

    outputs: Mapping[str, Names | Type] = field(default_factory=dict)
    values: Mapping[str, Type] = field(default_factory=dict)
    local: Mapping[str, Type] = field(default_factory=dict)
    origins: Origins = field(default_factory=dict)
    anything: bool = False

    def names(self, base: Names) -> dict[str, Names | Type]:
        return {
            **base,
            "outputs": self.outputs,
            "vars": ANY if self.anything else self.values,
            **self.local,
        }

    def with_local(self, name: str, type_: Type, stands_for: Iterable[tuple[str, ...]] = ()) -> "Seen":
        origins = {path: roots for path, roots in self.origins.items() if path[0] != name}
        return replace(
            self, local={**self.local, name: type_}, origins={**origins, (name,): frozenset(stands_for)}
        )

    def with_value(self, name: str, type_: Type, stands_for: Iterable[tuple[str, ...]]) -> "Seen":
        known = self.values.get(name, type_)
        values = {**self.values, name: type_ if known == type_ else ANY}
        both = self.origins.get(("vars", name), frozenset()) | frozenset(stands_for)
        return replace(self, values=values, origins={**self.origins, ("vars", name): both})

    def with_outputs(self, step: StepDraft, schema: Schema) -> "Seen":
        """After a step: what it gives, if its author gave it an id to read that by."""
        outputs: dict[str, Names | Type] = {**self.outputs, **dict.fromkeys(step.hidden, ANY)}
        if step.named:
            opaque = step.kind is None or step.shape is None
            given = {} if opaque or step.kind is None else step.kind.outputs(step.shape, schema)
            outputs[step.id] = (
                ANY if opaque else {name: settled(type_, schema) for name, type_ in given.items()}
            )
        return replace(self, outputs=outputs, anything=self.anything or step.kind is None)

    def joined(self, other: "Seen") -> "Seen":
        """After either of two ways; the names that are only there are this one's."""
        seen = self
        for name, type_ in other.values.items():
            seen = seen.with_value(name, type_, other.origins.get(("vars", name), ()))
        outputs = {**self.outputs, **other.outputs}
        return replace(seen, outputs=outputs, anything=self.anything or other.anything)

    def after_loop(self, inside: "Seen") -> "Seen":
        """After a loop: its named values stay, what its steps gave does not."""
        return self.joined(replace(inside, outputs={}))

    def resolve(self, reads: Iterable[tuple[str, ...]]) -> frozenset[tuple[str, ...]]:
        """References with every loop variable and named value replaced by what it stands for."""
        found: set[tuple[str, ...]] = set()
        for read in reads:
            length = next((n for n in (2, 1) if read[:n] in self.origins), 0)
            if length:
                found |= {(*root, *read[length:]) for root in self.origins[read[:length]]}
            else:
                found.add(read)
        return frozenset(found)
