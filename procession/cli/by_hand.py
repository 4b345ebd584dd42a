"""What a person's mail and a preview have in common: who writes and reads, the values of a template, its failures."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from procession.cli import records
from procession.cli.session import Session
from procession.errors import ExpressionError, InputError, ProcessError, ReferenceProblem
from procession.records import Record, Ref, fields_of, ref_of


def person(now: Session, text: str, option: str) -> Record | str:
    """Who is written after an option such as `--to`.

    Raises:
        InputError: neither one record with an address nor one address.
    """
    if text.count("@") > 1:
        raise InputError(f"{option} takes one address", hint=f"Give {option} again for each.")
    if "@" in text:
        return text
    if ":" not in text:
        hint = "Write contact:17, user:2 or ann@acme.example."
        raise InputError(f"{option}: {text!r} is neither a record nor an address", hint=hint)
    found = records.read_record(now, now.ref(text, of=("contact", "user")))
    if not fields_of(found).get("email"):
        hint = f"Give one: procession crm save {ref_of(found)} --email …"
        raise InputError(f"{found} has no e-mail address", hint=hint)
    return found


def check_reader(language: str | None, timezone: str | None = None) -> None:
    """Raises:
    InputError: there is no such language or time zone.
    """
    from procession.mail.formats import locale_of
    from procession.times import zone

    if language and locale_of(language) is None:
        raise InputError(f"there is no language {language!r}", hint="Write it as de or de-AT.")
    try:
        zone(timezone or "UTC")
    except ValueError as error:
        raise InputError(str(error)) from None


def with_place(error: ExpressionError, names: Mapping[str, str]) -> ProcessError:
    """A template that failed, with the line of the template, and what may be missing."""
    missing = re.search(r"'(\w+)' is not known here$", error.message)
    give = f"Give it as --with {missing[1]}=…" if missing and missing[1] not in names else ""
    return ReferenceProblem(error.message, at=error.at, hint=error.hint or give)


def told_once(problems: Iterable[ProcessError]) -> Iterator[ProcessError]:
    """The problems of a template, one for each name that was not given."""
    told = set()
    for found in problems:
        missing = re.fullmatch(r"there is no '(\w+)' here", found.message)
        if missing is None:
            yield found
        elif missing[1] not in told:
            told.add(missing[1])
            hint = found.hint or f"Give it as --with {missing[1]}=…"
            yield type(found)(found.message, at=found.at, hint=hint)


_LIKE_A_RECORD = re.compile(r"[a-z_]+:\d+")


def template_names(now: Session, template: str, written: Mapping[str, str]) -> dict[str, Any]:
    """`--with` values for a template: records with everything the template follows, or plain text."""
    from procession.expressions import Scope
    from procession.records import TEXT, record_of

    application = now.application
    schema = application.schema
    refs = {name: now.ref(text) for name, text in written.items() if _LIKE_A_RECORD.fullmatch(text)}
    types = {name: record_of(refs[name].entity) if name in refs else TEXT for name in written}
    reads = application.templates.reads(template, Scope(types, schema)) if template and refs else frozenset()
    values: dict[str, Any] = dict(written)
    with application.store.unit(write=False) as unit:
        for name, ref in refs.items():
            paths = frozenset(path[1:] for path in reads if path[0] == name and path[1:])
            found: Mapping[Ref, Record] = unit.records.fetch([ref], paths)
            if ref not in found:
                raise InputError(
                    f"--with {name}: there is no {ref}", hint=f"See: procession crm list {ref.entity}"
                )
            values[name] = found[ref]
    return values


class _NoMail:
    """Writing a draft needs no mail server."""

    connections = 1

    def send(self, sender: str, recipients: Sequence[str], mime: bytes) -> Any:
        raise AssertionError((sender, recipients, mime))

    def close(self) -> None:
        pass


NO_MAIL = _NoMail()
