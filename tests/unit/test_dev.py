"""The set-up script: what it does once, and what it tells a person whose machine is not as it should be."""

import ast
import importlib.util
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent.parent
DEV = ROOT / ".ci" / "dev.py"


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, in a checkout of its own."""
    spec = importlib.util.spec_from_file_location("dev", DEV)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    root = tmp_path / "a checkout"
    (root / ".ci").mkdir(parents=True)
    (root / ".ci" / "lock.txt").write_text("nothing==1 \\\n    --hash=sha256:00\n", encoding="utf-8")
    (root / "pyproject.toml").write_text("", encoding="utf-8")
    for name, place in {"ROOT": root, "VENV": root / ".venv", "LOCK": root / ".ci" / "lock.txt"}.items():
        monkeypatch.setattr(module, name, place)
    return module


@pytest.fixture
def calls(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What it calls, as `venv`, `pip`, `sync`, `editable`; nothing of it happens but the folder."""
    made: list[str] = []
    monkeypatch.setattr(dev, "call", recorded(dev, made))
    return made


def recorded(dev: ModuleType, made: list[str], failing: str = "") -> Callable[..., int]:
    def call(*command: str) -> int:
        made.append(next(word for word in ("venv", "sync", "-e", "pip") if word in command))
        if made[-1] == "venv":
            shutil.rmtree(dev.VENV, ignore_errors=True)
            Path(dev.tool("python")).parent.mkdir(parents=True)
            Path(dev.tool("python")).touch()
        return int(made[-1] == failing)

    return call


def told(capsys: pytest.CaptureFixture[str], refused: "pytest.ExceptionInfo[SystemExit]") -> str:
    assert refused.value.code == 2
    return capsys.readouterr().err


def test_an_old_python_is_named_with_what_to_do(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dev.sys, "version_info", (3, 9, 2))
    monkeypatch.setenv("PATH", "")

    with pytest.raises(SystemExit) as refused:
        dev.find_python()

    assert "Procession needs Python 3.11, 3.12 or 3.13; this is" in told(capsys, refused)


def test_it_is_written_so_that_an_old_python_gets_as_far_as_that_sentence() -> None:
    ast.parse(DEV.read_text(encoding="utf-8"), feature_version=(3, 7))


def test_the_second_call_finds_all_done(dev: ModuleType, calls: list[str]) -> None:
    dev.make_venv()
    first = list(calls)

    dev.make_venv()

    assert first == calls == ["venv", "pip", "sync", "-e"]


def test_another_lock_is_installed_into_the_same_environment(dev: ModuleType, calls: list[str]) -> None:
    dev.make_venv()
    calls.clear()
    dev.LOCK.write_text("other==2\n", encoding="utf-8")

    dev.make_venv()

    assert calls == ["pip", "sync", "-e"]


@pytest.mark.parametrize("what", ["unfinished", "without a Python", "of another place", "by hand"])
def test_an_environment_that_is_broken_or_somebody_elses_is_made_anew(
    dev: ModuleType, calls: list[str], what: str
) -> None:
    dev.make_venv()
    calls.clear()
    stamp = dev.VENV / "procession-stamp"
    match what:
        case "unfinished":
            stamp.write_text("unfinished", encoding="utf-8")
        case "without a Python":
            Path(dev.tool("python")).unlink()
        case "of another place":
            stamp.write_text(stamp.read_text(encoding="utf-8") + "/elsewhere", encoding="utf-8")
        case "by hand":
            stamp.unlink()

    dev.make_venv()

    assert calls == ["venv", "pip", "sync", "-e"]


@pytest.mark.parametrize("failing", ["pip", "-e"])
def test_an_installation_that_fails_is_no_finished_one(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], failing: str
) -> None:
    monkeypatch.setattr(dev, "call", recorded(dev, [], failing))

    with pytest.raises(SystemExit) as refused:
        dev.make_venv()

    said = told(capsys, refused)
    assert "This checkout cannot be set up, for what is said above." in said
    assert ("PIP_INDEX_URL" in said) == (failing == "pip")
    assert dev.stamp() == ["unfinished"]


def test_what_uv_cannot_install_pip_may(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr(dev, "call", recorded(dev, made, "sync"))

    dev.make_venv()

    assert made == ["venv", "pip", "sync", "pip", "-e"]
    assert len(dev.stamp()) == 2


def test_of_two_calls_at_once_one_does_it(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    record = recorded(dev, made)
    other = threading.Thread(target=dev.make_venv)

    def call(*command: str) -> int:
        if not made:
            other.start()  # finds no environment, and waits
        return record(*command)

    monkeypatch.setattr(dev, "call", call)
    dev.make_venv()
    other.join()

    assert made == ["venv", "pip", "sync", "-e"]


def test_a_python_that_makes_no_virtual_environments_says_what_is_missing(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dev.sys, "executable", shutil.which("false"))

    with pytest.raises(SystemExit) as refused:
        dev.make_venv()

    assert "apt install python3-venv" in told(capsys, refused)


def test_a_checkout_without_its_lock_is_no_checkout(
    dev: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    dev.LOCK.unlink()

    with pytest.raises(SystemExit) as refused:
        dev.make_venv()

    assert "is missing: this is no complete checkout" in told(capsys, refused)


def test_pip_gets_uv_alone_and_by_its_hash(dev: ModuleType, calls: list[str]) -> None:
    dev.LOCK.write_text((ROOT / ".ci" / "lock.txt").read_text(encoding="utf-8"), encoding="utf-8")

    dev.make_venv()

    first, *rest = (dev.VENV / "procession-uv.txt").read_text(encoding="utf-8").splitlines()
    assert first.startswith("uv==")
    assert rest
    assert {line.split("sha256:")[0] for line in rest} == {"    --hash="}


def test_uv_looks_where_pip_is_told_to_look(dev: ModuleType) -> None:
    told = {
        ":env:.index-url": "https://one.example/packages",
        "global.cert": "/etc/ssl/all.pem",
        "global.extra-index-url": "file:///a https://b.example/",
        "global.find-links": "/wheels\n/more",
        "global.index-url": "https://two.example/packages",
        "global.retries": "3",
        "install.cert": "/etc/ssl/ours.pem",
    }
    listed = "".join(f"{name}={value!r}\n" for name, value in told.items())

    assert dev.in_uvs_words(listed) == {
        "UV_DEFAULT_INDEX": "https://one.example/packages",
        "UV_INDEX": "file:///a https://b.example/",
        "UV_FIND_LINKS": "/wheels,/more",
        "SSL_CERT_FILE": "/etc/ssl/ours.pem",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def test_every_check_runs_also_after_one_that_failed(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []
    monkeypatch.setattr(dev, "call", lambda *command: ran.append(command[0]) or int(command[0] == "mypy"))

    code = dev.all_checks()

    assert code == 1
    assert ran == ["ruff", "ruff", "mypy", "lint-imports", "procession", "pytest"]
    assert capsys.readouterr().err.endswith("\nNot passed: types.\n")


def test_without_words_it_says_how_it_is_used() -> None:
    done = subprocess.run([sys.executable, DEV], capture_output=True, text=True, check=False)

    assert done.returncode == 0
    assert "python3 .ci/dev.py demo" in done.stdout


def test_an_unknown_word_is_wrong_use() -> None:
    done = subprocess.run([sys.executable, DEV, "demmo"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert "python3 .ci/dev.py demo" in done.stderr
