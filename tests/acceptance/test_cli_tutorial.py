"""The tutorial does what it says: its files are written, its commands are called, its outputs are looked for."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from procession.cli.main import main
from procession.testing.inbox import Inbox

TUTORIAL = Path(__file__).parent.parent.parent / "docs" / "tutorial.md"
BLOCK = re.compile(r"(?:^`([\w/.]+)`\n\n)?^```(\w+)(?: ([\w ]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its role (`inbox`, `serve`, `mend`), and the file it is the content of."""

    file: str
    language: str
    role: str
    text: str


def blocks() -> Iterator[Block]:
    for file, language, role, text in BLOCK.findall(TUTORIAL.read_text(encoding="utf-8")):
        yield Block(file, language, role, text)


@dataclass
class Reader:
    """Somebody who does what the tutorial says, in a folder of their own."""

    inbox: Inbox
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch
    said: str = ""
    serving: bool = False
    written: list[Path] = field(default_factory=list)

    def follow(self, block: Block) -> None:
        match block.language:
            case "sh":
                self.shell(block)
            case "yaml" if block.role.startswith("part"):
                name = block.role.removeprefix("part").strip() or "remind_of_meeting"
                assert block.text in Path(f"processes/{name}.yaml").read_text(encoding="utf-8")
            case "yaml" if block.role == "mend":
                self.mend(block.text)
            case "yaml":
                self.write(block)
            case "toml":
                self.set_mail_server()
            case "text":
                assert re.search(pattern(block.text), squeezed(self.said)), (
                    f"{block.text}\nis not in\n{self.said}"
                )

    def shell(self, block: Block) -> None:
        self.said = ""
        if block.role == "serve":
            self.serving = True
        elif block.role == "inbox":
            assert block.text == "python -m procession.testing.inbox --port 2525 --maildir mails\n"
        else:
            if block.role == "incident":
                self.inbox.refuse_next("550 5.3.2 the server is down", times=1)
            for line in block.text.splitlines():
                self.line(line)

    def line(self, line: str) -> None:
        program, *words = shlex.split(line)
        if program == "cd":
            self.monkeypatch.chdir(words[0])
            return
        assert program == "procession"
        main(words)
        heard = self.capsys.readouterr()
        self.said += heard.out + heard.err
        if self.serving:
            self.engine()

    def engine(self) -> None:
        """What `procession serve` does meanwhile, without Prefect."""
        from flows.wiring import application
        from procession.advance import advance
        from procession.engine import Engine
        from procession.engines import beating
        from procession.publications import Asked

        app = application()
        app.publish(Asked())
        ports = app.ports()
        engine = Engine(ports, app.definitions, lambda plan, found: advance(plan, found, ports))
        with beating(ports.engine):
            while engine.tick():
                pass
        app.close()

    def write(self, block: Block) -> None:
        path = Path(block.file)
        path.write_text(block.text, encoding="utf-8")
        self.written.append(path)

    def mend(self, line: str) -> None:
        """Put the line in the place of the one that begins alike."""
        path = self.written[-1]
        start = line.rstrip("\n")[:-3]
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(line if old.startswith(start) else old for old in lines), encoding="utf-8")

    def set_mail_server(self) -> None:
        for name, value in (("HOST", self.inbox.host), ("PORT", str(self.inbox.port)), ("SECURITY", "none")):
            self.monkeypatch.setenv(f"PROCESSION_SMTP_{name}", value)


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def pattern(expected: str) -> str:
    """`…` is anything; blanks and line ends are all the same."""
    return ".*?".join(re.escape(part.strip()) for part in squeezed(expected).split("…"))


def test_the_tutorial_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    with Inbox() as inbox:
        reader = Reader(inbox, capsys, monkeypatch)
        for block in blocks():
            reader.follow(block)

    *thanks, moved = [mail.subject for mail in inbox.mails]
    assert thanks == [
        "Thank you for Press line: the offer", "Thank you for Spare parts: terms", "Thank you for Visite à Lille",
    ]  # fmt: skip
    assert moved.startswith("New time: Cold chain kick-off, ")


def test_every_process_in_the_docs_can_be_used_as_written() -> None:
    from crm.schema import SCHEMA
    from procession.compile import compile_text
    from procession.mail import Templates

    root = TUTORIAL.parent.parent
    templates = Templates(root / "templates")
    texts = [
        text
        for page in (root / "README.md", *root.glob("docs/**/*.md"))
        for text in re.findall(
            r"^```yaml\n(process: .*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        )
    ]

    assert len(texts) >= 2
    for text in texts:
        name = text.split("\n", 1)[0].removeprefix("process: ")
        compile_text(text.replace("emial", "email"), f"{name}.yaml", templates, SCHEMA, {})
