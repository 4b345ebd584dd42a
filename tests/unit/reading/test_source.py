"""Reading YAML: what a value is, where it stands, and what is refused."""

import pytest

from procession.errors import ProcessErrors, SyntaxProblem
from procession.source import Document, read


def value(text: str):
    return read(text, "p.yaml").value


def problems(text: str | bytes) -> tuple[SyntaxProblem, ...]:
    with pytest.raises(ProcessErrors) as caught:
        read(text, "p.yaml")
    return caught.value.problems


def word_at(document: Document, path: list[str | int], **how) -> str:
    """The rest of the line that a place points at."""
    place = document.place(path, **how)
    return place.excerpt[place.column - 1 :]


def test_plain_words_mean_what_yaml_1_2_says():
    text = (
        "[yes, no, on, 12:30, 2026-03-06, 2026-03-06T10:00, 0123, 0o17, 0xff, 1.5, 1e3, ~, null, true, False]"
    )

    assert value(text) == [
        "yes", "no", "on", "12:30", "2026-03-06", "2026-03-06T10:00", 123, 15, 255, 1.5, 1000.0, None, None, True, False,
    ]  # fmt: skip


def test_quoted_words_stay_text():
    assert value("['1', \"true\", 'null', '']") == ["1", "true", "null", ""]


def test_a_key_is_text_whatever_it_looks_like():
    assert value("{1: a, true: b, on: c}") == {"1": "a", "true": "b", "on": "c"}


def test_a_byte_order_mark_is_no_part_of_the_text():
    assert value("\ufeffprocess: x") == {"process": "x"}


def test_windows_line_ends_change_no_place():
    document = read("a: 1\r\nb:\r\n  c: here\r\n", "p.yaml")

    assert str(document.place(["b", "c"])) == "p.yaml:3:6"
    assert document.place(["b", "c"]).excerpt == "  c: here"


def test_a_place_is_that_of_the_value_or_of_its_key():
    document = read("steps:\n  - send_email: {to: anna}\n", "p.yaml")

    assert word_at(document, ["steps", 0, "send_email", "to"]) == "anna}"
    assert word_at(document, ["steps", 0, "send_email", "to"], key=True) == "to: anna}"


def test_a_missing_key_leads_to_what_lacks_it():
    document = read("steps:\n  - send_email: {to: anna}\n", "p.yaml")

    assert word_at(document, ["steps", 0, "send_email", "template"], key=True) == "send_email: {to: anna}"


@pytest.mark.parametrize(
    "written",
    [
        "see HERE now",
        "'it''s ''HERE'' now'",
        '"a \\"quoted\\" \\u00e9\\x41\\t HERE"',
        '"folded\n\n  over lines HERE"',
        '"broken \\\n   HERE"',
        "'folded\n  HERE'",
        "plain words\n  over lines HERE",
        "|\n  first\n\n    indented HERE\n  last",
        "|2-\n    first HERE",
        ">-\n  folded\n  over HERE\n\n  lines",
        "|+  # a comment\n\n  HERE\n\n",
    ],
)
def test_a_character_of_a_text_is_found_however_it_is_written(written: str):
    document = read(f"text: {written}\nend: x\n", "p.yaml")
    text = document.value["text"]

    found = word_at(document, ["text"], offset=text.index("HERE"))

    assert found.startswith("HERE")


def test_a_tab_in_a_line_counts_as_one_column():
    document = read('text: "a\tb"\n', "p.yaml")

    place = document.place(["text"], offset=2)

    assert (place.column, place.excerpt) == (10, 'text: "a b"')


def test_a_doubled_key_is_told_with_both_places():
    (problem,) = problems("a: 1\nb:\n  c: 1\n  c: 2\n")

    assert problem.message == "the key 'c' is here twice"
    assert problem.hint == "Remove one; the first is in line 3, column 3."
    assert str(problem.at) == "p.yaml:4:3"


def test_several_refused_things_are_told_at_once():
    found = problems("a: &x 1\nb: *x\nc: !tag 2\nd: {<<: 1}\n{e: 1}: f\n")

    assert [(problem.at.line, problem.message) for problem in found] == [
        (1, "YAML anchors are not used here"),
        (2, "YAML aliases are not used here"),
        (3, "YAML tags are not used here"),
        (4, "'<<' does not merge mappings here"),
        (5, "a key must be a word"),
    ]


def test_a_mistake_is_not_told_twice():
    (problem,) = problems("to: {{ a | b }} more\n")

    assert problem.message == "a value that begins with '{{' must be in quotes"


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "\n\n"])
def test_an_empty_file_says_how_to_begin(text: str):
    (problem,) = problems(text)

    assert str(problem).startswith("p.yaml:1:1: the file is empty. A process begins with `process: name")


def test_a_file_that_is_not_utf_8_is_told_with_its_byte():
    (problem,) = problems("process: x\ntitle: Müller".encode("latin-1"))

    assert str(problem.at) == "p.yaml:2:9"
    assert problem.message == "the file is not UTF-8 text: byte 0xfc is no character"


def test_a_file_that_is_too_large_is_not_read():
    (problem,) = problems("a" * 600_000)

    assert problem.message == "the file has 600,000 characters; 500,000 are allowed"


def test_a_file_that_is_nested_too_deeply_is_not_read():
    (problem,) = problems("[" * 200)

    assert problem.message == "the lists and mappings are nested too deeply"
    assert problem.at.column == 61


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("a: 1\n\tb: 2\n", "the line is indented with a tab", "2:1"),
        ("a:\tb\n", "a tab stands here", "1:3"),
        ("title Hello\nowner: x\n", "a ':' is missing in this line", "1:1"),
        ("a: 1\ntitle:x\nb: 2\n", "a space is missing after ':'", "2:7"),
        ("a: b: c\n", "a text with ': ' in it must be in quotes", "1:5"),
        ("a:\n    b: 1\n  c: 2\n", "this line is indented differently from those above", "3:3"),
        ("a: 1\n  b: 2\n", "this line is indented further than the one above", "2:3"),
        ("a: 'b\nc: d\n", "this quote is not closed", "1:4"),
        ("a: {b: 1\nc: 2\n", "this { is not closed", "1:4"),
        ("a: [1}\n", "the [ of column 4 is closed with }", "1:6"),
        ("a: {b: 1 c: 2}\n", "this is not expected here", "1:10"),
        ("a: [1]]\n", "nothing is open that ] could close", "1:7"),
        ("a: %b\n", "a text cannot begin with '%'", "1:4"),
        ("a: @b\n", "a text cannot begin with '@'", "1:4"),
        ("a: ? b\n", "a text cannot begin with '? '", "1:4"),
        ("a: * * *\n", "a text that begins with '*' must be in quotes", "1:4"),
        ("a: >= 5\n", "a text that begins with '>' must be in quotes", "1:4"),
        ("a: 'x' y\n", "there is more text behind the closing '", "1:8"),
        ('a: "\\d"\n', "'\\d' is no escape that double quotes know", "1:5"),
        ('a: "\\UFFFFFFFF"\n', "an escape in this file cannot be read", "1:5"),
        ('a: "\\ud800"\n', "an escape in this text is no character", "1:4"),
        ("a: - b\n", "a list cannot begin in the line of its key", "1:4"),
        ("a:\n  b: 1\n  - c\n", "this entry of a list stands among keys", "3:3"),
        ("a:\n  - c\n  b: 1\n", "this line stands among the entries of a list", "3:3"),
        ("a: ,\n", "',' is not expected here", "1:4"),
        ("a: b\x07\n", "the character U+0007 has no place in a text", "1:5"),
        ("%YAML 1.1\n---\na: 1\n", "lines that begin with '%' are not used here", "1:1"),
        ("a: 1\n---\nb: 2\n", "a second document begins here", "2:1"),
        (": b\n", "a key is missing here", "1:1"),
        ("a: " + "9" * 50, "the number is too long", "1:4"),
        (" a: 1\nb: 2\n", "this does not belong to what stands above", "2:1"),
    ],
)  # fmt: skip
def test_what_yaml_refuses_is_said_in_plain_words(text: str, message: str, place: str):
    (problem,) = problems(text)

    assert problem.message == message
    assert str(problem.at) == f"p.yaml:{place}"
    assert problem.hint
