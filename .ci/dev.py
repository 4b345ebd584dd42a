#!/usr/bin/env python3
"""Set up this checkout and use it: `python3 .ci/dev.py demo` or `python3 .ci/dev.py test`.

Makes `.venv` in the checkout from the hash-pinned lock, once; a stamp in it says for which lock, Python and
folder it was made, so that the second call starts at once. Standard library only, and old syntax only: an
old Python must get as far as the sentence that says it is too old.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCK = ROOT / ".ci" / "lock.txt"
STAMP = VENV / "procession-stamp"
UNFINISHED = VENV / "procession-unfinished"
LOG = VENV / "procession-install.log"
OLDEST, NEWEST = (3, 11), (3, 13)
PAUSE_SECONDS = 15
"""Between two lines of progress where nobody watches."""

USAGE = """Usage:
  python3 .ci/dev.py demo [--count N] [--keep-open] [--json]   show the main job, from a saved meeting to the mail
  python3 .ci/dev.py test                                      all checks: style, types, imports, content, tests
  python3 .ci/dev.py test ARGS...                              only pytest, with these arguments
  python3 .ci/dev.py docs                                      write docs/reference anew
  python3 .ci/dev.py run ARGS...                               any procession command, for example: run check

The first call installs what is needed into .venv (a few minutes); later ones start at once."""

CHECKS = (
    ("style", ("ruff", "check", ".")),
    ("format", ("ruff", "format", "--check", ".")),
    ("types", ("mypy",)),
    ("imports", ("lint-imports", "--no-cache")),
    ("processes", ("procession", "--project", ".", "check")),
)


class SetupError(Exception):
    """Set-up cannot go on; the message says why and what to do."""


def main(args: list[str]) -> int:
    """Returns the exit code of what was asked for."""
    if not args or args[0] not in ("demo", "test", "docs", "run"):
        print(USAGE, file=sys.stderr if args and args[0] not in ("-h", "--help") else sys.stdout)
        return 0 if not args or args[0] in ("-h", "--help") else 2
    try:
        find_python()
        make_venv()
    except SetupError as problem:
        print(problem, file=sys.stderr)
        return 2
    if args[0] == "test":
        return all_checks() if not args[1:] else call(["pytest", *args[1:]])
    if args[0] == "docs":
        return call(["python", str(ROOT / ".ci" / "reference.py")])
    return become(["procession", *args[1:]] if args[0] == "run" else ["procession", *args])


def find_python() -> None:
    """Go on in this Python if it will do, otherwise in one on the PATH that does."""
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        other = shutil.which(f"python3.{minor}")
        if other and subprocess.call([other, "-c", "import venv"], stderr=subprocess.DEVNULL) == 0:
            sys.stdout.flush()
            os.execv(other, [other, str(Path(__file__).resolve()), *sys.argv[1:]])
    raise SetupError(
        f"Procession needs Python 3.11, 3.12 or 3.13; this is Python {version()}. Install one of them "
        f"(it may stand beside this one) and call it by name: python3.12 .ci/dev.py {' '.join(sys.argv[1:])}"
    )


def make_venv() -> None:
    """Make or mend `.venv`; nothing to do if its stamp is the one of this lock, Python and folder."""
    if not LOCK.is_file():
        raise SetupError(f"{LOCK} is missing: this is no complete checkout. Clone it again.")
    wanted = stamp()
    if is_ready(wanted):
        return
    with only_one():
        if is_ready(wanted):
            return
        if VENV.exists() and (UNFINISHED.exists() or not is_sound()):
            say("The .venv of this checkout is unfinished or broken: it is made anew.")
            shutil.rmtree(str(VENV))
        if not VENV.exists():
            create()
        UNFINISHED.touch()
        started = time.monotonic()
        pip("packages", ["--require-hashes", "-r", str(LOCK)])
        pip("this checkout", ["--no-deps", "--no-build-isolation", "-e", str(ROOT)])
        UNFINISHED.unlink()
        STAMP.write_text(wanted, encoding="utf-8")
        say(f"Installed in {time.monotonic() - started:.0f} seconds.")


def stamp() -> str:
    """What decides whether `.venv` can be used as it is."""
    digest = hashlib.sha256(LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    return f"{digest}\n{sys.version_info[0]}.{sys.version_info[1]}\n{ROOT}\n"


def is_ready(wanted: str) -> bool:
    """A finished `.venv` of this very stamp."""
    return (
        STAMP.is_file()
        and not UNFINISHED.exists()
        and STAMP.read_text(encoding="utf-8") == wanted
        and Path(tool("python")).exists()
    )


def is_sound() -> bool:
    """`.venv` has a Python of this version that runs and has pip, and was made at this place."""
    probe = "import pip, sys; print('%d.%d' % sys.version_info[:2], sys.prefix)"
    try:
        seen = subprocess.run([tool("python"), "-c", probe], check=False, capture_output=True)
    except OSError:
        return False
    wanted = f"{sys.version_info[0]}.{sys.version_info[1]} {VENV}"
    moved = STAMP.is_file() and STAMP.read_text(encoding="utf-8").splitlines()[-1:] != [str(ROOT)]
    return seen.returncode == 0 and os.fsdecode(seen.stdout).strip() == wanted and not moved


def create() -> None:
    """`python -m venv`, in words if it cannot be."""
    say(f"Making .venv with Python {version()} ...")
    VENV.mkdir()
    UNFINISHED.touch()
    command = [sys.executable, "-m", "venv", str(VENV)]
    made = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if made.returncode:
        shutil.rmtree(str(VENV), ignore_errors=True)
        raise SetupError(
            f"Python {version()} cannot make a virtual environment here. On Debian or Ubuntu: "
            f"apt install python3-venv. It said:\n{indent(os.fsdecode(made.stdout).strip()[-800:])}"
        )


def pip(what: str, args: list[str]) -> None:
    """Install quietly, with one line of progress; the whole output is in `LOG`."""
    command = [tool("python"), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *args]
    total = sum(1 for line in LOCK.open(encoding="utf-8") if line[:1].isalnum() and "==" in line)
    before = installed()
    with LOG.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=str(ROOT))
        try:
            show_progress(process, what, total if what == "packages" else 0, before)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if process.returncode:
        raise SetupError(explain(LOG.read_text(encoding="utf-8", errors="replace")))


def show_progress(process: subprocess.Popen, what: str, total: int, before: int) -> None:
    """One line that is written again while pip works; a line now and then where nobody watches."""
    watched, last = sys.stderr.isatty(), 0.0
    while process.poll() is None:
        time.sleep(0.2)
        found = LOG.read_text(encoding="utf-8", errors="replace").count("\nCollecting ") + 1
        now_in = installed() - before
        state = f"{now_in} installed" if now_in > 0 else f"{found} found"
        line = f"Installing {what}: {f'{state} of about {total}' if total else '...'}"
        if watched:
            sys.stderr.write("\r\033[K" + line)
            sys.stderr.flush()
        elif time.monotonic() - last > PAUSE_SECONDS:
            say(line)
            last = time.monotonic()
    if watched:
        sys.stderr.write("\r\033[K")


def installed() -> int:
    """How many packages are in `.venv`."""
    folders = [*VENV.glob("lib/python*/site-packages"), VENV / "Lib" / "site-packages"]
    return sum(1 for folder in folders for _ in folder.glob("*.dist-info"))


def explain(log: str) -> str:
    """The failure of pip in a sentence, with its own last words."""
    last = indent("\n".join(log.strip().splitlines()[-6:]))
    unreachable = ("NewConnectionError", "NameResolutionError", "Max retries", "ProxyError", "ReadTimeout",
                   "Could not fetch", "ConnectTimeout", "Connection refused", "CERTIFICATE_VERIFY")  # fmt: skip
    if "DO NOT MATCH THE HASHES" in log:
        what = "A downloaded package is not the one that was locked. Nothing of it was installed."
    elif any(word in log for word in unreachable):
        what = (
            "The package index cannot be reached. Check the network and the proxy (HTTPS_PROXY), or name a mirror "
            "in PIP_INDEX_URL, and call this again."
        )
    elif "No space left" in log:
        what = "The disk is full: about 700 MB are needed."
    else:
        what = "The packages cannot be installed."
    return f"{what} pip said:\n{last}\nAll of it is in {LOG}"


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Two calls at once: the second waits for the first (where the system has file locks)."""
    with LOCK.open("rb") as file:
        try:
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("Another call is setting up this checkout: waiting for it ...")
                fcntl.flock(file, fcntl.LOCK_EX)
        except (ImportError, OSError):
            say("This system has no file locks: do not call this twice at once.")
        yield


def all_checks() -> int:
    """Run every check, also after one failed; say at the end which did."""
    failed = []
    for name, command in CHECKS:
        say(f"\n== {name}: {' '.join(command)}")
        if call(list(command)):
            failed.append(name)
    say("\n== tests: pytest")
    if call(["pytest"]):
        failed.append("tests")
    say(f"\nNot passed: {', '.join(failed)}." if failed else "\nAll checks passed.")
    return 1 if failed else 0


def call(command: list[str]) -> int:
    """Run a tool of `.venv` in the checkout; returns its exit code."""
    sys.stdout.flush()
    return subprocess.call([tool(command[0]), *command[1:]], cwd=str(ROOT), env=environment())


def become(command: list[str]) -> int:
    """Let a tool of `.venv` take this process's place, so that signals reach it."""
    sys.stdout.flush()
    line = [tool(command[0]), *command[1:]]
    if os.name == "nt":
        return subprocess.call(line, env=environment())
    return os.execve(line[0], line, environment())


def environment() -> dict[str, str]:
    """The caller's environment, without what would lead Python astray, and with `.venv` in front."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    kept["VIRTUAL_ENV"] = str(VENV)
    kept["PATH"] = str(Path(tool("python")).parent) + os.pathsep + kept.get("PATH", "")
    return kept


def tool(name: str) -> str:
    """The path of a program in `.venv`."""
    return str(VENV / "Scripts" / (name + ".exe") if os.name == "nt" else VENV / "bin" / name)


def version() -> str:
    """Of this Python, for people."""
    return sys.version.split()[0]


def indent(text: str) -> str:
    """The text, each line moved in."""
    return "\n".join("    " + line for line in text.splitlines())


def say(text: str) -> None:
    """Words for people go to standard error: standard output belongs to the command."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        say("\nStopped.")
        sys.exit(130)
