"""The page that lists which requirements hold: `python -m sandbox.requirements.page` (from tests/) writes it.

A requirement holds if a test names it: as a row of `evidence.tsv`, or in a `requirement` mark. The tests fail
when the page is not what this would write.
"""

import ast
import csv
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[2] / "docs" / "reference" / "ews-requirements.md"
TITLES = {
    "MS-OXWSATT": "Attachments", "MS-OXWSBTRF": "Bulk transfer", "MS-OXWSCDATA": "Common types", "MS-OXWSCONT": "Contacts",
    "MS-OXWSCORE": "Items", "MS-OXWSFOLD": "Folders", "MS-OXWSITEMID": "Ids", "MS-OXWSMSG": "Messages", "MS-OXWSMTGS": "Meetings",
    "MS-OXWSSYNC": "Synchronisation", "MS-OXWSTASK": "Tasks", "MS-OXWSXPROP": "Extended properties",
}  # fmt: skip


def table(name: str) -> list[dict[str, str]]:
    text = (HERE / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))


def texts() -> dict[str, str]:
    return {row["id"]: row["requirement"] for row in table("requirements.tsv")}


def marked() -> Iterator[tuple[str, str]]:
    """(requirement, test) of every `requirement` mark."""
    for path in sorted(HERE.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                for call in (one for decorator in node.decorator_list for one in ast.walk(decorator)):
                    if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "requirement":
                        yield from (
                            (str(argument.value), node.name)
                            for argument in call.args
                            if isinstance(argument, ast.Constant)
                        )


def shown() -> dict[str, str]:
    """What shows each requirement that holds."""
    found = {
        row["id"]: f"a document: {row['shows']} {row['subject']} {row['member']} {row['of']}".strip()
        for row in table("evidence.tsv")
    }
    for number, test in marked():
        found[number] = test.removeprefix("test_").replace("_", " ")
    return found


def page() -> str:
    known, found = texts(), shown()
    groups: dict[str, list[str]] = defaultdict(list)
    for number in found:
        groups[number.rpartition("_R")[0]].append(number)
    lines = [
        "<!-- Made by tests/sandbox/requirements/page.py from the tests; do not edit. -->",
        "",
        "# Requirements of Exchange that the sandbox meets",
        "",
        "Microsoft numbers the requirements of its Exchange protocols and publishes the conformance tests for them",
        "(Office Interop-TestSuites, MIT licence). Each number below is named by a test of this project that shows that it",
        f"holds: {len(found)} of the {len(known)} that Microsoft's own tests verify on a server.",
        "",
        "| specification | hold | of |",
        "|---|---|---|",
    ]
    for name, title in TITLES.items():
        total = sum(number.startswith(f"{name}_R") for number in known)
        lines.append(f"| {title} ({name}) | {len(groups[name])} | {total} |")
    for name, title in TITLES.items():
        if groups[name]:
            lines += ["", f"## {title}", "", "| requirement | what it says | shown by |", "|---|---|---|"]
            lines += [
                _row(number, known[number], found[number]) for number in sorted(groups[name], key=_order)
            ]
    return "\n".join(lines) + "\n"


def _order(number: str) -> tuple[int, str]:
    digits = number.rpartition("_R")[2]
    return (int(digits) if digits.isdigit() else 0, number)


def _row(number: str, text: str, test: str) -> str:
    short = text if len(text) <= 160 else f"{text[:157]}…"
    return f"| {number} | {short.replace('|', '/').replace('<', '&lt;')} | {test} |"


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE.name}: {len(shown())} requirements\n")
