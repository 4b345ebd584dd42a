"""What a mail template gets wrong, and which references it follows, found without filling it."""

from collections import ChainMap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from procession.errors import ProcessError, ReferenceProblem, ShapeProblem
from procession.expressions import Scope
from procession.mail.formats import locale_of
from procession.mail.library import HTML, SUBJECT, TEXT, Library
from procession.mail.walking import Found, Walk
from procession.spelling import did_you_mean, one_of


@dataclass(frozen=True, slots=True)
class Checked:
    problems: tuple[ProcessError, ...]
    reads: frozenset[tuple[str, ...]]


def check(library: Library, name: str, scope: Scope) -> Checked:
    """Look through every file of a mail. Raises nothing; an unknown mail is one problem without a place."""
    if name not in library.names:
        hint = did_you_mean(name, library.names) or f"Make the folder {library.label}/{name}."
        return Checked((ReferenceProblem(f"there is no mail template {name!r}", hint=hint),), frozenset())
    found = Found()
    for folder in library.variants(name):
        files = {path.rpartition("/")[2]: path for path in library.files if path.rpartition("/")[0] == folder}
        found.problems.extend(_shape(library, folder, files))
        for path in files.values():
            Walk(library, scope, found).file(path, ChainMap({}))
    return Checked(
        tuple({str(problem): problem for problem in found.problems}.values()), frozenset(found.reads)
    )


def _shape(library: Library, folder: str, files: Mapping[str, str]) -> Iterable[ProcessError]:
    _, _, language = folder.partition("/")
    if language and locale_of(language) is None:
        at = library.place(next(iter(files.values())))
        yield ShapeProblem(f"{language!r} is not a language", at=at, hint="Name the folder de or de-AT.")
    for file, path in files.items():
        if file not in {SUBJECT, HTML, TEXT}:
            hint = did_you_mean(file, (SUBJECT, HTML, TEXT)) or f"A mail has {one_of((SUBJECT, HTML, TEXT))}."
            yield ShapeProblem(f"{file!r} is no part of a mail", at=library.place(path), hint=hint)
    if SUBJECT not in files:
        yield ShapeProblem(
            "the mail has no subject", at=library.place(f"{folder}/{SUBJECT}"), hint="Write this file."
        )
    if not {HTML, TEXT} & set(files):
        at = library.place(f"{folder}/{HTML}")
        yield ShapeProblem("the mail has no body", at=at, hint=f"Write {HTML} or {TEXT}.")
