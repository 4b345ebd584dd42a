"""What the check knows of an expression that has no mistakes: its type, and what it reads."""

import pytest
from unit.expressions.world import checked

TYPES = (
    ("meeting", "record of activity"),
    ("inputs.meeting", "record of activity"),
    ("meeting.start", "datetime"),
    ("meeting.id", "int"),
    ("meeting.contact.account.name", "text"),
    ("meeting.participants", "list of record of contact"),
    ("meeting.participants | first", "record of contact"),
    ("meeting.participants[0].name", "text"),
    ("meeting.participants[:2]", "list of record of contact"),
    ("meeting.subject[:2]", "text"),
    ("meeting.participants | map(attribute='account.name')", "list of text"),
    ("outputs.find.records | where(status='done') | length", "int"),
    ("outputs.find.records | sort(attribute='start') | last", "record of activity"),
    ("vars.greeting ~ ' ' ~ 5 ~ meeting.start", "text"),
    ("meeting.subject + '!'", "text"),
    ("meeting.start - remind_before", "datetime"),
    ("meeting.start - now()", "duration"),
    ("now() + 2 * remind_before", "datetime"),
    ("now() + duration('2 business days')", "datetime"),
    ("day + duration('1 day')", "date"),
    ("today() - day", "duration"),
    ("remind_before / 2", "duration"),
    ("remind_before / duration('1 hour')", "number"),
    ("-remind_before", "duration"),
    ("1 + 2", "int"),
    ("1 + 2.5", "number"),
    ("1 / 2", "number"),
    ("7 // 2 % 2", "int"),
    ("meeting.start > now()", "bool"),
    ("1 < 2 <= 3", "bool"),
    ("not meeting.subject", "bool"),
    ("meeting.contact is empty", "bool"),
    ("meeting.start is not past", "bool"),
    ("'Kick' in meeting.subject", "bool"),
    ("meeting.status in ['planned', 'done']", "bool"),
    ("meeting.contact in meeting.participants", "bool"),
    ("'a' if meeting.is_meeting else 'b'", "text"),
    ("1 if meeting.is_meeting else 2.5", "number"),
    ("meeting.contact if meeting.is_meeting else item", "record of contact"),
    ("meeting.start if meeting.is_meeting else none", "datetime"),
    ("'a' if meeting.is_meeting else 2", "any"),
    ("meeting.contact.first_name | default('there')", "text"),
    ("meeting.contact.first_name or meeting.contact.name", "text"),
    ("meeting.start and meeting.subject", "any"),
    ("meeting.contact | upper", "text"),
    ("[1, 2] | sum", "int"),
    ("[1, 2.5] | max", "number"),
    ("[]", "list of any"),
    ("['a', 'b']", "list of text"),
    ("('a', 'b')", "list of text"),
    ("meeting.start | day", "date"),
    ("meeting.start | in_zone(meeting.contact.timezone)", "datetime"),
    ("'12.5' | number", "number"),
    ("2.5 | round", "int"),
    ("2.55 | round(1)", "number"),
    ("none", "any"),
    ("true", "bool"),
)


@pytest.mark.parametrize(("source", "type_"), TYPES)
def test_an_expression_has_the_type_of_what_it_gives(source, type_):
    found = checked(source)

    assert not found.findings
    assert str(found.type) == type_


READS = (
    ("meeting.start", set()),
    ("meeting.contact.email", {"meeting.contact"}),
    ("inputs.meeting.contact.email", {"meeting.contact"}),
    ("meeting.contact.account.industry", {"meeting.contact", "meeting.contact.account"}),
    ("record.opportunity.account.industry", {"record.opportunity", "record.opportunity.account"}),
    # what every reference brings along needs no reading
    ("record == meeting", set()),
    ("meeting.contact == item", set()),
    ("meeting.contact.id == 5", set()),
    ("meeting.contact.name", set()),
    ("meeting.contact is empty", set()),
    ("not meeting.contact", set()),
    ("'To ' ~ meeting.contact", set()),
    # a record that is handed on may be asked for anything
    ("meeting.contact", {"meeting.contact"}),
    ("meeting.participants", {"meeting.participants"}),
    ("meeting", set()),
    ("[meeting.contact, meeting.owner]", {"meeting.contact", "meeting.owner"}),
    ("meeting.contact if meeting.is_meeting else record.owner", {"meeting.contact", "record.owner"}),
    ("(meeting.contact or item).email", {"meeting.contact"}),
    ("meeting.contact.owner | default(meeting.owner)", {"meeting.contact", "meeting.contact.owner", "meeting.owner"}),
    # through lists
    ("meeting.participants | map(attribute='email')", {"meeting.participants"}),
    ("meeting.participants | map(attribute='account.industry')", {"meeting.participants", "meeting.participants.account"}),
    ("(meeting.participants | first).email", {"meeting.participants"}),
    ("meeting.participants[0].email", {"meeting.participants"}),
    ("meeting.participants | where(opt_out=false) | length", {"meeting.participants"}),
    ("outputs.find.records | map(attribute='contact.email')", {"outputs.find.records.contact"}),
    ("outputs.find.first.contact.email", {"outputs.find.first.contact"}),
    ("item.account.industry", {"item.account"}),
    # a mistake at the end does not lose the way there
    ("meeting.contact.nme", {"meeting.contact"}),
)  # fmt: skip


@pytest.mark.parametrize(("source", "paths"), READS)
def test_the_references_an_expression_follows_are_read(source, paths):
    assert {".".join(path) for path in checked(source).reads} == paths
