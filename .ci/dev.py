#!/usr/bin/env python3
"""Set up this checkout and use it: `python3 .ci/dev.py demo` or `python3 .ci/dev.py test`.

Makes `.venv` from the hash-pinned lock, once: pip installs uv, and uv the rest. A stamp in it says for which lock,
Python and folder it was made, so that the second call starts at once. Standard library only, and old syntax only: an
old Python must get as far as the sentence that says it is too old.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

try:
    import fcntl
except ImportError:  # a system without file locks: do not call this twice at once
    fcntl = None

ROOT = Path(__file__).resolve().parent.parent
LOCK, VENV = ROOT / ".ci" / "lock.txt", ROOT / ".venv"
OLDEST, NEWEST = (3, 11), (3, 13)
FAR = "If the package index cannot be reached: HTTPS_PROXY names a proxy, PIP_INDEX_URL a mirror."
USAGE = """Usage:
  python3 .ci/dev.py demo [--count N] [--keep-open] [--json]   show the main job, from a saved meeting to the mail
  python3 .ci/dev.py test                                      all checks: style, types, imports, content, tests
  python3 .ci/dev.py test ARGS...                              only pytest, with these arguments
  python3 .ci/dev.py docs                                      write docs/reference anew
  python3 .ci/dev.py run ARGS...                               any procession command, for example: run check

The first call installs what is needed into .venv (seconds, besides the download); later ones start at once."""
CHECKS = {
    "style": "ruff check .", "format": "ruff format --check .", "types": "mypy", "imports": "lint-imports --no-cache",
    "processes": "procession --project . check", "tests": "pytest -n 2 --dist worksteal",
}  # fmt: skip
"""Tests go in two halves side by side, in the order of their files: those that mostly wait for real servers are all in the
first, and whichever half is done takes over from the end of the other."""
PIPS = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "find-links": "UV_FIND_LINKS", "cert": "SSL_CERT_FILE"}  # fmt: skip
"""Where pip is told to look for packages, as uv calls it."""


def main(word: str = "--help", *rest: str) -> int:
    """Returns the exit code of what was asked for."""
    if word not in ("demo", "test", "docs", "run"):
        asked = word in ("-h", "--help")
        print(USAGE, file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    find_python()
    make_venv()
    if word == "test":
        return call("pytest", *rest) if rest else all_checks()
    if word == "docs":
        return call("python", ".ci/reference.py")
    command = [tool("procession"), *([] if word == "run" else [word]), *rest]
    if os.name == "nt":
        return subprocess.call(command, env=environment())
    return os.execve(command[0], command, environment())  # in our place, so that signals reach it


def find_python() -> None:
    """Go on in this Python if it will do, otherwise in one on the PATH that does."""
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        other = shutil.which(f"python3.{minor}")
        if other and subprocess.call([other, "-c", "import venv"], stderr=subprocess.DEVNULL) == 0:
            os.execv(other, [other, str(Path(__file__).resolve()), *sys.argv[1:]])
    fail(
        f"Procession needs Python 3.11, 3.12 or 3.13; this is Python {sys.version.split()[0]}. Install one of them "
        f"(it may stand beside this one) and call it by name: python3.12 .ci/dev.py {' '.join(sys.argv[1:])}"
    )


def make_venv() -> None:
    """Make or mend `.venv`; nothing to do if its stamp is the one of this lock, Python and folder."""
    if not LOCK.is_file():
        fail(f"{LOCK} is missing: this is no complete checkout. Clone it again.")
    content = LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes()
    wanted = [hashlib.sha256(content).hexdigest(), f"Python 3.{sys.version_info[1]} in {VENV}"]
    if stamp() == wanted:
        return
    with LOCK.open("rb") as file:
        if fcntl:  # another call may be setting up: it is done then
            fcntl.flock(file, fcntl.LOCK_EX)
        if stamp() == wanted:
            return
        if stamp()[1:] != wanted[1:]:  # not there, unfinished, or of another place
            say(f"Making .venv with Python {sys.version.split()[0]} ...")
            debian = "On Debian or Ubuntu: apt install python3-venv."
            step(debian, sys.executable, "-m", "venv", "--clear", str(VENV))
        (VENV / "procession-stamp").write_text("unfinished", encoding="utf-8")
        install(LOCK.read_text(encoding="utf-8"))
        (VENV / "procession-stamp").write_text("\n".join(wanted), encoding="utf-8")


def install(pins: str) -> None:
    """What the lock holds, and this checkout."""
    say(f"Installing {len(re.findall('^[a-z0-9].*==', pins, re.MULTILINE))} packages ...")
    uv = VENV / "procession-uv.txt"
    uv.write_text("".join(re.findall(r"^uv==.*\n(?:[ ]+.*\n)*", pins, re.MULTILINE)), encoding="utf-8")
    pip = ["python", "-m", "pip", "install", "-qq", "--require-hashes", "-r"]
    step(FAR, *pip, str(uv))
    if call("uv", "pip", "sync", "-q", "--require-hashes", str(LOCK)):
        say("uv cannot install them; pip, which may know more of this network, tries ...")
        step(FAR, *pip, str(LOCK))
    step("", "uv", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "-e", str(ROOT))


def stamp() -> list[str]:
    """What `.venv` holds and where it was made; less than two lines if it is not finished, or has no Python."""
    file = VENV / "procession-stamp"
    finished = file.is_file() and Path(tool("python")).exists()
    return file.read_text(encoding="utf-8").splitlines() if finished else []


def all_checks() -> int:
    """Run every check, also after one failed; say at the end which did."""
    failed = []
    for name, command in CHECKS.items():
        say(f"\n== {name}: {command}")
        failed += [name] if call(*command.split()) else []
    say(f"\nNot passed: {', '.join(failed)}." if failed else "\nAll checks passed.")
    return 1 if failed else 0


def call(*command: str) -> int:
    """Run a tool of `.venv` in the checkout; returns its exit code."""
    sys.stdout.flush()
    return subprocess.call([tool(command[0]), *command[1:]], cwd=str(ROOT), env=environment(command[0]))


def step(hint: str, *command: str) -> None:
    """A part of the set-up, which ends there if it fails."""
    if call(*command):
        fail(f"This checkout cannot be set up, for what is said above. {hint}".strip())


def environment(program: str = "") -> dict[str, str]:
    """The caller's, without what would lead Python astray, with `.venv` in front, and for uv with pip's settings."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    kept |= {
        "VIRTUAL_ENV": str(VENV),
        "PATH": str(Path(tool("x")).parent) + os.pathsep + kept.get("PATH", ""),
    }
    if program != "uv":
        return kept
    listed = subprocess.check_output([tool("python"), "-m", "pip", "config", "list"], env=kept)
    return {**in_uvs_words(os.fsdecode(listed)), **kept}


def in_uvs_words(listed: str) -> dict[str, str]:
    """`pip config list` as the environment of uv, so that both look in the same places for packages."""
    found = {"UV_INDEX_STRATEGY": "unsafe-best-match"}  # as pip does; hashes say which file is the right one
    for section in ("global", "install", ":env:"):  # the last one wins
        for key, value in re.findall(rf"^{section}\.([\w-]+)=(.*)$", listed, re.MULTILINE):
            if key in PIPS:
                between = "," if key == "find-links" else " "
                found[PIPS[key]] = between.join(str(ast.literal_eval(value)).split())
    return found


def tool(name: str) -> str:
    """The path of a program in `.venv`; a path stays what it is."""
    return str(VENV / "Scripts" / f"{name}.exe" if os.name == "nt" else VENV / "bin" / name)


def say(text: str) -> None:
    """Words for people go to standard error: standard output belongs to the command."""
    print(text, file=sys.stderr, flush=True)


def fail(why: str) -> None:
    say(why)
    sys.exit(2)


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        say("\nStopped.")
        sys.exit(130)
