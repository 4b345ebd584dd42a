"""Which fields of records an expression read: whatever a wait was computed from must wake it when it changes."""

from collections.abc import Iterator
from typing import Any

import pytest
from typing_extensions import override
from unit.expressions.test_values import VALUES
from unit.expressions.world import ACME, ANN, AT, BOB, CAL, CALL, MEETING, NAMES

from procession.errors import ExpressionError
from procession.expressions import Expression, Text, fill, running, touching
from procession.expressions.operations import FILTERS, FUNCTIONS, TESTS
from procession.records import Record, Ref, fields_of, ref_of

Reads = set[tuple[Ref, str]]


def touched(source, **more):
    with touching() as found:
        fill(Expression(source, AT), {**NAMES, **more})
    return found


# --- what is noted

START = (ref_of(MEETING), "start")
PARTICIPANTS = (ref_of(MEETING), "participants")
STARTS = {START: MEETING.start, (ref_of(CALL), "start"): CALL.start}
STATUSES = {(ref_of(MEETING), "status"): "planned", (ref_of(CALL), "status"): "done"}
WRITTEN = (
    ("meeting.start", {START: MEETING.start}),
    ("meeting.contact.name", {(ref_of(MEETING), "contact"): ANN, (ref_of(ANN), "name"): "Ann Bauer"}),
    ("[meeting] | map(attribute='start') | first", {START: MEETING.start}),
    (
        "[meeting] | map(attribute='contact.account.name') | first",
        {
            (ref_of(MEETING), "contact"): ANN,
            (ref_of(ANN), "account"): ACME,
            (ref_of(ACME), "name"): "Acme",
        },
    ),
    ("outputs.find.records | sort(attribute='start') | first", STARTS),
    ("outputs.find.records | map(attribute='start') | max", STARTS),
    ("outputs.find.records | map(attribute='start') | min", STARTS),
    ("outputs.find.records | where(status='done') | length", STATUSES),
    ("[calls[0]] | map(attribute='amount') | sum", {(Ref("opportunity", 9), "amount"): 7}),
    ("item ~ ''", {(ref_of(CAL), "name"): "Cal"}),
    ("item | text", {(ref_of(CAL), "name"): "Cal"}),
    ("item | upper", {(ref_of(CAL), "name"): "Cal"}),
    ("[item] | join", {(ref_of(CAL), "name"): "Cal"}),
    ("meeting | text", {(ref_of(MEETING), "subject"): "Kick-off"}),
    ("calls[1] | text", {(Ref("opportunity", 10), "name"): "", (Ref("opportunity", 10), "title"): "T"}),
    ("item == meeting.contact", {(ref_of(MEETING), "contact"): ANN}),
)
CALLS = (
    Record(Ref("opportunity", 9), {"name": "Pumps", "amount": 7}),
    Record(Ref("opportunity", 10), {"name": "", "title": "T"}),
)


@pytest.mark.parametrize(("source", "fields"), WRITTEN)
def test_a_field_that_an_expression_reads_is_noted_with_its_value(source, fields):
    assert touched(source, calls=CALLS) == fields


def test_a_record_in_the_midst_of_a_text_is_noted_by_what_stands_there():
    with touching() as found:
        fill(Text(("With ", Expression("item", AT))), NAMES)

    assert found == {(ref_of(CAL), "name"): "Cal"}


def test_a_field_that_is_not_there_is_not_noted():
    assert touched("meeting.colour | default('red')") == {}


def test_nothing_is_noted_outside():
    with touching() as found:
        pass
    fill(Expression("meeting.start", AT), NAMES)

    assert found == {}


# --- nothing is read that is not noted


class Spied(dict[str, Any]):
    """The fields of a record, which tell `reads` when one is read, by whatever way."""

    def __init__(self, ref: Ref, fields: dict[str, Any], reads: Reads) -> None:
        super().__init__(fields)
        self.ref, self.reads = ref, reads

    @override
    def __getitem__(self, name: str) -> Any:
        if name in self:
            self.reads.add((self.ref, name))
        return super().__getitem__(name)

    @override
    def get(self, name: str, default: Any = None) -> Any:
        if name in self:
            self.reads.add((self.ref, name))
        return super().get(name, default)

    @override
    def items(self) -> Any:
        self.reads |= {(self.ref, name) for name in self}
        return super().items()

    @override
    def values(self) -> Any:
        self.reads |= {(self.ref, name) for name in self}
        return super().values()


def spied(value: Any, reads: Reads) -> Any:
    """The same, with records that are watched."""
    if isinstance(value, Record):
        watched = Record(ref_of(value), {})
        fields = {name: spied(each, reads) for name, each in fields_of(value).items()}
        object.__setattr__(watched, "_fields", Spied(ref_of(value), fields, reads))
        return watched
    if isinstance(value, dict):
        return {name: spied(each, reads) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return tuple(spied(each, reads) for each in value)
    return value


def called(name: str) -> Record:
    """A record whose name can be taken for something else."""
    return Record(Ref("account", sum(map(ord, name))), {"name": name, "start": NAMES["now"]})


POOL = {
    "record": MEETING, "records": (MEETING, CALL), "people": (ANN, CAL), "nested": ((ANN,), MEETING), "zone": called("Europe/Berlin"),
    "language": called("de"), "width": called("short"), "path": called("start"), "deep": called("contact.name"), "owner": BOB,
    "moment": NAMES["now"], "numbers": (2, 1), "words": "name", "one": 1, "start": "start", "yes": True, "nothing": None,
}  # fmt: skip


def applied() -> Iterator[str]:
    """Each registered operation, on a value and with an argument from the pool, by name and one by one."""
    for names, write in ((FILTERS, "{value} | {call}"), (TESTS, "{value} is {call}"), (FUNCTIONS, "{call}")):
        for name, operation in names.items():
            arguments = ("start", "name") if operation.any_names else operation.arguments
            empty = f"{name}()" if names is FUNCTIONS else name
            calls = [empty, *(f"{name}({argument}={given})" for argument in arguments for given in POOL)]
            for call in calls:
                yield from dict.fromkeys(write.format(value=value, call=call) for value in POOL)


OPERATORS = (
    "{a} ~ {b}", "{a} + {b}", "{a} * {b}", "{a} == {b}", "{a} != {b}", "{a} < {b}", "{a} in {b}", "{a} and {b}", "not {a}", "{a}[{b}]",
    "{a}[0]", "{a}[0:1]", "{a} if {b} else {a}", "[{a}, {b}]", "{a}.start", "{a}.contact.name", "-{a}",
)  # fmt: skip


def written() -> Iterator[str]:
    yield from (source for source, _ in VALUES)
    yield from (form.format(a=a, b=b) for form in OPERATORS for a in POOL for b in POOL)


@pytest.mark.parametrize("sources", [applied, written], ids=["operations", "operators"])
def test_no_field_is_read_that_is_not_noted(sources, monkeypatch):
    monkeypatch.setattr(running, "seen", lambda _source, _names: "")  # looks at values for the message only
    reads: Reads = set()
    names = spied({**NAMES, **POOL, "amount": 12.5}, reads)
    unheard, worked = {}, 0

    for source in dict.fromkeys(sources()):
        reads.clear()
        with touching() as found:
            try:
                fill(Text((Expression(source, AT),)), names)
                worked += 1
            except ExpressionError:
                pass
        if missed := reads - set(found):
            unheard[source] = missed

    assert unheard == {}
    assert worked > 200
