"""Fixtures that many tests use: a fresh activity store in a file of its own. And what is not run is told at the end."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from left_out import pytest_sessionfinish, pytest_terminal_summary, pytest_testnodedown  # noqa: F401 - hooks

from crm.store import CrmStore, open_store


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write what is printed now as expected")


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy: migrating takes a tenth of a second, copying nothing."""
    path = tmp_path_factory.mktemp("store") / "empty.sqlite"
    open_store(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def store(empty_database: Path, tmp_path: Path) -> Iterator[CrmStore]:
    path = tmp_path / "store.sqlite"
    shutil.copy(empty_database, path)
    opened = open_store(f"sqlite:///{path}")
    yield opened
    opened.close()
