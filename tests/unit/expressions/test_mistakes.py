"""What the check says, where it points, and what it advises."""

import pytest
from unit.expressions.world import checked, only_finding, pointed_at

MISTAKES = (
    # names and fields
    ("meetng.start", "meetng.start", "there is no 'meetng' here", "Did you mean 'meeting'?"),
    ("contact.email", "contact.email", "there is no 'contact' here", "Did you mean 'meeting.contact'?"),
    ("urgent", "urgent", "there is no 'urgent' here", "If it is a text, put it into quotes."),
    ("now", "now", "there is no 'now' here", "It is a function. Example: meeting.start > now()."),
    ("meeting.strat", "strat", "activity has no field 'strat'", "Did you mean 'start'?"),
    ("meeting.contact.nme", "nme", "contact has no field 'nme'", "Did you mean 'name'?"),
    (
        "meeting.contact.account.x", "x", "account has no field 'x'", "It has industry or name.",
    ),
    ("inputs.meetin", "meetin", "there is no 'meetin' in inputs", "Did you mean 'meeting'?"),
    ("inputs.xyz", "xyz", "there is no 'xyz' in inputs", "There is meeting or remind_before."),
    ("outputs.fnd.first", "fnd.first", "there is no 'fnd' in outputs", "Did you mean 'find'?"),
    ("outputs.find.frist", "frist", "there is no 'frist' in outputs.find", "Did you mean 'first'?"),
    ("inputs", "inputs", "'inputs' is a group of names", "Add the one you mean: inputs.meeting."),
    ("outputs.find == 2", "outputs.find == 2", "'outputs.find' is a group of names", "Add the one you mean: outputs.find.records."),
    ("outputs.find.records.subject", "subject", "a list has no field 'subject'", "Take one of it with '| first', or a field of each with '| map(attribute=…)'."),
    ("meeting.start.year", "year", "a moment has no field 'year'", "Use a filter: '| date', '| time', '| day' or '| weekday'."),
    ("meeting['start']", "'start']", "a field is not read with brackets", "Write .start."),
    ("meeting._ref", "_ref", "'_ref' is private", "Fields do not begin with '_'."),
    # filters, tests, functions
    ("meeting.subject | uper", "uper", "there is no filter 'uper'", "Did you mean 'upper'?"),
    ("meeting.subject | capitalize", "capitalize", "there is no filter 'capitalize'", "Write 'title'."),
    ("meeting.subject is emty", "emty", "there is no test 'emty'", "Did you mean 'empty'?"),
    ("meeting.subject is not none", "none", "there is no test 'none'", "Write 'empty'."),
    ("meeting.start is defined", "defined", "there is no test 'defined'", "Write 'empty'."),
    ("todday()", "todday()", "there is no function 'todday'", "Did you mean 'today'?"),
    ("strftime()", "strftime()", "there is no function 'strftime'", "There are: day, duration, moment, now, today."),
    ("upper(meeting.subject)", "upper(meeting.subject)", "'upper' is not called like that", "Write it after the value and a bar: … | upper."),
    ("meeting.subject.upper()", "upper()", "'upper' cannot be called", "Write it after the value and a bar: … | upper."),
    ("meeting.start()", "start()", "'start' cannot be called", "Leave out the brackets."),
    ("now(1)", "now(1)", "too many values: 'now' takes none", "Example: meeting.start > now()."),
    ("duration()", "duration()", "'duration' needs a value", "Example: now() + duration('2 business days')."),
    ("meeting.subject | default", "default", "'default' needs a value", "Example: contact.first_name | default('there')."),
    ("meeting.subject | truncate(lenght=5)", "lenght=5)", "'lenght' is nothing that 'truncate' takes", "Did you mean 'length'?"),
    ("meeting.subject | truncate(5, length=6)", "length=6)", "'length' is given twice", "Did you mean 'length'?"),
    ("meeting.subject | truncate('x')", "'x')", "'length' of 'truncate' cannot be a text", "Example: subject | truncate(40)."),
    ("meeting.subject | days", "days", "'days' does not fit a text", "It takes a duration."),
    ("meeting.start | upper", "upper", "'upper' does not fit a moment", "It takes a text or a record."),
    ("meeting.subject | round", "round", "'round' does not fit a text", "It takes a number."),
    ("meeting.start | date('ful')", "'ful')", "'ful' is no width", "Write 'short', 'medium', 'long' or 'full'."),
    ("meeting.start | date(language='klingon')", "'klingon')", "'klingon' is not a language", "Write it as de or de-AT."),
    ("meeting.start | in_zone('Europe/Berln')", "'Europe/Berln')", "there is no time zone 'Europe/Berln'", "Did you mean 'Europe/Berlin'?"),
    ("duration('2 dys')", "'2 dys')", "'2 dys' is not a duration", "Write it as 30s, 5m, 24h, 3 days, 2 business days, 1 week or PT2H."),
    ("moment('soon')", "'soon')", "'soon' is not a moment", "Write it as 2026-03-06T10:00+01:00."),
    ("outputs.find.records | map(attribute='contact.nme')", "nme')", "contact has no field 'nme'", "Did you mean 'name'?"),
    ("outputs.find.records | sort(attribute='strat')", "strat')", "activity has no field 'strat'", "Did you mean 'start'?"),
    ("outputs.find.records | where(stats='done')", "stats='done')", "activity has no field 'stats'", "Did you mean 'status'?"),
    ("outputs.find.records | where(start='x')", "'x')", "a moment never equals a text", "Write moment('2026-03-06 10:00')."),
    # types
    ("meeting.subject < 5", "5", "a text and a number cannot be compared with '<'", "Make the text a number with '| number'."),
    ("5 < meeting.subject", "5 < meeting.subject", "a number and a text cannot be compared with '<'", "Make the text a number with '| number'."),
    ("meeting.start > '2026-01-01'", "'2026-01-01'", "a moment and a text cannot be compared with '>'", "Write moment('2026-01-01')."),
    ("meeting.start == 'tomorrow'", "'tomorrow'", "a moment never equals a text", "Write moment('2026-03-06 10:00')."),
    ("day >= '2026-01-01'", "'2026-01-01'", "a date and a text cannot be compared with '>='", "Write day('2026-01-01')."),
    ("today() < meeting.start", "meeting.start", "a date and a moment cannot be compared with '<'", "Make the moment a date with '| day'."),
    ("remind_before > '2 days'", "'2 days'", "a duration and a text cannot be compared with '>'", "Write duration('2 days')."),
    ("remind_before > 2", "2", "a duration and a number cannot be compared with '>'", "Say of what: duration('2 days'); or count with '| days'."),
    ("meeting.start == 5", "5", "a moment never equals a number", "Say which moment, such as now() - duration('2 days')."),
    ("meeting.contact == 'Ann'", "'Ann'", "a record (contact) never equals a text", "Compare one of its fields: .name."),
    ("meeting == 5", "5", "a record (activity) never equals a number", "Compare one of its fields: .id."),
    ("meeting.contact == meeting.opportunity", "meeting.opportunity", "a record (contact) never equals a record (opportunity)", "Compare records of one kind."),
    ("meeting.is_meeting < true", "true", "a yes-or-no value and a yes-or-no value cannot be compared with '<'", ""),
    ("5 in meeting.subject", "5 in meeting.subject", "a number is not part of a text", "Make it a text with '| text'."),
    ("'x' in meeting.start", "'x' in meeting.start", "'in' needs a list or a text, not a moment", "Write a list: ['a', 'b']."),
    ("5 in trigger.changed", "5 in trigger.changed", "a number never equals a text", "Make the text a number with '| number'."),
    ("meeting.status == 'plannd'", "'plannd'", "activity.status is never 'plannd'", "Did you mean 'planned'?"),
    ("meeting.status == 'open'", "'open'", "activity.status is never 'open'", "It is 'planned', 'done' or 'cancelled'."),
    ("meeting.status in ['planned', 'dne']", "'dne']", "activity.status is never 'dne'", "Did you mean 'done'?"),
    ("meeting.status == planned", "planned", "there is no 'planned' here", "Put it into quotes: 'planned'."),
    ("meeting.subject + 5", "5", "'+' does not fit a text and a number", "Join as text with '~'."),
    ("meeting.subject * 5", "5", "'*' does not fit a text and a number", "Make it a number with '| number'."),
    ("now() + '2 days'", "'2 days'", "'+' does not fit a moment and a text", "Write duration('2 days')."),
    ("now() + 2", "2", "'+' does not fit a moment and a number", "Say of what, such as duration('2 days')."),
    ("now() - today()", "today()", "'-' does not fit a moment and a date", "Moments are subtracted from moments, dates from dates: (later | day) - today()."),
    ("-meeting.subject", "-meeting.subject", "'-' does not fit a text", ""),
    ("meeting[0]", "0]", "a record (activity) has no parts", "Only lists and texts are taken apart."),
    ("trigger.changed[1.5]", "1.5]", "a place in a list is a whole number, not a number", ""),
    # grammar
    ("meeting.subject = 'x'", "= 'x'", "'=' does not compare", "Write '=='."),
    ("meeting.is_meeting && true", "&& true", "'&&' is not known here", "Write 'and'."),
    ("meeting.is_meeting || true", "|| true", "'||' is not known here", "Write 'or'."),
    ("!meeting.is_meeting", "!meeting.is_meeting", "'!' is not known here", "Write 'not'."),
    ("meeting.subject === 'x'", "=== 'x'", "'===' is not known here", "Write '=='."),
    ("meeting.subject <> 'x'", "<> 'x'", "'<>' is not known here", "Write '!='."),
    ("meeting.is_meeting AND true", "AND true", "'AND' is written in small letters", "Write 'and'."),
    ("2 ** 3", "** 3", "there are no powers here", "Multiply with '*'."),
    ("meeting.is_meeting ? 1 : 2", "? 1 : 2", "'?' is not known here", "Write 'this if condition else that'."),
    ("{{ meeting.start }}", "{{ meeting.start }}", "braces do not belong inside an expression", "Write it without '{{' and '}}'."),
    ("{'a': 1}", "{'a': 1}", "there are no groups in braces here", "Write each value as a YAML field of its own."),
    ("“x”", "“x”", "quotation marks must be straight", "Write 'text'."),
    ("'x' if meeting.is_meeting", "'x' if meeting.is_meeting", "this 'if' has no 'else'", "Write 'this if condition else that'."),
    ("(meeting.start", "(meeting.start", "'(' is never closed", "Add ')'."),
    ("meeting.start)", ")", "')' closes nothing", "Remove it, or add the opening one."),
    ("[1, (2]", "(2]", "'(' is never closed", "Add ')'."),
    ("(1]", "]", "']' stands where ')' is needed", "Write ')'."),
    ("meeting.subject == 'x", "'x", "the text that begins here is not closed", "Close it with '."),
    (r"'a\d'", r"\d'", r"'\d' has no meaning in a text", r"Write '\\d' for a backslash."),
    ("meeting.start +", "+", "the expression ends too early", "Something is missing after '+'."),
    ("meeting.start meeting.end", "meeting.end", "'meeting' is not expected here", "Something such as 'and', '==' or '~' is missing before it."),
    ("meeting..start", ".start", "'.' is not expected here", "Something is missing before it."),
    ("== 2", "== 2", "'==' is not expected here", "Something is missing before it."),
    ("now() + 2 days", "days", "'days' is not expected here", "A duration is written as duration('2 days')."),
    ("now() + 24h", "24h", "'24h' is not a number", "A duration is written as duration('24h')."),
    ("12abc", "12abc", "'12abc' is not a number", "Write digits only, or put it into quotes."),
    ("9999999999999999999", "9999999999999999999", "the number is too large", "Numbers go up to a million billions."),
    ("größe == 1", "größe == 1", "'größe' is no name", "If it is a text, put it into quotes."),
    ("meeting.start @ 5", "@ 5", "'@' is not known here", "Remove it, or put it into quotes."),
    ("outputs.find.records[0:4:2]", "0:4:2]", "a part is taken from one place to another, without steps", "Write [0:3]."),
    ("", "", "the expression is empty", "Name a value."),
    ("now(*[1])", "now(*[1])", "values cannot be spread with '*'", "Write every value by itself."),
)  # fmt: skip


@pytest.mark.parametrize(("source", "pointed", "message", "hint"), MISTAKES, ids=[row[0] for row in MISTAKES])
def test_a_mistake_is_named_where_it_stands_with_what_to_do(source, pointed, message, hint):
    finding = only_finding(source)

    assert (finding.message, finding.offset, finding.hint) == (message, len(source) - len(pointed), hint)


def test_all_mistakes_are_found_at_once_in_their_order():
    source = "meeting.strat > now() && meeting.status = 'plannd' or meting.contact.nme"

    messages = [finding.message for finding in checked(source).findings]

    assert messages == [
        "activity has no field 'strat'",
        "'&&' is not known here",
        "'=' does not compare",
        "activity.status is never 'plannd'",
        "there is no 'meting' here",
    ]


def test_a_word_that_is_there_twice_is_pointed_at_where_it_is_wrong():
    source = "meeting.start > now() and 'start' ~ meeting.contact.start"

    assert pointed_at(source) == ["start"]


def test_the_same_mistake_twice_is_pointed_at_twice():
    assert pointed_at("meeting.strat and meeting.strat") == ["strat and meeting.strat", "strat"]


def test_a_mistake_on_a_later_line_has_its_offset():
    source = "meeting.start > now()\n  and meeting.contact.nme == 'x'"

    assert pointed_at(source) == ["nme == 'x'"]


def test_windows_line_ends_do_not_move_the_offset():
    source = "meeting.is_meeting\r\n\r\nand meeting.strat"

    assert pointed_at(source) == ["strat"]


def test_what_follows_from_a_mistake_is_no_mistake():
    finding = only_finding("(meeting.strat.foo + 5) * 2 < meeting.subject")

    assert finding.message == "activity has no field 'strat'"


def test_an_unknown_filter_keeps_quiet_about_its_arguments_types_but_not_about_their_names():
    messages = [finding.message for finding in checked("meeting.subject | uper(meetng)").findings]

    assert messages == ["there is no filter 'uper'", "there is no 'meetng' here"]


def test_a_long_expression_is_refused_whole():
    finding = only_finding("meeting.start " * 200)

    assert finding.message == "the expression is longer than 2000 characters"


def test_a_deep_expression_is_refused_whole():
    finding = only_finding("meeting.is_meeting" + " and true" * 60)

    assert finding.message == "the expression is nested too deeply"


def test_too_many_brackets_are_refused():
    finding = only_finding("(" * 13 + "1" + ")" * 13)

    assert finding.message == "the brackets are nested too deeply"


def test_too_many_words_are_refused():
    finding = only_finding("[" + "1," * 200 + "1]")

    assert finding.message == "the expression has more than 300 words"


@pytest.mark.parametrize(
    ("source", "group", "name"),
    [
        ("meetng.start", "", "meetng"),
        ("inputs.meetng", "", "meetng"),
        ("outputs.fnd.count", "outputs", "fnd"),
        ("vars.greting", "vars", "greting"),
        ("meeting.status == planned", "", "planned"),
    ],
)
def test_a_name_that_is_not_there_is_known_as_such_whatever_the_message_says(source, group, name):
    finding = only_finding(source)

    assert (finding.kind, finding.group, finding.name) == ("missing", group, name)


def test_what_a_step_does_not_give_is_a_mistake_of_its_own():
    assert only_finding("outputs.find.cuont").kind == "mistake"
