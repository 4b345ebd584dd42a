"""One slip of the keyboard in a process that works is one problem, at that word, with that word as the hint."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from crm.schema import SCHEMA
from procession.compile import compile_text
from procession.errors import ProcessError, ProcessErrors
from procession.mail import Templates

ROOT = Path(__file__).parents[2]
TEMPLATES = Templates(ROOT / "templates")
FILES = sorted((ROOT / "processes").glob("*.yaml"))


def slips(text: str) -> Iterator[tuple[str, int, str]]:
    """(the text with two letters of a word swapped, the line of the word, the word)."""
    for found in re.finditer(r"[a-z_]{4,}", text):
        word, middle = found.group(), len(found.group()) // 2
        if (
            found.start() < text.index("triggers:")
            or middle + 1 >= len(word)
            or word[middle] == word[middle + 1]
        ):
            continue
        wrong = word[:middle] + word[middle + 1] + word[middle] + word[middle + 2 :]
        yield (
            text[: found.start()] + wrong + text[found.end() :],
            text.count("\n", 0, found.start()) + 1,
            word,
        )


def problems(text: str, file: Path) -> tuple[ProcessError, ...]:
    try:
        compile_text(text, file.name, TEMPLATES, SCHEMA, ())
    except ProcessErrors as error:
        return error.problems
    return ()  # it was in a text that only people read


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_one_slip_is_one_problem_at_its_place_with_the_right_word(file: Path):
    told = [(problems(text, file), line, word) for text, line, word in slips(file.read_text("utf-8"))]
    found = [(of_one, line, word) for of_one, line, word in told if of_one]

    several = [(line, word, of_one) for of_one, line, word in found if len(of_one) > 1]
    placed = [1 for (first, *_), line, _ in found if first.at and first.at.line == line]
    hinted = [1 for (first, *_), _, word in found if word in first.hint]

    assert several == []
    assert len(found) >= 20
    assert len(placed) >= 0.9 * len(found)
    assert len(hinted) >= 0.9 * len(found)
