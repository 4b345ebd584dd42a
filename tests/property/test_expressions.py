"""Whatever an author writes: the check and the run end soon, stay small and raise only what they name."""

import re
import time
import tracemalloc
from datetime import UTC, date, datetime, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from procession.errors import ExpressionError, Place
from procession.expressions import Expression, Scope, Span, check, evaluate, split
from procession.expressions.kinds import kind_of
from procession.expressions.operations import FILTERS, FUNCTIONS, TESTS
from procession.records import (
    ANY,
    DATETIME,
    DURATION,
    NUMBER,
    TEXT,
    Entity,
    Field,
    Record,
    Ref,
    Schema,
    Type,
    list_of,
    record_of,
)

AT = Place("processes/p.yaml", 1, 1)
CONTACT = Entity("contact", "Contact", {"name": Field(TEXT, "Name"), "email": Field(TEXT, "E-mail")})
ACTIVITY = Entity(
    "activity", "Activity",
    {
        "subject": Field(TEXT, "Subject"), "start": Field(DATETIME, "Start"),
        "contact": Field(record_of("contact"), "Contact"), "amount": Field(NUMBER, "Amount"),
    },
)  # fmt: skip
SCOPE = Scope(
    {
        "meeting": record_of("activity"), "inputs": {"meeting": record_of("activity"), "pause": DURATION},
        "pause": DURATION, "long": TEXT, "all": list_of(record_of("activity")),
    },
    Schema({"activity": ACTIVITY, "contact": CONTACT}),
)  # fmt: skip
ANN = Record(Ref("contact", 1), {"name": "Ann", "email": "ann@acme.example"})
MEETING = Record(
    Ref("activity", 5),
    {"subject": "Kick-off", "start": datetime(2026, 3, 6, 9, tzinfo=UTC), "contact": ANN, "amount": 12.5},
)
EMPTY = Record(Ref("activity", 6), {"subject": "", "start": None, "contact": None, "amount": None})
NAMES = {
    "meeting": MEETING, "inputs": {"meeting": MEETING, "pause": timedelta(days=1)}, "pause": timedelta(days=1),
    "long": "lorem ipsum " * 5_000, "all": (MEETING, EMPTY) * 200, "now": datetime(2026, 3, 2, tzinfo=UTC),
    "process": {"timezone": "Europe/Berlin"}, "none_": None, "day_": date(2026, 3, 2),
}  # fmt: skip

WORDS = st.sampled_from(
    [
        "meeting", "meeting.start", "meeting.contact.name", "inputs.pause", "pause", "long", "all", "none_", "day_",
        "'a'", "'%d'", '"b"', "0", "7", "2.5", "999999999999", "true", "none", "(", ")", "[", "]", "[1:2]", "[0]", ",",
        "+", "-", "*", "/", "//", "%", "**", "~", "|", ".", "==", "!=", "<", "<=", ">", ">=", "=", "and", "or", "not",
        "in", "is", "is not", "if", "else", ":", "__class__", "{", "}", "{{", "&&", "!", "'", "\\", "\n", "é",
        *FILTERS, *TESTS, *(f"{name}()" for name in FUNCTIONS), "duration('2 days')", "map(attribute='contact.name')",
        "where(subject='x')", "sort(attribute='start')", "default('x')", "truncate(5)", "round(2)",
    ]
)  # fmt: skip
SENTENCES = st.lists(WORDS, max_size=40).map(" ".join)
OPERANDS = st.sampled_from(
    ["long", "all", "meeting", "meeting.amount", "meeting.start", "pause", "'ab'", "3", "9999999"]
)
GROWN = st.recursive(
    OPERANDS,
    lambda inner: st.one_of(
        st.tuples(
            inner, st.sampled_from(["~", "+", "-", "*", "/", "%", "==", "<", "in", "and", "or"]), inner
        ).map(lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"),
        st.tuples(inner, st.sampled_from(sorted(FILTERS))).map(lambda parts: f"({parts[0]} | {parts[1]})"),
        st.lists(inner, max_size=4).map(lambda parts: f"[{', '.join(parts)}]"),
        st.tuples(inner, inner, inner).map(lambda parts: f"({parts[0]} if {parts[1]} else {parts[2]})"),
    ),
    max_leaves=40,
)

evaluate(
    Expression("meeting.start | datetime ~ (meeting.start | date(language='de'))", AT), NAMES
)  # loads babel

KINDS = ("text", "number", "bool", "datetime", "duration", "list")
LEAVES = {
    "text": ["'a'", "long", "meeting.subject", "meeting.contact.name", "'Über ~ 5'"],
    "number": ["0", "7", "2.5", "meeting.amount", "meeting.id"],
    "bool": ["true", "false", "meeting == meeting"],
    "datetime": ["now()", "meeting.start", "moment('2026-03-06 10:00')"],
    "duration": ["pause", "inputs.pause", "duration('2 days')", "duration('1 business day')"],
    "list": ["(all | map(attribute='contact.name'))", "['b', 'a', 'b']"],
}
FORMS = (
    ("text", "({} ~ {})", "text number"), ("text", "({} + {})", "text text"), ("text", "({} | upper)", "text"),
    ("text", "{}[:3]", "text"), ("text", "({} if {} else {})", "text bool text"), ("text", "({} | join('-'))", "list"),
    ("text", "({} | date('short'))", "datetime"), ("text", "({} | default({}))", "text text"),
    ("text", "({} | truncate(4))", "text"), ("text", "({} | text)", "duration"),
    ("number", "({} + {})", "number number"), ("number", "({} * {})", "number number"), ("number", "(-{})", "number"),
    ("number", "({} / {})", "number number"), ("number", "({} % {})", "number number"), ("number", "({} | round)", "number"),
    ("number", "({} | length)", "text"), ("number", "({} | days)", "duration"), ("number", "({} / {})", "duration duration"),
    ("number", "([{}, {}] | max)", "number number"), ("number", "([{}, {}] | sum)", "number number"),
    ("bool", "({} < {})", "number number"), ("bool", "({} == {})", "text text"), ("bool", "({} and {})", "bool bool"),
    ("bool", "(not {})", "bool"), ("bool", "({} in {})", "text text"), ("bool", "({} is past)", "datetime"),
    ("bool", "({} is empty)", "text"), ("bool", "({} <= {})", "datetime datetime"), ("bool", "({} in {})", "text list"),
    ("bool", "({} < {} <= {})", "duration duration duration"),
    ("datetime", "({} + {})", "datetime duration"), ("datetime", "({} - {})", "datetime duration"),
    ("datetime", "({} if {} else {})", "datetime bool datetime"), ("datetime", "({} | in_zone('Asia/Tokyo'))", "datetime"),
    ("duration", "({} - {})", "datetime datetime"), ("duration", "({} + {})", "duration duration"),
    ("duration", "({} * {})", "duration number"), ("duration", "(-{})", "duration"),
    ("list", "[{}, {}]", "text text"), ("list", "({} | unique)", "list"), ("list", "({} + {})", "list list"),
    ("list", "({} | sort)", "list"), ("list", "{}[1:]", "list"),
)  # fmt: skip
"""(type, form, types of its parts)."""


@st.composite
def typed(draw: st.DrawFn, kind: str, depth: int = 3) -> str:
    """An expression of this type in which everything fits."""
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from(LEAVES[kind]))
    form, parts = draw(st.sampled_from([(form, parts) for gives, form, parts in FORMS if gives == kind]))
    return form.format(*(draw(typed(part, depth - 1)) for part in parts.split()))


def run(source: str) -> ExpressionError | None:
    try:
        evaluate(Expression(source, AT), NAMES)
    except ExpressionError as error:
        return error
    return None


def held_to_account(source: str) -> None:
    """Check and evaluate; the time and the memory it took are within bounds."""
    tracemalloc.start()
    before = time.thread_time()
    try:
        checked = check(source, SCOPE)
        failure = run(source)
        took, (_, peak) = time.thread_time() - before, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    for finding in checked.findings:
        assert 0 <= finding.offset <= len(source)
        assert len(finding.message) < 300
    if failure is not None:
        assert failure.at == AT
        assert len(failure.message) < 1500
    assert took < 1
    assert peak < 1_000_000


@settings(max_examples=400, deadline=None)
@given(SENTENCES)
def test_no_sentence_breaks_the_sandbox(source):
    held_to_account(source)


@settings(max_examples=300, deadline=None)
@given(GROWN)
def test_no_well_formed_expression_breaks_its_bounds(source):
    held_to_account(source)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=2500))
def test_no_text_breaks_the_sandbox(source):
    held_to_account(source)


@settings(max_examples=300, deadline=None)
@given(GROWN)
def test_what_the_check_finds_nothing_wrong_with_is_never_refused_by_the_syntax(source):
    failure = None if check(source, SCOPE).findings else run(source)

    assert failure is None or "not known here" not in failure.message


@settings(max_examples=600, deadline=None)
@given(st.data(), st.sampled_from(KINDS))
def test_what_is_written_with_care_has_no_findings_and_the_type_it_promises(data, kind):
    source = data.draw(typed(kind))

    checked = check(source, SCOPE)

    assert [f for f in checked.findings if "nested" not in f.message and "words" not in f.message] == []
    assume(not checked.findings)
    assert checked.type.name == kind or {checked.type.name, kind} == {"int", "number"}
    failure = run(source)
    assert failure is None or is_honest(failure)
    if failure is None:
        assert is_of(evaluate(Expression(source, AT), NAMES), checked.type)


def is_honest(failure: ExpressionError) -> bool:
    """Failures that no check can foresee: they depend on the values."""
    reasons = (
        "divides by zero", "leads too far", "too large", "business days", "of fixed length", "more than 100,000",
        "is longer than", "cannot be compared",
    )  # fmt: skip
    return any(reason in failure.message for reason in reasons)


def is_of(value: object, type_: Type) -> bool:
    if type_.name == "any":
        return True
    if type_.name == "list":
        return kind_of(value) == "list" and all(
            item is None or is_of(item, type_.item or ANY)
            for item in value  # type: ignore[attr-defined]
        )
    return kind_of(value) == type_.name or (type_.name == "number" and kind_of(value) == "int")


@settings(max_examples=300, deadline=None)
@given(SENTENCES)
def test_every_finding_points_at_the_beginning_of_a_word(source):
    starts = {0} | {found.start() for found in re.finditer(r"\w+|[^\w\s]", source)}

    assert {finding.offset for finding in check(source, SCOPE).findings} <= starts


@settings(max_examples=300)
@given(
    st.lists(
        st.sampled_from(["{{ a }}", "{{", "}}", "{%", "{#", "x", " ", "'", '"', "a b", "{{ '}}' }}"]),
        max_size=8,
    ).map("".join)
)
def test_splitting_keeps_every_character_in_its_place(text):
    parts = split(text)

    for part in parts:
        if isinstance(part, Span) and not part.problem:
            assert text[part.offset : part.offset + len(part.source)] == part.source
    if not any(isinstance(part, Span) for part in parts):
        assert "".join(part for part in parts if isinstance(part, str)) == text
