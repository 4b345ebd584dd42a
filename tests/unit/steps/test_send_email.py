from datetime import UTC, datetime

import pytest
from pydantic import ValidationError
from unit.expressions.world import ANN, BOB, CAL, MEETING, NAMES
from unit.steps.deciding import OPPORTUNITY, SENDER, NotingRenderer, changed, context, decide, only_effect

from procession.effects import LogHistory, Recipient
from procession.errors import PermanentError
from procession.records import Ref
from procession.steps import kind_of

ANNS = Recipient("ann@acme.example", "Ann Bauer", Ref("contact", 1))
BOBS = Recipient("bob@us.example", "Bob", Ref("user", 2))
WRITTEN = {"subject": "Hi", "text": "Hello"}


def mail(**fields):
    changes = fields.pop("changes", {})
    return only_effect("send_email", {**({} if "template" in fields else WRITTEN), **fields}, **changes)


def asked(**fields):
    """What the renderer was asked for."""
    renderer = NotingRenderer()
    names = fields.pop("names", NAMES)
    decide("send_email", {"template": "meeting_new", **fields}, renderer=renderer, names=names)
    return renderer.asked[0]


def filled(values):
    return {name: value for name, value in values.items() if value}


def refusal(**fields):
    with pytest.raises(PermanentError) as caught:
        mail(**fields)
    return caught.value


# recipients


def test_a_contact_brings_address_and_name():
    assert mail(to=ANN).to == (ANNS,)


def test_a_user_brings_address_and_name():
    assert mail(to=BOB).to == (BOBS,)


def test_an_address_may_be_written_with_a_name():
    assert mail(to="Anna B. <anna@acme.example>").to == (Recipient("anna@acme.example", "Anna B."),)


def test_a_written_name_may_hold_what_names_hold():
    for written, name in (
        ('"Bauer, Ann" <a@b.example>', "Bauer, Ann"),
        ("Dr. Jörg <a@b.example>", "Dr. Jörg"),
    ):
        assert mail(to=written).to == (Recipient("a@b.example", name),)


def test_a_list_may_hold_all_of_them():
    found = mail(to=(ANN, "x@y.example", (BOB,), None, "")).to

    assert [one.address for one in found] == ["ann@acme.example", "x@y.example", "bob@us.example"]


def test_nobody_is_addressed_twice():
    found = mail(to=(ANN, "ANN@acme.example"), cc=(ANN, BOB), bcc=(BOB, "x@y.example"))

    assert (found.to, found.cc) == ((ANNS,), (BOBS,))
    assert found.bcc == (Recipient("x@y.example"),)


def test_a_record_without_an_address_is_named():
    error = refusal(to=CAL)

    assert error.message == "contact Cal has no e-mail address ('to')"
    assert error.hint == "Add one to contact:7, or guard the step with an 'if'."


def test_a_text_that_is_no_address_is_refused():
    assert refusal(to="anna").message.startswith("'to' holds no valid e-mail address: ")


def test_several_addresses_in_one_text_are_refused_with_what_to_do():
    assert refusal(to="a@b.example, c@d.example").message.endswith("Write several as a list.")


def test_an_address_inside_the_company_needs_no_dot():
    assert mail(to="anna@intranet").to[0].address == "anna@intranet"


def test_an_address_with_a_line_break_is_refused():
    assert "valid e-mail address" in refusal(to="a@b.example\nBcc: x@y.example").message


def test_nobody_to_write_to_is_an_error():
    assert refusal(to=None).message == "'to' is empty: there is nobody to write to"
    assert refusal(to=()).message == "'to' is empty: there is nobody to write to"


def test_a_number_is_nobody():
    assert refusal(to=5).message == "'to' needs a contact, a user or an address, not a number"


# opt-out


def test_a_contact_that_opted_out_is_left_out():
    gone = changed(ANN, opt_out=True)

    assert mail(to=(gone, BOB)).to == (BOBS,)


def test_if_nobody_is_left_that_is_written_into_history():
    outcome = decide("send_email", {"to": changed(ANN, opt_out=True), **WRITTEN})

    assert outcome.effects == (LogHistory(OPPORTUNITY, "No e-mail to Ann Bauer: opted out"),)
    assert outcome.output == {"message_id": "", "record": None, "state": "opted_out"}


def test_without_a_history_of_the_process_it_is_written_into_that_of_the_contact():
    outcome = decide("send_email", {"to": changed(ANN, opt_out=True), **WRITTEN}, history_on=None)

    assert outcome.effects == (LogHistory(Ref("contact", 1), "No e-mail to Ann Bauer: opted out"),)


def test_a_copy_goes_to_nobody_who_opted_out():
    assert mail(to=BOB, cc=changed(ANN, opt_out=True)).cc == ()


def test_an_author_may_write_to_them_all_the_same():
    assert mail(to=changed(ANN, opt_out=True), opt_out="ignore").to == (ANNS,)


# sender


def test_the_sender_is_the_default_one():
    assert mail(to=ANN).sender == SENDER


def test_a_user_sends_from_their_mailbox():
    sender = changed(BOB, mailbox="Bob at Us <bob.sales@us.example>")

    assert mail(to=ANN, **{"from": sender}).sender == Recipient(
        "bob.sales@us.example", "Bob at Us", Ref("user", 2)
    )


def test_a_mailbox_without_a_name_takes_the_users():
    sender = changed(BOB, mailbox="bob.sales@us.example")

    assert mail(to=ANN, **{"from": sender}).sender.name == "Bob"


def test_a_user_without_a_mailbox_sends_from_their_address():
    assert mail(to=ANN, **{"from": BOB}).sender == BOBS


def test_a_sender_may_be_written():
    assert mail(to=ANN, **{"from": "Sales <sales@us.example>"}).sender == Recipient(
        "sales@us.example", "Sales"
    )


def test_a_sender_without_any_address_is_named():
    error = refusal(to=ANN, **{"from": changed(BOB, email=None)})

    assert error.message == "user Bob has no e-mail address ('from')"


# content


def test_a_mail_may_be_written_in_place():
    found = mail(to=ANN, subject="Hi", text="Hello", html="<p>Hello</p>")

    assert (found.subject, found.text, found.html, found.template) == ("Hi", "Hello", "<p>Hello</p>", "")


def test_a_subject_is_one_line():
    assert mail(to=ANN, subject="Hi\r\nBcc: x@y.example").subject == "Hi Bcc: x@y.example"


def test_values_in_a_mail_read_as_in_mixed_text():
    assert mail(to=ANN, subject=MEETING, text=datetime(2026, 3, 6, 9, tzinfo=UTC)).text == "2026-03-06 10:00"


def test_a_template_gives_subject_text_and_html():
    found = mail(to=ANN, template="meeting_new")

    assert (found.subject, found.text, found.html) == ("About meeting_new", "Hello", "<p>Hello</p>")
    assert found.template == "meeting_new"


def test_a_template_sees_the_names_of_the_process_and_those_given_with_it():
    names = asked(to=ANN, **{"with": {"offer": 5}, "from": BOB})["names"]

    assert names["meeting"] is MEETING
    assert names["offer"] == 5
    assert names["recipient"] is ANN
    assert names["sender"] is BOB


def test_a_template_sees_a_written_address_as_name_and_email_with_all_else_empty():
    names = asked(to="Anna <anna@acme.example>")["names"]

    assert filled(names["recipient"]) == {"name": "Anna", "email": "anna@acme.example"}
    assert filled(names["sender"]) == {"name": "Us", "email": "crm@us.example"}
    assert names["sender"]["signature"] == names["recipient"]["first_name"] == ""


def test_an_address_without_a_name_is_called_by_its_address():
    assert asked(to="anna@acme.example")["names"]["recipient"]["name"] == "anna@acme.example"


def test_the_language_is_that_of_the_recipient():
    assert asked(to=ANN)["language"] == "de"


def test_the_language_of_a_step_goes_before_that_of_the_recipient():
    assert asked(to=ANN, language="fr")["language"] == "fr"


def test_without_any_language_it_is_english():
    assert asked(to="a@b.example")["language"] == "en"


def test_the_mail_has_the_language_that_was_found():
    assert mail(to=changed(ANN, language="de-AT"), template="meeting_new").language == "de"


def test_times_are_in_the_zone_of_the_recipient():
    assert asked(to=changed(ANN, timezone="Asia/Tokyo"))["timezone"] == "Asia/Tokyo"


def test_the_zone_of_a_step_goes_before_that_of_the_recipient():
    assert asked(to=ANN, timezone="UTC")["timezone"] == "UTC"


def test_without_a_zone_of_the_recipient_times_are_in_that_of_the_process():
    assert asked(to="a@b.example")["timezone"] == "Europe/Berlin"


def test_without_any_zone_times_are_in_utc():
    assert asked(to="a@b.example", names={})["timezone"] == "UTC"


# threads, timing, connections


def test_a_reply_joins_the_thread_of_an_earlier_mail():
    names = {
        **NAMES,
        "outputs": {"invite": {"message_id": "<1@us.example>", "references": ("<0@us.example>",)}},
    }

    outcome = decide("send_email", {"to": ANN, "reply_to": "invite", **WRITTEN}, names=names)

    assert outcome.effects[0].in_reply_to == "<1@us.example>"
    assert outcome.effects[0].references == ("<0@us.example>", "<1@us.example>")
    assert outcome.output == {"references": ("<0@us.example>", "<1@us.example>")}


def test_a_reply_to_a_mail_that_was_not_sent_begins_a_thread():
    found = mail(to=ANN, reply_to="invite")

    assert (found.in_reply_to, found.references) == ("", ())


def test_a_mail_carries_the_id_of_its_instance_and_place():
    assert mail(to=ANN).message_id == "<abc@us.example>"


def test_undo_holds_a_mail_back():
    assert mail(to=ANN, undo="60s").not_before == datetime(2026, 3, 2, 8, 1, tzinfo=UTC)


def test_without_undo_a_mail_goes_at_once():
    assert mail(to=ANN).not_before is None


def test_a_draft_waits_for_a_person():
    assert mail(to=ANN, send="draft").draft
    assert not mail(to=ANN).draft


def test_an_unknown_outcome_is_held_unless_the_author_says_resend():
    assert mail(to=ANN).on_unknown == "hold"
    assert mail(to=ANN, on_unknown="resend").on_unknown == "resend"


def test_a_mail_is_connected_to_what_the_author_names_and_to_the_history_of_the_process():
    assert mail(to=ANN, connected_to=ANN).connected_to == (Ref("contact", 1), OPPORTUNITY)


def test_an_invitation_is_attached():
    renderer = NotingRenderer()

    found = mail(to=ANN, attach=({"invitation": MEETING},), changes={"renderer": renderer})

    assert [one.name for one in found.attachments] == ["invitation.ics"]
    assert renderer.invited == [{"meeting": MEETING, "sender": SENDER, "to": (ANNS,)}]


def test_an_invitation_to_nothing_is_refused():
    assert refusal(to=ANN, attach=({"invitation": None},)).message == (
        "'invitation' needs a record, not an empty value"
    )


def test_later_steps_read_the_message_id_the_activity_and_the_state():
    kind = kind_of("send_email")

    types = kind.outputs(None, context().schema)

    assert {name: str(type_) for name, type_ in types.items()} == {
        "message_id": "text",
        "record": "record of activity",
        "state": "text",
    }


# shape


def shape_error(**fields):
    with pytest.raises(ValidationError) as caught:
        kind_of("send_email").shape.model_validate({"to": "{{ x }}", **fields})
    return caught.value.errors()[0]["msg"]


def test_a_mail_without_content_is_refused():
    assert shape_error() == "Value error, a mail needs a 'template', or a 'subject' and a 'text'"
    assert shape_error(subject="x") == "Value error, a mail needs a 'template', or a 'subject' and a 'text'"


def test_a_mail_with_two_contents_is_refused():
    assert shape_error(template="x", text="y") == (
        "Value error, a mail has a 'template', or a 'subject' and a 'text', not both"
    )


def test_an_undo_without_a_unit_is_refused():
    assert "has no unit" in shape_error(template="x", undo="60")
