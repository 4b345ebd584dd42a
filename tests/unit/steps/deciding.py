"""A context to decide steps in, and a renderer that notes what it was asked for."""

from collections.abc import Mapping, Sequence
from typing import Any

from unit.expressions.world import AT, NAMES, NOW, SCHEMA

from procession.effects import Attachment, Recipient
from procession.ports import Rendered
from procession.records import Record, Ref
from procession.steps import kind_of
from procession.steps.kind import Context, Outcome

OPPORTUNITY = Ref("opportunity", 9)
SENDER = Recipient("crm@us.example", "Us", Ref("user", 2))


class NotingRenderer:
    """Renders the template's name; `asked` holds the arguments of each call."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.invited: list[dict[str, Any]] = []

    def render(self, template: str, names: Mapping[str, Any], *, language: str, timezone: str) -> Rendered:
        self.asked.append({"template": template, "names": names, "language": language, "timezone": timezone})
        return Rendered(f"About\n {template}", "Hello", "<p>Hello</p>", language[:2])

    def invitation(self, meeting: Record, *, sender: Recipient, to: Sequence[Recipient]) -> Attachment:
        self.invited.append({"meeting": meeting, "sender": sender, "to": tuple(to)})
        return Attachment("invitation.ics", "text/calendar", b"BEGIN:VCALENDAR")


def context(**changes: Any) -> Context:
    given: dict[str, Any] = {
        "names": NAMES, "now": NOW, "process": "p", "title": "Follow up", "message_id": "<abc@us.example>",
        "mail_domain": "us.example", "default_sender": SENDER, "history_on": OPPORTUNITY,
        "renderer": NotingRenderer(), "schema": SCHEMA, "functions": {}, "at": AT,
    }  # fmt: skip
    return Context(**{**given, **changes})


def decide(word: str, fields: Mapping[str, Any], **changes: Any) -> Outcome:
    kind = kind_of(word)
    assert kind is not None
    return kind.decide(fields, context(**changes))


def only_effect(word: str, fields: Mapping[str, Any], **changes: Any) -> Any:
    (effect,) = decide(word, fields, **changes).effects
    return effect


def changed(record: Record, **fields: Any) -> Record:
    from procession.records import fields_of, ref_of

    return Record(ref_of(record), {**fields_of(record), **fields})
