"""Fills mail templates: subject, HTML and text in the reader's language, styles written into the HTML.

What a mail is made of, and where: `procession.mail.library`. A template reaches nothing but its values and
the files of its library, and ends within a budget (`procession.mail.sandbox`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from traceback import walk_tb
from typing import Any, Self

import css_inline
from inscriptis import get_text
from inscriptis.css_profiles import RELAXED_CSS_PROFILE
from inscriptis.model.config import ParserConfig
from jinja2 import TemplateError, TemplateNotFound, TemplateSyntaxError, nodes

from procession.effects import Attachment, Recipient
from procession.errors import ExpressionError, Place, ProcessError
from procession.expressions import Scope, steps_below
from procession.mail.checking import Checked, check
from procession.mail.complaints import of_running, of_syntax
from procession.mail.formats import reading, zone_of
from procession.mail.invitation import invitation
from procession.mail.library import HTML, SUBJECT, TEXT, Library, Variant, read_files
from procession.ports import Rendered
from procession.records import Record
from procession.spelling import did_you_mean

MAX_CHARACTERS = 500_000
"""Of one rendered file; mail clients cut off long before."""
MAX_ROUNDS = 10_000
"""Of all loops over `range` and all calls of one mail."""

FAILURES = (
    TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What a template can raise on the values it meets."""


class Templates:
    """All mail templates of a folder. Implements `procession.ports.Renderer`; safe to use from several threads."""

    def __init__(
        self, root: Path, *, files: Mapping[str, str] | None = None, default_language: str = "en"
    ) -> None:
        """Read the templates below `root`, or take these `files` for what stands there.

        Raises:
            ConfigurationError: the folder or one of its files cannot be read as UTF-8 text.
        """
        found = read_files(root) if files is None else dict(files)
        self._library = Library(found, str(root), default_language)
        self._last: tuple[str, Scope, Checked] | None = None
        self._css = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)

    @classmethod
    def of_files(cls, files: Mapping[str, str], *, label: str = "templates") -> Self:
        """Templates of a pinned version: `{path below the root: text}`, as `files` gave them."""
        return cls(Path(label), files=files)

    def names(self) -> tuple[str, ...]:
        """The mails there are, sorted."""
        return self._library.names

    def languages(self, name: str) -> tuple[str, ...]:
        """The languages a mail is there in, besides the default one."""
        return self._library.languages(name)

    def files(self, name: str) -> dict[str, str]:
        """Every file the mail is made from, in all its languages, with the shared ones: `{path: text}`."""
        return self._library.made_from(name)

    def problems(self, name: str, scope: Scope) -> list[ProcessError]:
        """All that is wrong with a mail whose template can see these names: what is missing, cannot be read,
        or names what is not there. `recipient`, `sender`, `language` and `timezone` need not be in the scope."""
        return list(self._checked(name, scope).problems)

    def reads(self, name: str, scope: Scope) -> frozenset[tuple[str, ...]]:
        """The references the mail follows, in any language: `{("meeting", "contact"), …}`."""
        return self._checked(name, scope).reads

    def steps_named(self, name: str) -> frozenset[str]:
        """The ids of the steps whose outputs the mail reads, in any language (`procession.expressions.ALL`:
        of every step)."""
        trees = (self._library.parse(path) for path in self._library.made_from(name))
        return frozenset(step for tree in trees for step in steps_below(tree))

    def names_used(self, name: str) -> frozenset[str]:
        """The names in the files of the mail, in any language; among them all that it takes from outside. Nothing is
        compiled for it: Jinja works out what is constant when it does that, which may take for ever.

        Raises:
            TemplateError: a file cannot be read.
        """
        trees = (self._library.parse(path) for path in self._library.made_from(name))
        return frozenset(found.name for tree in trees for found in tree.find_all(nodes.Name))

    def _checked(self, name: str, scope: Scope) -> Checked:
        """Problems and references are asked for one after the other, with the same scope."""
        if self._last is None or self._last[0] != name or self._last[1] is not scope:
            self._last = (name, scope, check(self._library, name, scope))
        return self._last[2]

    def render(self, template: str, names: Mapping[str, Any], *, language: str, timezone: str) -> Rendered:
        """Fill the subject and the bodies for a reader of this language in this zone.

        Raises:
            ExpressionError: the template is not there, or failed on these values (its place is in the template).
        """
        if template not in self._library.names:
            hint = did_you_mean(template, self._library.names)
            raise ExpressionError(f"there is no mail template {template!r}", hint=hint)
        variant = self._library.variant(template, language)
        given = {**names, "language": variant.language, "timezone": timezone or "UTC"}
        with reading(variant.locale, zone_of(timezone), MAX_ROUNDS):
            subject = self._subject(variant, given)
            html = self._html(variant, given)
            text = self._text(variant, given, html)
        return Rendered(subject=subject, text=text, html=html, language=variant.language)

    def invitation(self, meeting: Record, *, sender: Recipient, to: Sequence[Recipient]) -> Attachment:
        """See `procession.mail.invitation`."""
        return invitation(meeting, sender=sender, to=to)

    def _subject(self, variant: Variant, names: Mapping[str, Any]) -> str:
        path = f"{variant.folder}/{SUBJECT}"
        subject = " ".join(_CONTROLS.sub(" ", self._fill(path, names)).split())
        if not subject:
            raise ExpressionError("the subject of the mail is empty", at=self._library.place(path))
        return subject

    def _html(self, variant: Variant, names: Mapping[str, Any]) -> str:
        path = f"{variant.folder}/{HTML}"
        if path not in self._library.files:
            return ""
        html = self._fill(path, names)
        try:
            return self._css.inline(html)
        except css_inline.InlineError as error:
            at = self._library.place(path)
            raise ExpressionError(f"its styles cannot be inlined: {error}", at=at) from error

    def _text(self, variant: Variant, names: Mapping[str, Any], html: str) -> str:
        path = f"{variant.folder}/{TEXT}"
        if path in self._library.files:
            return _tidy(self._fill(path, names))
        if html:
            return _tidy(get_text(html, _TEXT_OF_HTML))
        at = self._library.place(path)
        raise ExpressionError("the mail has no body", at=at, hint=f"Write {HTML} or {TEXT}.")

    def _fill(self, path: str, names: Mapping[str, Any]) -> str:
        try:
            return "".join(_bounded(self._library.sandbox.get_template(path).generate(names)))
        except FAILURES as error:
            raise self._failure(error, path) from error

    def _failure(self, error: BaseException, path: str) -> ExpressionError:
        """The error of a template as one sentence with its place."""
        if isinstance(error, TemplateSyntaxError):
            at = self._library.place(error.name or path, error.lineno)
            message, hint = of_syntax(error.message or "it is no template")
            return ExpressionError(f"the template cannot be read: {message}", at=at, hint=hint)
        at = self._raised_at(error, path)
        if isinstance(error, TemplateNotFound):
            hint = did_you_mean(str(error.name), self._library.files)
            return ExpressionError(f"there is no file {error.name!r} among the templates", at=at, hint=hint)
        return ExpressionError(f"the mail cannot be written: {_said(error, at.excerpt)}", at=at)

    def _raised_at(self, error: BaseException, path: str) -> Place:
        """The innermost template line of the traceback, at the word the message names."""
        prefix = f"{self._library.label}/"
        frames = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
        inside = [(file.removeprefix(prefix), line) for file, line in frames if file.startswith(prefix)]
        file, line = inside[-1] if inside else (path, 1)
        text = self._library.line(file, line)
        named = re.search(r"'(\w+)'", str(error))
        word = str(error.name) if isinstance(error, TemplateNotFound) else named[1] if named else ""
        column = text.find(word) if word else -1
        return self._library.place(
            file, line, (column if column >= 0 else len(text) - len(text.lstrip())) + 1
        )


def _bounded(chunks: Iterator[str]) -> Iterator[str]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > MAX_CHARACTERS:
            raise OverflowError(f"it would be longer than {MAX_CHARACTERS:,} characters")
        yield chunk


_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_TEXT_OF_HTML = ParserConfig(css=RELAXED_CSS_PROFILE, display_links=True)


def _tidy(text: str) -> str:
    """No blanks at line ends, no more than one empty line in a row: what conditions in a template leave behind."""
    stripped = "\n".join(line.rstrip() for line in text.strip().splitlines())
    return re.sub(r"\n{3,}", "\n\n", stripped) + "\n"


def _said(error: BaseException, excerpt: str) -> str:
    """In words; where something is read from an empty value, with that value's name."""
    text = str(error).rstrip(".")
    missing = re.fullmatch(r"there is no '(\w+)' here, since .*", text)
    owner = missing and re.search(rf"([\w.]+)\.{missing[1]}\b", excerpt)
    return f"'{owner[1]}' is empty, so it has no '{missing[1]}'" if missing and owner else of_running(text)
