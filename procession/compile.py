"""From the YAML files of a folder to plans: the whole line of the language, in four calls.

    source.read      YAML text   → Document   the value, and where each part of it stands
    model.parse      Document    → Draft      the shape: keys, kinds of steps, values
    rules.check      Draft       → Typed      everything it names is there and fits
    plan.make        Typed       → Plan       what the engine runs (procession.advance)

Each stage finds all its mistakes at once; each has the file, line and column of the word it is about.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

from procession import model, plan, rules, source
from procession.errors import ConfigurationError, Place, ProcessError, ProcessErrors, SyntaxProblem
from procession.mail import Templates
from procession.records import Schema


def load(
    processes: Path, templates: Templates, schema: Schema, functions: Collection[str]
) -> dict[str, plan.Plan]:
    """The plans of all processes in a folder, by id. `*.test.yaml` are no processes.

    Raises:
        ProcessErrors: every mistake of every file.
        ConfigurationError: the folder is not there.
    """
    if not processes.is_dir():
        raise ConfigurationError(f"there is no folder of processes at {processes}")
    world = rules.World(schema, templates, functions)
    plans: dict[str, plan.Plan] = {}
    problems: list[ProcessError] = []
    for file in sorted(processes.glob("*.yml")):
        at = Place(str(file), 1, 1)
        problems.append(SyntaxProblem("the file is not read", at=at, hint=f"Name it {file.stem}.yaml."))
    for file in sorted(processes.glob("*.yaml")):
        if file.name.endswith(".test.yaml"):
            continue
        try:
            made = _compile(file.read_bytes(), str(file), world)
            plans[made.process] = made
        except ProcessErrors as error:
            problems.extend(error.problems)
    if problems:
        raise ProcessErrors(_counted(problems), problems=tuple(problems))
    return plans


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


def _compile(text: str | bytes, file: str, world: rules.World, *, pinned: bool = False) -> plan.Plan:
    draft = model.parse(source.read(text, file))
    return plan.make(rules.check(draft, world, pinned=pinned), world)


def _counted(problems: Collection[ProcessError]) -> str:
    files = len({problem.at.file for problem in problems if problem.at})
    return f"{len(problems)} problem{'s' * (len(problems) > 1)} in {files} file{'s' * (files > 1)}."
