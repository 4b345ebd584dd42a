"""What is found wrong with a template without filling it, and which references it follows."""

import mail_world as world
import pytest

from procession.errors import ReferenceProblem, ShapeProblem, SyntaxProblem


def problems(body: str, **files: str) -> list[str]:
    given = {"mail__subject_txt": "Subject", "mail__body_txt": body} | files
    return [str(found).split("\n")[0] for found in world.templates(**given).problems("mail", world.SCOPE)]


def reads(body: str, **files: str) -> set[tuple[str, ...]]:
    return set(
        world.templates(mail__subject_txt="S", mail__body_txt=body, **files).reads("mail", world.SCOPE)
    )


AT = "templates/mail/body.txt.j2"


@pytest.mark.parametrize(("body", "found"), [
    ("{{ meting.subject }}", "1:4: there is no 'meting' here. Did you mean 'meeting'?"),
    ("{{ meeting.strat }}", "1:12: activity has no field 'strat'. Did you mean 'start'?"),
    ("{{ meeting.owner.xyz }}", "1:18: user has no field 'xyz'. It has email, name, phone, signature or timezone."),
    ("\n\n  {{ meeting.contact.frist_name }}", "3:22: contact has no field 'frist_name'. Did you mean 'first_name'?"),
    ("{{ inputs.meting }}", "1:11: there is no 'meting' in inputs. Did you mean 'meeting'?"),
    ("{{ outputs.invite.messageid }}", "1:19: there is no 'messageid' in outputs.invite. Did you mean 'message_id'?"),
    ("{% if meeting.satrt %}{% endif %}", "1:15: activity has no field 'satrt'. Did you mean 'start'?"),
    ("{% for p in meeting.participants %}{{ p.emial }}{% endfor %}", "1:41: contact has no field 'emial'. Did you mean 'email'?"),
    ("{% set c = meeting.contact %}{{ c.nam }}", "1:35: contact has no field 'nam'. Did you mean 'name'?"),
    ("{% with c = meeting.contact %}{{ c.nam }}{% endwith %}", "1:36: contact has no field 'nam'. Did you mean 'name'?"),
    ("{{ (meeting.contact or meeting.owner).x }}", None),
    ("{{ meeting.start | dat }}", "1:20: there is no filter 'dat' in mail templates. Did you mean 'date'?"),
    ("{% if meeting is defind %}{% endif %}", "1:18: there is no test 'defind' in mail templates. Did you mean 'defined'?"),
    ("{{ meeting.participants | map(attribute='account.nme') | join }}", "1:50: account has no field 'nme'. Did you mean 'name'?"),
    ("{{ (meeting.participants | first).emial }}", "1:35: contact has no field 'emial'. Did you mean 'email'?"),
    ('{% include "_base/nothing.txt.j2" %}', "1:13: there is no file '_base/nothing.txt.j2' among the templates."),
    ("{% macro m(c) %}{{ c.nam }}{% endmacro %}{{ m(meeting.contact) }}", "1:22: contact has no field 'nam'. Did you mean 'name'?"),
    ("{{ recipient.name }} {{ sender.anything }} {{ language }} {{ timezone }} {{ now() }}", None),
    ("{% for x in range(3) %}{{ loop.index }}{{ x }}{% endfor %}", None),
    ("{% set x = 1 %}{% if x %}{% set y = 2 %}{% endif %}{{ y }}", None),
    ("{% block a %}{{ self.a() }}{% endblock %}", None),
    ("{% set x %}text{% endset %}{{ x }}", None),
    ("{% macro m() %}{{ caller() }}{% endmacro %}{% call(x) m() %}{{ x }}{% endcall %}", None),
    ("{{ meeting.id }} {{ {'a': 1}.a }} {{ [1, 2][0] }} {{ meeting.subject[:3] }} {{ 1 + 2 ~ 'x' }}", None),
])  # fmt: skip
def test_mistakes_are_found_where_they_are(body: str, found: str | None) -> None:
    assert problems(body) == ([f"{AT}:{found}"] if found else [])


def test_the_line_and_a_caret_are_shown() -> None:
    [found] = world.templates(mail__subject_txt="S", mail__body_txt="Hello {{ meeting.strat }}").problems(
        "mail", world.SCOPE
    )

    assert str(found) == (
        f"{AT}:1:18: activity has no field 'strat'. Did you mean 'start'?\n"
        "    Hello {{ meeting.strat }}\n"
        "                     ^"
    )
    assert type(found) is ReferenceProblem


def test_all_mistakes_of_all_files_are_found_at_once() -> None:
    found = problems(
        "{{ a }}\n{{ b }}",
        mail__de__subject_txt="{{ c }}",
        mail__de__body_html='{% extends "_base/layout.html.j2" %}{% block x %}{{ d }}{% endblock %}',
        _base__layout_html="{{ e }}{% block x %}{{ f }}{% endblock %}",
    )

    assert sorted(line.split(": ", 1)[1] for line in found) == [
        f"there is no '{name}' here." for name in "abcdef"
    ]


def test_what_an_imported_file_gets_wrong_is_found_in_that_file() -> None:
    parts = "{% macro who(c) %}\n{{ c.nam }}{{ meeting.subject }}{% endmacro %}"
    files = {"_base__parts_txt": parts}

    assert problems('{% import "_base/parts.txt.j2" as p %}{{ p.who(meeting.contact) }}', **files) == [
        "templates/_base/parts.txt.j2:2:6: contact has no field 'nam'. Did you mean 'name'?",
        "templates/_base/parts.txt.j2:2:15: there is no 'meeting' here.",
    ]
    assert problems('{% import "_base/parts.txt.j2" as p %}{{ p.hwo() }}', **files) == [
        f"{AT}:1:44: there is no 'hwo' here. Did you mean 'who'?"
    ]
    assert problems('{% from "_base/parts.txt.j2" import whoo %}', **files) == [
        f"{AT}:1:37: there is no 'whoo' in _base/parts.txt.j2. Did you mean 'who'?"
    ]


def test_what_cannot_be_read_is_found() -> None:
    [found] = world.templates(mail__subject_txt="S", mail__body_txt="Hello\n  {% if %}").problems(
        "mail", world.SCOPE
    )

    assert type(found) is SyntaxProblem
    assert found.message == "there is nothing between the braces"
    assert str(found.at) == f"{AT}:2:3"


def test_missing_and_misnamed_files_are_found() -> None:
    found = world.templates(
        mail__body_txt="x", mail__de__subject_txt="x", mail__xq__subject_txt="x", mail__xq__body_htm="x"
    )

    lines = [str(problem).split("\n")[0] for problem in found.problems("mail", world.SCOPE)]
    assert lines == [
        "templates/mail/subject.txt.j2:1:1: the mail has no subject. Write this file.",
        "templates/mail/de/body.html.j2:1:1: the mail has no body. Write body.html.j2 or body.txt.j2.",
        "templates/mail/xq/subject.txt.j2:1:1: 'xq' is not a language. Name the folder de or de-AT.",
        "templates/mail/xq/body_htm.j2:1:1: 'body_htm.j2' is no part of a mail. Did you mean 'body.html.j2'?",
        "templates/mail/xq/body.html.j2:1:1: the mail has no body. Write body.html.j2 or body.txt.j2.",
    ]
    assert all(type(problem) is ShapeProblem for problem in found.problems("mail", world.SCOPE))


def test_an_unknown_mail_is_a_problem_without_a_place() -> None:
    [found] = world.templates(mail__subject_txt="S").problems("mial", world.SCOPE)

    assert str(found) == "there is no mail template 'mial'. Did you mean 'mail'?"


@pytest.mark.parametrize(("body", "followed"), [
    ("{{ meeting.subject }}", set()),
    ("{{ meeting.contact.name }} {{ meeting.contact.id }} {{ meeting.contact }}", set()),
    ("{{ meeting.contact.email }}", {("meeting", "contact")}),
    ("{{ inputs.meeting.contact.email }}", {("meeting", "contact")}),
    ("{{ meeting.contact.account.owner.email }}", {("meeting", "contact"), ("meeting", "contact", "account"), ("meeting", "contact", "account", "owner")}),
    ("{% if meeting.opportunity %}{{ meeting.opportunity.amount }}{% endif %}", {("meeting", "opportunity")}),
    ("{% for p in meeting.participants %}{{ p.account.owner }}{% endfor %}", {("meeting", "participants"), ("meeting", "participants", "account")}),
    ("{{ meeting.participants | map(attribute='email') | join(', ') }}", {("meeting", "participants")}),
    ("{{ meeting.participants | selectattr('email') | map('upper') }}", {("meeting", "participants")}),
    ("{% set c = meeting.contact %}{{ c.email }}", {("meeting", "contact")}),
    ("{{ (meeting.contact or contact).email }}", {("meeting", "contact")}),
    ("{{ (meeting.owner or sender).phone }}", {("meeting", "owner")}),
    ("{% macro m(c, d) %}{{ c.email }}{{ d.phone }}{% endmacro %}{{ m(meeting.contact, d=meeting.owner) }}", {("meeting", "contact"), ("meeting", "owner")}),
    ("{{ unknown(meeting.contact) }}", {("meeting", "contact")}),
])  # fmt: skip
def test_references_are_followed(body: str, followed: set[tuple[str, ...]]) -> None:
    assert reads(body) == followed


def test_a_macro_that_calls_itself_is_walked_once() -> None:
    assert reads("{% macro m(c) %}{{ c.email }}{{ m(c) }}{% endmacro %}{{ m(meeting.contact) }}") == {
        ("meeting", "contact")
    }


@pytest.mark.parametrize(("body", "expected"), [
    ("{% if meeting.owner = 'x' %}{% endif %}", "'=' does not compare. Write '=='."),
    ("{% if meeting.owner %}", "'{% if %}' is not closed. Write '{% endif %}'."),
    ("{{ meeting.subject", "'{{' is not closed. Close it with '}}'."),
    ("{# note", "'{#' is not closed. Close it with '#}'."),
    ("{% if meeting.owner %}{% endfor %}", "'{% endfor %}' stands inside of '{% if %}'. Write '{% endif %}' first."),
    ("{% endif %}", "there is no '{% if %}' before this '{% endif %}'."),
    ("{% foreach x %}", "there is no '{% foreach %}'."),
    ("{{ }}", "there is nothing between the braces."),
    ("{{ meeting.subject | }}", "the expression ends too early."),
    ("{{ meeting subject }}", "'subject' is not expected here. Something is missing before it."),
    ("{% for a of b %}{% endfor %}", "'in' is expected here, not 'of'."),
])  # fmt: skip
def test_what_cannot_be_read_is_said_in_our_words(body: str, expected: str) -> None:
    (found,) = world.templates(mail__subject_txt="S", mail__body_txt=body).problems("mail", world.SCOPE)

    assert f"{found.message}. {found.hint}".strip() == expected


def test_shared_macros_that_were_not_imported_say_how() -> None:
    mails = world.templates(
        other__subject_txt='{% import "_base/parts.txt.j2" as parts %}S', other__body_txt="x", _base__parts_txt="",
        mail__subject_txt="S", mail__body_txt="{{ parts.when(meeting) }}",
    )  # fmt: skip

    (found,) = mails.problems("mail", world.SCOPE)

    assert found.hint == 'Import it above: {% import "_base/parts.txt.j2" as parts %}'
