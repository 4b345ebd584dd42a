"""The files of all mail templates, read once: which mails there are, in which languages, from which files.

templates/_base/layout.html.j2          shared files: folders whose name starts with `_`
templates/meeting_new/subject.txt.j2    needed
templates/meeting_new/body.html.j2      one body is needed; a missing text is made from the HTML
templates/meeting_new/body.txt.j2
templates/meeting_new/de/…              the same mail in German; de-AT falls back to de, then to the default
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from babel import Locale
from jinja2 import TemplateSyntaxError, meta, nodes

from procession.errors import ConfigurationError, Place
from procession.mail.formats import locale_of
from procession.mail.sandbox import MailSandbox

SUBJECT, HTML, TEXT = "subject.txt.j2", "body.html.j2", "body.txt.j2"


@dataclass(frozen=True, slots=True)
class Variant:
    """One mail in one language: the folder of its files, and the language it is written and formatted in."""

    folder: str
    language: str
    locale: Locale


class Library:
    """`files` is `{path below the root: text}`; `label` stands for the root in messages; `names` are the mails."""

    def __init__(self, files: Mapping[str, str], label: str, default_language: str) -> None:
        self.files, self.label, self._default = files, label, default_language
        self.sandbox = MailSandbox(self._load)
        folders = {path.split("/", 1)[0] for path in files if "/" in path}
        self.names = tuple(sorted(folder for folder in folders if not folder.startswith(("_", "."))))
        self._variants: dict[tuple[str, str], Variant] = {}
        self._trees: dict[str, nodes.Template] = {}

    def languages(self, name: str) -> tuple[str, ...]:
        """The languages a mail is there in, besides the default one."""
        below = (path.split("/") for path in self.files if path.startswith(f"{name}/"))
        return tuple(sorted({folder for _, folder, *file in below if file}))

    def variants(self, name: str) -> tuple[str, ...]:
        """The folders of a mail, one for each language, the default first."""
        return (name, *(f"{name}/{language}" for language in self.languages(name)))

    def variant(self, name: str, language: str) -> Variant:
        """The mail in this language, in the nearest wider one, or in the default language."""
        known = self._variants.get((name, language))
        return known or self._variants.setdefault((name, language), self._nearest(name, language))

    def _nearest(self, name: str, language: str) -> Variant:
        asked = language.replace("_", "-")
        folders = {folder.casefold(): folder for folder in self.languages(name)}
        for tag in _wider(asked):
            if folder := folders.get(tag.casefold()):
                return _written_in(f"{name}/{folder}", asked, folder)
        return _written_in(name, asked, self._default)

    def made_from(self, name: str) -> dict[str, str]:
        """Every file of the mail, in all its languages, with the shared ones it mentions: `{path: text}`."""
        wanted = [path for path in self.files if path.startswith(f"{name}/")]
        found: dict[str, str] = {}
        while wanted:
            path = wanted.pop()
            if path in self.files and path not in found:
                found[path] = self.files[path]
                wanted.extend(self._mentioned(path))
        return dict(sorted(found.items()))

    def parse(self, path: str) -> nodes.Template:
        """Raises:
        TemplateSyntaxError: the file cannot be read.
        """
        if path not in self._trees:  # shared files are walked for every mail and every process that sends it
            self._trees[path] = self.sandbox.parse(self.files[path], name=path)
        return self._trees[path]

    def place(self, path: str, line: int = 1, column: int = 1) -> Place:
        """A place in one of the files, with its line."""
        return Place(f"{self.label}/{path}", line, column, self.line(path, line))

    def line(self, path: str, number: int) -> str:
        lines = self.files.get(path, "").splitlines()
        return lines[number - 1] if 0 < number <= len(lines) else ""

    def how_to_import(self, name: str) -> str:
        """The line that other templates have for shared macros under this name; "" if none has one."""
        line = re.compile(rf"{{%-?\s*import [^%]* as {re.escape(name)}\b[^%]*%}}")
        found = next((match[0] for text in self.files.values() if (match := line.search(text))), "")
        return f"Import it above: {found}" if found else ""

    def _load(self, path: str) -> tuple[str, str, Callable[[], bool]] | None:
        text = self.files.get(path)
        return None if text is None else (text, f"{self.label}/{path}", lambda: True)

    def _mentioned(self, path: str) -> list[str]:
        try:
            return [name for name in meta.find_referenced_templates(self.parse(path)) if name]
        except TemplateSyntaxError:
            return []


def read_files(root: Path) -> dict[str, str]:
    """Every template below a folder; links that lead out of it are not followed.

    Raises:
        ConfigurationError: the folder or one of its files cannot be read as UTF-8 text.
    """
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


def _written_in(folder: str, asked: str, found: str) -> Variant:
    """Written in `found`; formatted as `asked` if that is only a narrower form of it (de-AT of de)."""
    if asked.casefold().split("-")[0] == found.casefold().split("-")[0] and (locale := locale_of(asked)):
        return Variant(folder, asked, locale)
    return Variant(folder, found, locale_of(found) or Locale("en"))


def _wider(tag: str) -> Iterator[str]:
    """`zh-Hant-TW`, `zh-Hant`, `zh`."""
    parts = tag.split("-")
    for length in range(len(parts), 0, -1):
        yield "-".join(parts[:length])
