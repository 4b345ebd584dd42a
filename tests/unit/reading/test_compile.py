"""A folder of processes as a whole, and the processes that come along."""

from pathlib import Path

import pytest

from crm.schema import SCHEMA
from procession.compile import load, read
from procession.errors import ConfigurationError, ProcessErrors
from procession.mail import Templates

ROOT = Path(__file__).parents[3]
TEMPLATES = Templates.of_files({"t/subject.txt.j2": "x", "t/body.txt.j2": "x"})
GOOD = "process: {}\ntriggers: [{{manual: {{}}}}]\nsteps: [{{stop: x}}]\n"


def test_every_process_of_a_folder_is_loaded_and_nothing_else(tmp_path: Path):
    for name in ("b", "a"):
        (tmp_path / f"{name}.yaml").write_text(GOOD.format(name))
    (tmp_path / "a.test.yaml").write_text("tests: []")
    (tmp_path / "readme.md").write_text("hello")

    assert list(load(tmp_path, TEMPLATES, SCHEMA, ())) == ["a", "b"]


def test_the_mistakes_of_all_files_come_together(tmp_path: Path):
    (tmp_path / "a.yaml").write_text(GOOD.format("a").replace("stop", "stopp"))
    (tmp_path / "b.yaml").write_text("b: [1\n")
    (tmp_path / "c.yml").write_text(GOOD.format("c"))
    (tmp_path / "d.yaml").write_text(GOOD.format("d"))

    with pytest.raises(ProcessErrors) as caught:
        load(tmp_path, TEMPLATES, SCHEMA, ())

    assert [f"{Path(p.at.file).name}: {p.message}" for p in caught.value.problems] == [
        "a.yaml: 'stopp' is not a key of a step",
        "b.yaml: this [ is not closed",
        "c.yml: the file is not read",
    ]
    assert caught.value.message == "3 problems in 3 files."


def test_a_file_that_cannot_be_read_stops_no_other(tmp_path: Path):
    (tmp_path / "a.yaml").mkdir()
    (tmp_path / "b.yaml").symlink_to("nowhere.yaml")
    (tmp_path / "c.yaml").write_text(GOOD.format("c").replace("stop", "stopp"))
    (tmp_path / "d.yaml").write_text(GOOD.format("d"))
    (tmp_path / "d.yml").write_text(GOOD.format("d"))

    found = read(tmp_path, TEMPLATES, SCHEMA, ())

    assert list(found.plans) == ["d"]
    assert {name: [problem.message for problem in some] for name, some in found.problems.items()} == {
        "a": ["the file cannot be read: Is a directory"],
        "b": ["the file cannot be read: No such file or directory"],
        "c": ["'stopp' is not a key of a step"],
        "d": ["the file is not read"],
    }


def test_a_folder_that_is_not_there_is_the_operators_mistake(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"there is no folder of processes at .*nowhere"):
        load(tmp_path / "nowhere", TEMPLATES, SCHEMA, ())


def test_the_processes_that_come_along_have_no_mistake():
    plans = load(ROOT / "processes", Templates(ROOT / "templates"), SCHEMA, ())

    assert len(plans) >= 8
    assert all(plan.description or plan.title for plan in plans.values())


def test_the_shortest_useful_process_fits_on_a_page():
    text = (ROOT / "processes" / "notify_contact_of_meeting.yaml").read_text("utf-8")

    assert len(text.splitlines()) <= 25


def test_every_process_that_comes_along_tells_editors_its_schema():
    for file in (ROOT / "processes").glob("*.yaml"):
        assert file.read_text("utf-8").startswith("# yaml-language-server: $schema="), file
