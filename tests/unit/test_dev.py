"""The set-up script: what it tells a person whose machine is not as it should be."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

DEV = Path(__file__).parent.parent.parent / ".ci" / "dev.py"


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, in a checkout of its own."""
    spec = importlib.util.spec_from_file_location("dev", DEV)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    venv = tmp_path / "a checkout" / ".venv"
    (venv.parent / ".ci").mkdir(parents=True)
    (venv.parent / ".ci" / "lock.txt").write_text("nothing==1\n", encoding="utf-8")
    (venv.parent / "pyproject.toml").write_text("", encoding="utf-8")
    places = {
        "ROOT": venv.parent, "VENV": venv, "LOCK": venv.parent / ".ci" / "lock.txt", "STAMP": venv / "stamp",
        "UNFINISHED": venv / "unfinished", "LOG": venv / "log",
    }  # fmt: skip
    for name, place in places.items():
        monkeypatch.setattr(module, name, place)
    return module


def test_an_old_python_is_named_with_what_to_do(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev.sys, "version_info", (3, 9, 2))
    monkeypatch.setenv("PATH", "")

    with pytest.raises(dev.SetupError, match="Procession needs Python 3"):
        dev.find_python()


@pytest.mark.parametrize(
    ("log", "sentence"),
    [
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES",
            "A downloaded package is not the one that was locked.",
        ),
        (
            "WARNING: Retrying after NewConnectionError",
            "The package index cannot be reached. Check the network",
        ),
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        ("something else", "The packages cannot be installed."),
    ],
)
def test_a_failed_installation_is_a_sentence_with_the_last_words(
    dev: ModuleType, log: str, sentence: str
) -> None:
    said = dev.explain(log)

    assert said.startswith(sentence)
    assert f"    {log}\n" in said


def test_a_finished_set_up_is_known_by_its_stamp(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    dev.VENV.mkdir()
    wanted = dev.stamp()
    assert not dev.is_ready(wanted)
    monkeypatch.setattr(dev, "tool", lambda _name: sys.executable)

    dev.STAMP.write_text(wanted, encoding="utf-8")

    assert dev.is_ready(wanted)
    dev.LOCK.write_text("other==2\n", encoding="utf-8")
    assert not dev.is_ready(dev.stamp())


def test_an_interrupted_set_up_is_made_anew(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dev.VENV.mkdir()
    dev.UNFINISHED.touch()
    (dev.VENV / "half").touch()
    monkeypatch.setattr(dev, "pip", lambda _what, _args: None)

    dev.make_venv()

    assert "unfinished or broken: it is made anew" in capsys.readouterr().err
    assert not (dev.VENV / "half").exists()
    assert dev.is_ready(dev.stamp())


def test_a_python_that_makes_no_virtual_environments_says_what_is_missing(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev.sys, "executable", shutil.which("false"))

    with pytest.raises(dev.SetupError, match="cannot make a virtual environment here"):
        dev.make_venv()

    assert not dev.VENV.exists()


def test_a_checkout_without_its_lock_is_no_checkout(dev: ModuleType) -> None:
    dev.LOCK.unlink()

    with pytest.raises(dev.SetupError, match="is missing: this is no complete checkout"):
        dev.make_venv()


def test_without_words_it_says_how_it_is_used() -> None:
    done = subprocess.run([sys.executable, DEV], capture_output=True, text=True, check=False)

    assert done.returncode == 0
    assert "python3 .ci/dev.py demo" in done.stdout


def test_an_unknown_word_is_wrong_use() -> None:
    done = subprocess.run([sys.executable, DEV, "demmo"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert "python3 .ci/dev.py demo" in done.stderr
