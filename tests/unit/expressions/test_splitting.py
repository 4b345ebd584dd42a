from procession.expressions import Span, split


def test_a_text_without_braces_is_one_part():
    assert split("Hello {Ann}") == ("Hello {Ann}",)


def test_an_empty_text_has_no_parts():
    assert split("") == ()


def test_a_text_is_cut_at_its_braces():
    assert split("Hello {{ name }}!") == ("Hello ", Span("name", 9), "!")


def test_the_offset_is_that_of_the_first_character_of_the_expression():
    text = "{{\n   meeting.start }}"

    (span,) = split(text)

    assert text[span.offset :].startswith("meeting.start")


def test_two_expressions_side_by_side_are_two_parts():
    assert split("{{a}}{{b}}") == (Span("a", 2), Span("b", 7))


def test_closing_braces_inside_quotes_do_not_close():
    assert split("""{{ '}}' ~ "}}" }}.""") == (Span("""'}}' ~ "}}\"""", 3), ".")


def test_an_escaped_quote_does_not_end_a_text():
    assert split(r"{{ 'it\'s }}' }}") == (Span(r"'it\'s }}'", 3),)


def test_opening_braces_that_are_never_closed_are_a_problem():
    (_, span) = split("Hello {{ name")

    assert span == Span(" name", 6, "'{{' is not closed", "Close it with '}}'.")


def test_nothing_between_braces_is_a_problem():
    (span,) = split("{{  }}")

    assert span.problem == "there is nothing between '{{' and '}}'"


def test_a_statement_is_a_problem():
    (_, span) = split("Hi {% if x %}")

    assert span.offset == 3
    assert span.problem == "'{%' has no meaning here"
    assert span.hint == "Only {{ … }} is filled in; statements and comments belong in mail templates."


def test_a_comment_is_a_problem():
    (span,) = split("{# note #}")

    assert span.problem == "'{#' has no meaning here"


def test_minus_signs_at_the_braces_are_a_problem():
    (span,) = split("{{- name -}}")

    assert span.problem == "'{{-' and '-}}' have no meaning here"


def test_closing_braces_alone_are_text():
    assert split("a }} b") == ("a }} b",)
