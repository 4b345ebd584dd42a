"""The child processes of an application: they fill mail templates and call functions (`procession.confined`)."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal

from flows.functions import FUNCTIONS
from flows.settings import Settings
from procession.confined.functions import check_importable, confined, functions_pool
from procession.confined.limits import Limits
from procession.confined.pool import Pool
from procession.ports import Renderer

REGISTRY = "flows.functions:FUNCTIONS"


class Children:
    """None is started before it is needed; those that were end with `close`, or when this process is gone."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._fillers = Pool("mails", self._limits("rendering"), repeatable=True)
        self._callers = functions_pool(REGISTRY, self._limits("functions"))
        self._kept = lru_cache(maxsize=256)(self._version)
        self.templates = cache(self._folder)

    def renderer(self, digest: str, files: Mapping[str, str]) -> Renderer:
        """The mail templates of one version of a process, kept for the next instances of it."""
        return self._kept(digest, tuple(sorted(files.items())))

    def functions(self) -> Mapping[str, Callable[..., Any]]:
        return confined(FUNCTIONS, self._callers)

    def warm_up(self) -> None:
        """Start a process that fills mail templates, and do not wait for it."""
        self._fillers.warm_up()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """An engine runs in the block: a child gets ready while the rest of it does.

        Raises:
            ConfigurationError: not every function can be called in another process.
        """
        try:
            self.warm_up()
            if FUNCTIONS:
                check_importable(FUNCTIONS, self._callers)
            yield
        finally:
            self.close()

    def close(self) -> None:
        self._fillers.close()
        self._callers.close()

    def _limits(self, table: Literal["rendering", "functions"]) -> Limits:
        set_ = getattr(self._settings, table)
        return Limits(table, set_.timeout_seconds, set_.memory_mb, set_.processes)

    def _version(self, _digest: str, files: tuple[tuple[str, str], ...]) -> Renderer:
        from procession.confined.mails import ConfinedTemplates

        return ConfinedTemplates(dict(files), self._fillers)

    def _folder(self, folder: Path) -> Renderer:
        """The mail templates below a folder; a process has not pinned them."""
        from procession.confined.mails import ConfinedTemplates
        from procession.mail.library import read_files

        return ConfinedTemplates(read_files(folder), self._fillers, label=str(folder))
