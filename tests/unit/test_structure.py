"""The rules of the house that a program can check: sizes, names, floors, and what tracked files may say."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("procession", "crm", "flows")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MOST_LINES, MOST_FUNCTION_LINES, MEDIAN_LINES = 400, 40, 160
BANNED = re.compile(r"(^|_)(utils?|helpers?|managers?|misc|common|stuff)(_|$)|(Utils?|Helpers?|Manager)$")

BROAD = {"procession/perform.py": 1, "procession/errors.py": 1}
"""How often `except Exception` may stand where: a customer's function may raise anything, and that is recorded; so
does `foreseen`, for what is a mistake of this program."""

MACHINE = re.compile(
    r"/(home|Users|root|work|tmp|opt|mnt)/[a-z]|index[-_]url\s*=|extra-index-url[\s=]+\S|pypi\.org|files\.pythonhosted|://[\w.-]+/simple\b"
)
"""Paths of somebody's machine, and hosts of packages."""


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """(name, lines from `def` to the last, docstring not counted) of every function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            lines = (node.end_lineno or 0) - node.lineno + 1
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                lines -= (first.end_lineno or 0) - first.lineno + 1
            yield node.name, lines


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git checkout")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def test_no_module_is_longer_than_a_person_can_hold() -> None:
    sizes = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}

    assert {name: size for name, size in sizes.items() if size > MOST_LINES} == {}
    assert sorted(sizes.values())[len(sizes) // 2] <= MEDIAN_LINES


def test_no_function_is_longer_than_a_screen() -> None:
    long = {
        f"{name_of(path)}: {name}": size
        for path in MODULES
        if "migrations" not in path.parts
        for name, size in functions(path)
        if size > MOST_FUNCTION_LINES
    }

    assert long == {}


def test_nothing_is_named_after_what_it_is_not() -> None:
    names = [(name_of(path), path.stem) for path in MODULES]
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names += [
            (name_of(path), node.name)
            for node in ast.walk(tree)
            if isinstance(node, (ast.ClassDef, ast.FunctionDef))
        ]

    assert [found for found in names if BANNED.search(found[1])] == []


def test_except_exception_stands_only_where_it_may() -> None:
    found = Counter(
        name_of(path)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException"))
    )

    assert found == BROAD


def test_every_floor_imports_only_what_stands_below_it() -> None:
    program = Path(sys.executable).parent / "lint-imports"

    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_nobody_else_installs_packages_of_our_names() -> None:
    owners = packages_distributions()

    assert {name: owners.get(name, ["procession"]) for name in PACKAGES} == {
        name: ["procession"] for name in PACKAGES
    }


def test_importing_a_package_opens_nothing_and_loads_no_prefect() -> None:
    program = "import sys, procession.cli.main, flows.wiring; print([m for m in sys.modules if m.split('.')[0] in ('prefect', 'sqlalchemy')])"

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


def test_prefect_finds_flows_by_dotted_names_only() -> None:
    file = ROOT / "prefect.yaml"
    entrypoints = (
        re.findall(r"entrypoint:\s*(\S+)", file.read_text(encoding="utf-8"))
        if file.exists()
        else ["flows.catalog.x"]
    )

    assert entrypoints
    assert [entry for entry in entrypoints if not re.fullmatch(r"flows(\.\w+)+", entry)] == []


def test_no_module_of_flows_hides_one_of_the_standard_library() -> None:
    assert {path.stem for path in (ROOT / "flows").glob("*.py")} & sys.stdlib_module_names == set()


def test_tracked_files_name_no_machine_and_no_package_host() -> None:
    found = []
    for path in tracked():
        if path.suffix in (".png", ".ico") or path == Path(__file__):
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{name_of(path)}: {match[0]}" for match in MACHINE.finditer(text)]

    assert found == []


def test_the_lock_pins_everything_by_hash() -> None:
    lines = (ROOT / ".ci" / "lock.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line[:1].isalnum()]

    assert pins
    assert [line for line in pins if "==" not in line or not line.rstrip().endswith("\\")] == []


def test_the_straight_line_can_be_read_in_an_hour() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\((procession/[\w/]+\.py)\)", readme)

    lines = sum(len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in linked)

    assert len(linked) == 5
    assert "procession/deliver.py" in linked
    assert lines < 900


def test_every_link_of_the_docs_leads_somewhere() -> None:
    lost = [
        f"{name_of(page)}: {target}"
        for page in (ROOT / "README.md", *ROOT.glob("docs/**/*.md"))
        for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]

    assert lost == []
