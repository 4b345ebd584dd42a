"""What a template may do, what it gives, and how its failures read."""

from pathlib import Path
from typing import Any

import mail_world as world
import pytest

from procession.errors import ConfigurationError, ExpressionError
from procession.mail import Templates
from procession.ports import Rendered


def render(
    language: str = "en", timezone: str = "UTC", given: dict[str, Any] | None = None, **files: str
) -> Rendered:
    files = {"mail__subject_txt": "Subject", "mail__body_txt": "Text"} | files
    return world.templates(**files).render(
        "mail", world.names(**(given or {})), language=language, timezone=timezone
    )


def failure(body: str, **options: Any) -> ExpressionError:
    with pytest.raises(ExpressionError) as raised:
        render(mail__body_txt=body, **options)
    return raised.value


def said(expression: str, **given: Any) -> str:
    return render(mail__body_txt=expression, given=given).text.rstrip("\n")


# Which files


def test_the_nearest_language_is_taken() -> None:
    files = {"mail__de__subject_txt": "Betreff", "mail__de__body_txt": "Text"}

    found = {
        tag: render(language=tag, **files)
        for tag in ("de", "de-AT", "DE_ch", "nl", "", "en-GB", "xx-nonsense")
    }

    assert {tag: (mail.subject, mail.language) for tag, mail in found.items()} == {
        "de": ("Betreff", "de"),
        "de-AT": ("Betreff", "de-AT"),
        "DE_ch": ("Betreff", "DE-ch"),
        "nl": ("Subject", "en"),
        "": ("Subject", "en"),
        "en-GB": ("Subject", "en-GB"),
        "xx-nonsense": ("Subject", "en"),
    }


def test_a_narrower_language_goes_before_a_wider_one() -> None:
    files = {f"mail__{tag}__{part}": tag for tag in ("zh", "zh-Hant") for part in ("subject_txt", "body_txt")}

    assert render(language="zh-Hant-TW", **files).subject == "zh-Hant"
    assert render(language="zh-Hans-CN", **files).subject == "zh"


def test_text_is_made_from_html_where_there_is_none() -> None:
    html = "<h1>Hello</h1><p>A <a href='https://us.example'>link</a> &amp; more</p><ul><li>one</li></ul>"
    mail = Templates.of_files({"m/subject.txt.j2": "S", "m/body.html.j2": html}).render(
        "m", {}, language="en", timezone=""
    )

    assert mail.text == "Hello\n\nA [link](https://us.example) & more\n\n  * one\n"


def test_a_mail_may_have_no_html() -> None:
    assert render().html == ""


def test_a_mail_without_a_body_is_an_error() -> None:
    with pytest.raises(ExpressionError, match=r"^the mail has no body$") as raised:
        Templates.of_files({"m/subject.txt.j2": "S"}).render("m", {}, language="en", timezone="")

    assert raised.value.hint == "Write body.html.j2 or body.txt.j2."


def test_an_unknown_mail_is_an_error_with_a_guess() -> None:
    with pytest.raises(ExpressionError, match=r"^there is no mail template 'meeting_nwe'$") as raised:
        Templates(world.SHIPPED).render("meeting_nwe", {}, language="en", timezone="")

    assert raised.value.hint == "Did you mean 'meeting_new'?"


def test_a_pinned_version_renders_what_the_folder_did() -> None:
    folder = Templates(world.SHIPPED)
    pinned = Templates.of_files(folder.files("meeting_new"))

    assert pinned.names() == ("meeting_new",)
    assert pinned.render("meeting_new", world.names(), language="de", timezone="") == folder.render(
        "meeting_new", world.names(), language="de", timezone=""
    )


def test_a_mail_is_made_from_its_files_and_those_they_mention() -> None:
    assert sorted(Templates(world.SHIPPED).files("welcome_contact")) == [
        "_base/greetings.txt.j2", "_base/layout.html.j2", "_base/mail.css", "_base/parts.html.j2", "_base/parts.txt.j2",
        "welcome_contact/body.html.j2", "welcome_contact/body.txt.j2", "welcome_contact/de/body.html.j2",
        "welcome_contact/de/body.txt.j2", "welcome_contact/de/subject.txt.j2", "welcome_contact/subject.txt.j2",
    ]  # fmt: skip


def test_a_folder_that_is_not_there_is_the_operators_matter(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no folder of mail templates at"):
        Templates(tmp_path / "none")


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail" / "subject.txt.j2").write_bytes("Größe".encode("latin-1"))

    with pytest.raises(ConfigurationError, match=r"mail/subject.txt.j2 is not UTF-8 text$"):
        Templates(tmp_path)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    root = tmp_path / "templates"
    (root / "mail").mkdir(parents=True)
    (tmp_path / "secret.txt.j2").write_text("secret")
    (root / "mail" / "subject.txt.j2").symlink_to(tmp_path / "secret.txt.j2")

    assert Templates(root).names() == ()


@pytest.mark.parametrize("path", ["../secret.txt.j2", "/etc/passwd", "mail/../../secret"])
def test_a_template_reaches_no_file_outside(path: str) -> None:
    error = failure(f'{{% include "{path}" %}}')

    assert error.message == f"there is no file {path!r} among the templates"
    assert str(error.at) == "templates/mail/body.txt.j2:1:13"


# What it may do


def test_a_subject_is_one_line() -> None:
    mail = render(mail__subject_txt="One\n  two {{ word }}\r\n", given={"word": "a\r\nBcc: b\x00\u2028c"})

    assert mail.subject == "One two a Bcc: b c"


def test_an_empty_subject_is_an_error() -> None:
    with pytest.raises(ExpressionError, match=r"^the subject of the mail is empty$"):
        render(mail__subject_txt="{{ word }}", given={"word": " \n"})


def test_html_escapes_and_text_does_not() -> None:
    mail = render(mail__body_txt="{{ word }}", mail__body_html="<p>{{ word }}</p>", given={"word": "<b>&"})

    assert mail.text == "<b>&\n"
    assert "<p>&lt;b&gt;&amp;</p>" in mail.html


def test_styles_are_written_into_the_html_and_nothing_is_fetched() -> None:
    html = '<link rel="stylesheet" href="file:///etc/passwd"><style>p { color: red } @media print { p { color: blue } }</style><p>x</p>'

    found = render(mail__body_html=html).html

    assert '<p style="color: red;">x</p>' in found
    assert "@media print" in found


def test_default_stands_in_for_what_is_empty() -> None:
    assert said("{{ word | default('there') }}", word=None) == "there"
    assert said("{{ word | default('there') }}", word="") == "there"
    assert said("{{ word | default('there') }}", word="you") == "you"
    assert said("{{ meeting.opportunity.name | default('there') }}", meeting=world.bare()) == "there"


def test_an_if_without_an_else_writes_nothing() -> None:
    assert said("[{{ 'yes' if word }}]", word="") == "[]"


def test_names_below_a_group_are_entries_and_no_methods() -> None:
    assert said("{{ outputs.items.count }}", outputs={"items": {"count": 3}}) == "3"


@pytest.mark.parametrize("body", [
    "{{ ''.__class__ }}", "{{ meeting._fields }}", "{{ word.ljust(9) }}", "{{ word.format(1) }}", "{{ 'a' * 9 }}",
    "{{ [1] * 9 }}", "{{ '%9d' % 1 }}", "{{ 9 ** 999 }}", "{{ meeting.start.strftime('%Y') }}", "{{ outputs.keys() }}",
    "{{ self._TemplateReference__context }}", "{{ range.__globals__ }}", "{{ lipsum() }}", "{{ cycler('a') }}",
    "{% for x in range(20000) %}{% endfor %}", "{% for x in range(200) %}{% for y in range(200) %}{% endfor %}{% endfor %}",
    "{% macro a() %}{{ a() }}{{ a() }}{% endmacro %}{{ a() }}", "{% for x in range(900) %}{{ big }}{% endfor %}",
    "{{ word | attr('upper') }}", "{{ word | center(99) }}", "{{ '<b>' | safe }}", "{{ word | pprint }}", "{% set x.y = 1 %}",
])  # fmt: skip
def test_a_template_cannot_do_what_it_should_not(body: str) -> None:
    error = failure(body, given={"word": "w", "big": "x" * 1000, "outputs": {"a": 1}})

    assert error.at is not None
    assert error.at.file == "templates/mail/body.txt.j2"


# How failures read


def test_what_is_missing_fails_where_the_mail_names_it_and_not_in_a_shared_macro() -> None:
    parts = "{% macro fact(label, value) %}{% if value %}{{ label }}: {{ value }}{% endif %}{% endmacro %}"
    mails = world.templates(
        mail__subject_txt="x", _base__parts_txt=parts,
        mail__body_txt='{% import "_base/parts.txt.j2" as parts %}\n{{ parts.fact("With", meeting.opportunity.name) }}',
    )  # fmt: skip

    with pytest.raises(ExpressionError) as caught:
        mails.render("mail", {"meeting": world.bare()}, language="en", timezone="")

    assert str(caught.value.at) == "templates/mail/body.txt.j2:2:43"
    assert (
        caught.value.message
        == "the mail cannot be written: 'meeting.opportunity' is empty, so it has no 'name'"
    )


def test_a_field_of_an_empty_value_says_which_value_is_empty() -> None:
    error = failure("Hello\n  {{ meeting.opportunity.name }}", given={"meeting": world.bare()})

    assert error.message == "the mail cannot be written: 'meeting.opportunity' is empty, so it has no 'name'"
    assert str(error.at) == "templates/mail/body.txt.j2:2:26"


def test_an_unknown_field_says_what_there_is() -> None:
    error = failure("{{ meeting.strat }}")

    assert (
        error.message
        == "the mail cannot be written: <activity:17> has no field 'strat'. Did you mean 'start'?"
    )
    assert str(error.at) == "templates/mail/body.txt.j2:1:12"


def test_an_unknown_name_is_named() -> None:
    assert failure("{{ meting }}").message == "the mail cannot be written: 'meting' is not known here"


def test_a_failure_in_a_macro_points_into_its_file() -> None:
    files = {
        "mail/subject.txt.j2": "S",
        "mail/body.txt.j2": '{% import "_base/parts.txt.j2" as parts %}{{ parts.two(meeting) }}',
        "_base/parts.txt.j2": "{% macro one() %}{% endmacro %}\n{% macro two(m) %}{{ m.end | time }}{% endmacro %}",
    }

    with pytest.raises(ExpressionError) as raised:
        Templates.of_files(files).render("mail", {"meeting": world.bare()}, language="en", timezone="")

    assert raised.value.message == "the mail cannot be written: a date and time is needed, not an empty value"
    assert str(raised.value.at) == "templates/_base/parts.txt.j2:2:1"


@pytest.mark.parametrize(("body", "message"), [
    ("{% if %}", "the template cannot be read: there is nothing between the braces"),
    ("{{ meeting.start | dat }}", "the template cannot be read: there is no filter 'dat' in mail templates"),
    ("{% if meeting %}", "the template cannot be read: '{% if %}' is not closed"),
])  # fmt: skip
def test_a_template_that_cannot_be_read_says_why(body: str, message: str) -> None:
    error = failure(body)

    assert error.message.startswith(message)
    assert str(error.at) == "templates/mail/body.txt.j2:1:1"


def test_a_failure_shows_no_values() -> None:
    error = failure("{{ word | time }}", given={"word": "x" * 500})

    assert len(error.message) < 150


@pytest.mark.parametrize(("body", "expected"), [
    ("{{ meeting.subject + 1 }}", "'+' does not fit a text and a number"),
    ("{{ 1 + meeting.owner }}", "'+' does not fit a number and a record"),
    ("{% for one in meeting %}{% endfor %}", "a record is no list"),
    ("{{ meeting.start < 5 }}", "'<' does not fit a moment and a number"),
])  # fmt: skip
def test_values_that_do_not_fit_are_named_in_our_words(body: str, expected: str) -> None:
    assert failure(body).message == f"the mail cannot be written: {expected}"
