"""Which word an author meant."""

import pytest

from procession.spelling import closest, did_you_mean, one_of


@pytest.mark.parametrize(
    ("written", "known", "meant"),
    [
        ("emial", ["name", "email", "emails"], "email"),
        ("send_mail", ["send_email", "log_history"], "send_email"),
        ("Planned", ["planned", "done"], "planned"),
        ("reply-to", ["reply_to", "to"], "reply_to"),
        ("strat", ["status", "start"], "start"),
        ("address", ["email_address", "name"], "email_address"),
        ("template_name", ["template", "text"], "template"),
        ("xyz", ["name", "email"], ""),
        ("a", ["b"], ""),
        ("", ["a"], ""),
        ("if", ["id"], "id"),
    ],
)
def test_the_closest_word_is_found_if_it_is_close(written: str, known: list[str], meant: str):
    assert closest(written, known) == meant


def test_a_guess_is_a_question():
    assert did_you_mean("strat", ["start"]) == "Did you mean 'start'?"
    assert did_you_mean("strat", ["banana"]) == ""


def test_a_list_reads_like_a_sentence():
    assert one_of(["a", "b", "c"]) == "a, b or c"
    assert one_of(["a"]) == "a"
