"""The inputs of a process as a form in Prefect, and back."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from prefect import Flow
from prefect_world import plan

from flows import form
from flows.starting import Host
from procession.errors import InputError
from procession.inputs import Caller
from procession.records import Ref
from procession.values import to_json

EVERYTHING = """\
process: everything
inputs:
  meeting: {type: record, of: activity, title: Meeting, description: Which one.}
  before: {type: duration, default: 24h, min: 1h, max: 7d, title: Remind before}
  kind: {type: select, options: [short, long], default: short}
  day: {type: date, required: false}
  at: {type: datetime, required: false}
  count: {type: int, min: 1, max: 9, default: 3}
  share: {type: number, required: false}
  sure: {type: bool, default: false}
  note: {type: text, required: false, pattern: "^[a-z]+$"}
  colleagues: {type: list, required: false}
triggers:
  - id: by_hand
    manual: {}
steps:
  - set: {done: true}
"""


HERE = Caller(datetime(2026, 3, 2, 12, tzinfo=UTC), ZoneInfo("Europe/Berlin"))


@pytest.fixture(scope="module")
def everything():
    return plan(EVERYTHING)


@pytest.fixture(scope="module")
def schema(everything, tmp_path_factory) -> dict:
    from flows import build

    def host() -> Host:
        raise AssertionError("nobody runs it")

    made: Flow = build.flow(everything, host, tmp_path_factory.mktemp("results"))
    return made.parameters.model_dump()


def test_every_input_has_its_type_title_and_description(schema: dict) -> None:
    shown = {
        name: (field.get("type"), field.get("format"), field["title"])
        for name, field in schema["properties"].items()
    }

    assert shown == {
        "meeting": ("integer", None, "Meeting (number of the activity)"),
        "before": ("string", None, "Remind before"),
        "kind": ("string", None, "Kind"),
        "day": ("string", "date", "Day"),
        "at": ("string", "date-time", "At"),
        "count": ("integer", None, "Count"),
        "share": ("number", None, "Share"),
        "sure": ("boolean", None, "Sure"),
        "note": ("string", None, "Note"),
        "colleagues": ("array", None, "Colleagues"),
        "event": ("integer", None, "Event"),
    }
    assert schema["required"] == ["meeting"]


def test_the_form_knows_defaults_choices_and_bounds(schema: dict) -> None:
    fields = schema["properties"]

    assert fields["before"]["default"] == "1d"
    assert fields["kind"]["enum"] == ["short", "long"]
    assert (fields["count"]["minimum"], fields["count"]["maximum"], fields["count"]["default"]) == (1, 9, 3)
    assert fields["note"]["pattern"] == "^[a-z]+$"
    assert fields["meeting"]["description"] == "Which one."
    assert fields["before"]["description"] == (
        "A duration like 24h, 30m or 2 business days, at least 1 hour and at most 7 days."
    )


def test_what_the_form_sends_becomes_typed_inputs(everything) -> None:
    sent = {
        "meeting": 17, "before": "36h", "kind": "long", "day": "2026-03-06", "at": "2026-03-06T10:00:00Z",
        "count": 4, "share": 0.5, "sure": True, "note": "hello", "event": None,
    }  # fmt: skip

    inputs = form.given(everything, sent, HERE)

    assert inputs == {
        "meeting": Ref("activity", 17), "before": timedelta(hours=36), "kind": "long", "day": date(2026, 3, 6),
        "at": datetime(2026, 3, 6, 10, tzinfo=UTC), "count": 4, "share": pytest.approx(0.5), "sure": True,
        "note": "hello",
    }  # fmt: skip


def test_a_moment_without_a_zone_is_one_of_the_settings(everything) -> None:
    inputs = form.given(everything, {"meeting": 17, "at": "2026-03-06T10:00"}, HERE)

    assert inputs["at"] == datetime(2026, 3, 6, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({"count": "many"}, "input 'count': 'many' is no whole number"),
        ({"before": "5m"}, "input 'before' (Remind before) cannot be 5 minutes"),
        ({"kind": "huge"}, "input 'kind' cannot be 'huge'"),
        ({"day": "tomorrow"}, "input 'day': 'tomorrow' is not a date"),
        ({"note": "call 12"}, "input 'note' does not have its form: 'call 12'"),
        ({"meeting": ""}, "input 'meeting' of process 'everything' is missing"),
    ],
)
def test_a_wrong_value_is_told_in_a_sentence(everything, sent: dict, message: str) -> None:
    with pytest.raises(InputError) as refused:
        form.given(everything, {"meeting": 17, **sent}, HERE)

    assert refused.value.message == message


def test_a_field_that_was_left_empty_is_not_given(everything) -> None:
    sent = {"meeting": 17, "before": "", "day": "", "note": "", "share": None, "event": 3}

    assert form.given(everything, sent, HERE) == {"meeting": Ref("activity", 17)}


def test_the_inputs_of_an_instance_are_shown_as_the_form_holds_them(everything) -> None:
    inputs = {
        "meeting": Ref("activity", 17), "before": timedelta(hours=36), "at": datetime(2026, 3, 6, 10, tzinfo=UTC)
    }  # fmt: skip

    shown = form.parameters(everything, to_json(inputs))

    assert shown == {"meeting": 17, "before": "36h", "at": "2026-03-06T10:00:00+00:00"}


def test_free_text_is_not_shown_to_everybody_in_prefect(everything) -> None:
    assert form.parameters(everything, to_json({"note": "call ann@acme.example", "kind": "long"})) == {
        "kind": "long"
    }
