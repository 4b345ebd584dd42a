"""Mail templates: a folder per mail with a subject, an HTML body, a text body, and the same per language.

    templates/_base/layout.html.j2          shared files: folders whose name starts with `_`
    templates/meeting_new/subject.txt.j2    needed
    templates/meeting_new/body.html.j2      one body is needed; a missing text is made from the HTML
    templates/meeting_new/body.txt.j2
    templates/meeting_new/de/…              the same mail in German; de-AT falls back to de, then to the default

All files are read once, when `Templates` is made; a template reaches nothing but these files.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from traceback import walk_tb
from typing import Any, Self

import css_inline
from babel import Locale
from inscriptis import get_text
from inscriptis.css_profiles import RELAXED_CSS_PROFILE
from inscriptis.model.config import ParserConfig
from jinja2 import TemplateError, TemplateNotFound, TemplateSyntaxError, meta

from procession.effects import Attachment, Recipient
from procession.errors import ConfigurationError, ExpressionError, Place, ProcessionError
from procession.mail.formats import locale_of, reading, zone_of
from procession.mail.invitation import invitation
from procession.mail.sandbox import MailSandbox
from procession.ports import Rendered
from procession.records import Record
from procession.spelling import did_you_mean

SUBJECT, HTML, TEXT = "subject.txt.j2", "body.html.j2", "body.txt.j2"
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


@dataclass(frozen=True, slots=True)
class Variant:
    """One mail in one language: the folder of its files, and the language it is written and formatted in."""

    folder: str
    language: str
    locale: Locale


class Templates:
    """All mail templates of a folder. Implements `procession.ports.Renderer`."""

    def __init__(
        self, root: Path, *, files: Mapping[str, str] | None = None, default_language: str = "en"
    ) -> None:
        """Read the templates below `root`, or take these `files` for what stands there.

        Raises:
            ConfigurationError: the folder or one of its files cannot be read as UTF-8 text.
        """
        self._files = read_files(root) if files is None else dict(files)
        self._label, self._default = str(root), default_language
        self._sandbox = MailSandbox(self._load)
        self._css = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)

    @classmethod
    def of_files(cls, files: Mapping[str, str], *, label: str = "templates") -> Self:
        """Templates of a pinned version: `{path below the root: text}`, as `files` gave them."""
        return cls(Path(label), files=files)

    def names(self) -> tuple[str, ...]:
        """The mails there are, sorted."""
        folders = {path.split("/", 1)[0] for path in self._files if "/" in path}
        return tuple(sorted(folder for folder in folders if not folder.startswith(("_", "."))))

    def files(self, name: str) -> dict[str, str]:
        """Every file the mail is made from, in all its languages, with the shared ones: `{path: text}`."""
        wanted = [path for path in self._files if path.startswith(f"{name}/")]
        found: dict[str, str] = {}
        while wanted:
            path = wanted.pop()
            if path in self._files and path not in found:
                found[path] = self._files[path]
                wanted.extend(self._mentioned(path))
        return dict(sorted(found.items()))

    def render(self, template: str, names: Mapping[str, Any], *, language: str, timezone: str) -> Rendered:
        """Fill the subject and the bodies for a reader of this language in this zone.

        Raises:
            ExpressionError: the template is not there, or failed on these values (its place is in the template).
        """
        variant = self.variant(template, language)
        given = {**names, "language": variant.language, "timezone": timezone or "UTC"}
        with reading(variant.locale, zone_of(timezone), MAX_ROUNDS):
            subject = self._subject(variant, given)
            html = self._html(variant, given)
            text = self._text(variant, given, html)
        return Rendered(subject=subject, text=text, html=html, language=variant.language)

    def invitation(self, meeting: Record, *, sender: Recipient, to: Sequence[Recipient]) -> Attachment:
        """See `procession.mail.invitation`."""
        return invitation(meeting, sender=sender, to=to)

    def variant(self, name: str, language: str) -> Variant:
        """The mail in this language, in the nearest wider one, or in the default language.

        Raises:
            ExpressionError: there is no such mail.
        """
        if name not in self.names():
            raise ExpressionError(
                f"there is no mail template {name!r}", hint=did_you_mean(name, self.names())
            )
        asked = language.replace("_", "-")
        folders = {folder.casefold(): folder for folder in self.languages(name)}
        for tag in _wider(asked):
            if folder := folders.get(tag.casefold()):
                return self._in_language(f"{name}/{folder}", asked, folder)
        return self._in_language(name, asked, self._default)

    def languages(self, name: str) -> tuple[str, ...]:
        """The languages a mail is there in, besides the default one."""
        parts = (path.split("/") for path in self._files if path.startswith(f"{name}/"))
        return tuple(sorted({part[1] for part in parts if len(part) == 3}))  # noqa: PLR2004  mail/language/file

    def _in_language(self, folder: str, asked: str, found: str) -> Variant:
        """Written in `found`; formatted as `asked` if that is only a narrower form of it (de-AT of de)."""
        if asked.casefold().split("-")[0] == found.casefold().split("-")[0] and (locale := locale_of(asked)):
            return Variant(folder, asked, locale)
        return Variant(folder, found, locale_of(found) or Locale("en"))

    def _subject(self, variant: Variant, names: Mapping[str, Any]) -> str:
        path = f"{variant.folder}/{SUBJECT}"
        subject = " ".join(_without_controls(self._fill(path, names)).split())
        if not subject:
            raise ExpressionError("the subject of the mail is empty", at=self.place(path))
        return subject

    def _html(self, variant: Variant, names: Mapping[str, Any]) -> str:
        path = f"{variant.folder}/{HTML}"
        if path not in self._files:
            return ""
        html = self._fill(path, names)
        try:
            return self._css.inline(html)
        except css_inline.InlineError as error:
            raise ExpressionError(f"its styles cannot be inlined: {error}", at=self.place(path)) from error

    def _text(self, variant: Variant, names: Mapping[str, Any], html: str) -> str:
        path = f"{variant.folder}/{TEXT}"
        if path in self._files:
            return _tidy(self._fill(path, names))
        if html:
            return _tidy(get_text(html, _TEXT_OF_HTML))
        raise ExpressionError("the mail has no body", at=self.place(path), hint=f"Write {HTML} or {TEXT}.")

    def _fill(self, path: str, names: Mapping[str, Any]) -> str:
        try:
            return "".join(_bounded(self._sandbox.get_template(path).generate(names)))
        except FAILURES as error:
            raise self._failure(error, path) from error

    def _load(self, path: str) -> tuple[str, str, Callable[[], bool]] | None:
        text = self._files.get(path)
        return None if text is None else (text, f"{self._label}/{path}", lambda: True)

    def _mentioned(self, path: str) -> list[str]:
        try:
            tree = self._sandbox.parse(self._files[path])
        except TemplateSyntaxError:
            return []
        return [name for name in meta.find_referenced_templates(tree) if name]

    def place(self, path: str, line: int = 1, column: int = 1) -> Place:
        """A place in one of the files, with its line."""
        lines = self._files.get(path, "").splitlines()
        excerpt = lines[line - 1] if 0 < line <= len(lines) else ""
        return Place(f"{self._label}/{path}", line, column, excerpt)

    def _failure(self, error: BaseException, path: str) -> ProcessionError:
        """The error of a template as one sentence with its place."""
        if isinstance(error, TemplateSyntaxError):
            at = self.place(error.name or path, error.lineno)
            return ExpressionError(f"the template cannot be read: {error.message}", at=at)
        if isinstance(error, TemplateNotFound):
            return ExpressionError(
                f"there is no file {error.name!r} among the templates", at=self.place(path),
                hint=did_you_mean(str(error.name), self._files),
            )  # fmt: skip
        at = self._raised_at(error, path)
        return ExpressionError(f"the mail cannot be written: {_said(error, at.excerpt)}", at=at)

    def _raised_at(self, error: BaseException, path: str) -> Place:
        prefix = f"{self._label}/"
        frames = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
        inside = [(file.removeprefix(prefix), line) for file, line in frames if file.startswith(prefix)]
        file, line = inside[-1] if inside else (path, 1)
        at = self.place(file, line)
        named = re.search(r"'(\w+)'", str(error))
        column = at.excerpt.find(named[1]) if named else -1
        start = re.match(r"\s*", at.excerpt)
        return self.place(file, line, (column if column >= 0 else len(start[0]) if start else 0) + 1)


def read_files(root: Path) -> dict[str, str]:
    """Every template below a folder; links that lead out of it are not followed."""
    if not root.is_dir():
        raise ConfigurationError(f"there is no folder of mail templates at {root}")
    files = {}
    for path in sorted(root.rglob("*")):
        inside = path.resolve().is_relative_to(root.resolve())
        if path.suffix in {".j2", ".css"} and inside and path.is_file():
            files[path.relative_to(root).as_posix()] = _read(path)
    return files


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8 text", hint="Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error


def _wider(tag: str) -> Iterator[str]:
    """`zh-Hant-TW`, `zh-Hant`, `zh`."""
    parts = tag.split("-")
    for length in range(len(parts), 0, -1):
        yield "-".join(parts[:length])


def _bounded(chunks: Iterator[str]) -> Iterator[str]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > MAX_CHARACTERS:
            raise OverflowError(f"it would be longer than {MAX_CHARACTERS:,} characters")
        yield chunk


_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_TEXT_OF_HTML = ParserConfig(css=RELAXED_CSS_PROFILE, display_links=True)


def _without_controls(text: str) -> str:
    return _CONTROLS.sub(" ", text)


def _tidy(text: str) -> str:
    """No blanks at line ends, no more than one empty line in a row: what conditions in a template leave behind."""
    stripped = "\n".join(line.rstrip() for line in text.strip().splitlines())
    return re.sub(r"\n{3,}", "\n\n", stripped) + "\n"


def _said(error: BaseException, excerpt: str) -> str:
    """In words; where something is read from an empty value, with that value's name."""
    text = str(error).rstrip(".")
    missing = re.fullmatch(r"there is no '(\w+)' here, since .*", text)
    owner = missing and re.search(rf"([\w.]+)\.{missing[1]}\b", excerpt)
    return f"'{owner[1]}' is empty, so it has no '{missing[1]}'" if missing and owner else text
