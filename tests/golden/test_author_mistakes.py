"""What an author sees for every mistake we thought of: `cases/NAME.yaml` and the printed problems in `NAME.expected`.

`pytest tests/golden --update-golden` writes what is printed now; review the difference.
"""

import re
from pathlib import Path

import pytest

from crm.schema import SCHEMA
from procession.compile import compile_text
from procession.errors import ProcessErrors
from procession.mail import Templates
from procession.mail.library import read_files

HERE = Path(__file__).parent
CASES = sorted(path.stem for path in (HERE / "cases").glob("*.yaml"))
TEMPLATES = Templates.of_files(read_files(HERE / "templates"), label="templates")
FUNCTIONS = {"credit_rating": None}


def mistakes(name: str) -> ProcessErrors:
    text = (HERE / "cases" / f"{name}.yaml").read_bytes()
    with pytest.raises(ProcessErrors) as caught:
        compile_text(text, f"{name}.yaml", TEMPLATES, SCHEMA, FUNCTIONS)
    return caught.value


def printed(name: str) -> str:
    return "".join(f"{problem}\n" for problem in mistakes(name).problems)


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_told_where_it_was_made(name: str, request: pytest.FixtureRequest):
    expected = HERE / "cases" / f"{name}.expected"

    found = printed(name)

    if request.config.getoption("--update-golden"):
        expected.write_text(found, encoding="utf-8")
    assert found == expected.read_text(encoding="utf-8")
