"""From the YAML files of a folder to plans: the whole line of the language, in four calls.

    source.read      YAML text   → Document   the value, and where each part of it stands
    model.parse      Document    → Draft      the shape: keys, kinds of steps, values
    rules.check      Draft       → Typed      everything it names is there and fits
    plan.make        Typed       → Plan       what the engine runs (procession.advance)

Each stage finds all its mistakes at once; each has the file, line and column of the word it is about.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from procession import model, plan, rules, source
from procession.errors import ConfigurationError, Place, ProcessError, ProcessErrors, SyntaxProblem
from procession.mail import Templates
from procession.records import Schema


@dataclass(frozen=True, slots=True)
class Folder:
    """The processes of a folder: the plans of those that can be used as written, by id, and what is wrong with the
    others, by the name of their file (which is the id that it should have)."""

    plans: Mapping[str, plan.Plan]
    problems: Mapping[str, tuple[ProcessError, ...]]

    def usable(self) -> Mapping[str, plan.Plan]:
        """Raises:
        ProcessErrors: every mistake of every file.
        """
        if problems := tuple(problem for some in self.problems.values() for problem in some):
            raise ProcessErrors(_counted(problems), problems=problems)
        return self.plans


def read(processes: Path, templates: Templates, schema: Schema, functions: Collection[str]) -> Folder:
    """The processes of a folder. `*.test.yaml` are none.

    Raises:
        ConfigurationError: the folder is not there.
    """
    if not processes.is_dir():
        raise ConfigurationError(f"there is no folder of processes at {processes}")
    world = rules.World(schema, templates, functions)
    plans: dict[str, plan.Plan] = {}
    problems: dict[str, tuple[ProcessError, ...]] = {}
    for file in sorted(processes.glob("*.yaml")):
        if file.name.endswith(".test.yaml"):
            continue
        try:
            made = _compile(_bytes(file), str(file), world)
            plans[made.process] = made
        except ProcessErrors as error:
            problems[file.stem] = error.problems
    for file in sorted(processes.glob("*.yml")):
        hint = f"Name it {file.stem}.yaml."
        problem = SyntaxProblem("the file is not read", at=Place(str(file), 1, 1), hint=hint)
        problems[file.stem] = (*problems.get(file.stem, ()), problem)
    return Folder(plans, problems)


def load(
    processes: Path, templates: Templates, schema: Schema, functions: Collection[str]
) -> Mapping[str, plan.Plan]:
    """The plans of all processes in a folder, by id.

    Raises:
        ProcessErrors: every mistake of every file.
        ConfigurationError: the folder is not there.
    """
    return read(processes, templates, schema, functions).usable()


def compile_text(
    text: str | bytes, file: str, templates: Templates, schema: Schema, functions: Collection[str]
) -> plan.Plan:
    """The plan of one process; `file` is named like it.

    Raises:
        ProcessErrors: every mistake in it.
    """
    return _compile(text, file, rules.World(schema, templates, functions))


def compile_files(files: Mapping[str, str], schema: Schema, functions: Collection[str]) -> plan.Plan:
    """A pinned version again, from what `Plan.files` kept of it.

    Raises:
        ProcessErrors: the language, the records or the functions have changed since.
    """
    name = next(path for path in files if path.endswith(".yaml") and "/" not in path)
    world = rules.World(schema, Templates.of_files(files), functions)
    return _compile(files[name], name, world, pinned=True)


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        problem = SyntaxProblem(f"the file cannot be read: {error.strerror}", at=Place(str(file), 1, 1))
        raise ProcessErrors(_counted([problem]), problems=(problem,)) from error


def _compile(text: str | bytes, file: str, world: rules.World, *, pinned: bool = False) -> plan.Plan:
    draft = model.parse(source.read(text, file))
    return plan.make(rules.check(draft, world, pinned=pinned), world)


def _counted(problems: Collection[ProcessError]) -> str:
    files = len({problem.at.file for problem in problems if problem.at})
    return f"{len(problems)} problem{'s' * (len(problems) > 1)} in {files} file{'s' * (files > 1)}."
