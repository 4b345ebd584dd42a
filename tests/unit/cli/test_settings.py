"""Settings: from the environment, then from procession.toml; a wrong one is a sentence that names it."""

from pathlib import Path

import pytest

from flows.settings import described, read
from procession.errors import ConfigurationError

WRONG = [
    ("mail_domian = 'x'", "'mail_domian' in procession.toml is no setting of Procession", "Did you mean 'mail_domain'?"),
    ("smtp.hots = 'x'", "'smtp.hots' in procession.toml is no setting of Procession", "Did you mean 'smtp.host'?"),
    ("smtp.port = 'abc'", "the setting smtp.port must be a whole number", "Port; 587 for starttls"),
    ("smtp.port = 99999", "the setting smtp.port must be at most 65535", "Port; 587"),
    ("smtp.security = 'ssl'", "the setting smtp.security must be 'starttls', 'tls' or 'none'", "How the connection"),
    ("smtp = 'x'", "the setting smtp is a table: write its settings below a line with its name in brackets", ""),
    ("smtp.password = 'hunter2'", "the setting smtp.password must name where the secret is, and not be the secret", "Write env:NAME"),
    ("database = 'postgresql://a:hunter2@h/d'", "the setting database must not hold a password; set database_password", "URL of the database"),
    ("database = 'mysql://h/d'", "the setting database must start with sqlite:/// or postgresql://", "URL of the database"),
    ("timezone = 'Berlin'", "the setting timezone must be a time zone: there is no time zone 'Berlin'", "Time zone of moments"),
    ("mail_domain = 'a b'", "the setting mail_domain must be a domain, like example.com", "Domain of Message-IDs"),
    ("default_sender = 'Anna'", "the setting default_sender must be a name and an address", "From whom"),
    ("database = 'postgresql://h/d?password=hunter2'", "the setting database must not hold a password; set database_password", "URL of the database"),
    ("database = 'postgresql://h/d?sslpassword=hunter2'", "the setting database must not hold a password; set database_password", "URL of the database"),
    ("database = 'postgresql://h:many/d'", "the setting database must be a URL like postgresql://user@host:5432/name", "URL of the database"),
    ("database = 'postgresql://[::1/d'", "the setting database must be a URL like postgresql://user@host:5432/name", "URL of the database"),
    ("database = 'sqlite:store.sqlite'", "the setting database must start with sqlite:/// or postgresql://", "URL of the database"),
    ("database = 'sqlite:///'", "the setting database must name a file", "URL of the database"),
    ("data = 3", "the setting data must be text", "Folder for what"),
    ("smtp.host = 'mail.example.com:25'", "the setting smtp.host must be a name or an address alone, like mail.example.com; the port is smtp.port", "Name or address"),
    ("smtp.host = 'a b'", "the setting smtp.host must be a name or an address alone", "Name or address"),
    (f"smtp.host = '{'x' * 64}.com'", "the setting smtp.host must be a name or an address alone", "Name or address"),
    ('smtp.user = "anna\\r\\nRSET"', "the setting smtp.user must be one line of text", "Who logs in"),
    ('default_sender = "A <a@b.example>\\nBcc: c@d.example"', "the setting default_sender must be a name and an address", "From whom"),
    ("prefect.api_url = 'localhost:4200'", "the setting prefect.api_url must be like http://127.0.0.1:4200/api", "Address of the API"),
    ("mail.redirect_all_to = 'Tests <tests@us.example>'", "the setting mail.redirect_all_to must be one address alone", "For test systems"),
    ("mail.redirect = 'x'", "'mail.redirect' in procession.toml is no setting of Procession", ""),
    ("mail.domain = 'x.example'", "'mail.domain' in procession.toml is no setting of Procession", "Did you mean 'mail_domain'?"),
    ("a = ", "procession.toml is not TOML", "A line looks like this"),
]  # fmt: skip


def project(folder: Path, text: str) -> Path:
    (folder / "procession.toml").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(("text", "message", "hint"), WRONG, ids=[text for text, _, _ in WRONG])
def test_a_wrong_setting_is_named_with_a_hint(text: str, message: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(project(tmp_path, text))

    assert message in caught.value.message
    assert caught.value.hint.startswith(hint)
    assert "hunter2" not in str(caught.value) + caught.value.hint


def test_a_wrong_environment_variable_is_named_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCESSION_SMTP_PORT", "many")

    with pytest.raises(
        ConfigurationError, match="the environment variable PROCESSION_SMTP_PORT must be a whole number"
    ):
        read(tmp_path)


def test_an_unknown_environment_variable_is_no_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCESSION_SMPT_HOST", "mail.example.com")

    with pytest.raises(
        ConfigurationError, match="the environment variable PROCESSION_SMPT_HOST is no setting"
    ) as caught:
        read(tmp_path)

    assert caught.value.hint == "Did you mean 'PROCESSION_SMTP_HOST'?"


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROCESSION_SMTP_HOST", "from-environment")

    settings = read(project(tmp_path, "smtp.host = 'from-file'\nsmtp.port = 25"))

    assert (settings.smtp.host, settings.smtp.port) == ("from-environment", 25)


def test_a_secret_is_looked_up_where_the_setting_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_SECRET", "s/e:cret")
    (tmp_path / "smtp-secret").write_text("hunter2\n", encoding="utf-8")
    text = "database = 'postgresql://app@h:5433/d'\ndatabase_password = 'env:DB_SECRET'\nsmtp.password = 'file:smtp-secret'"

    settings = read(project(tmp_path, text))

    assert settings.database_url() == "postgresql://app:s%2Fe%3Acret@h:5433/d"
    assert settings.smtp_password() == "hunter2"
    assert "hunter2" not in repr(settings)
    assert "cret" not in repr(settings).replace("secret", "").replace("SECRET", "")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("env:NO_SUCH", "smtp.password is env:NO_SUCH, but the environment variable NO_SUCH is not set"),
        (
            "file:nothing",
            "smtp.password is file:nothing, but that file cannot be read: No such file or directory",
        ),
    ],
)
def test_a_secret_that_is_not_there_is_named_by_its_reference(
    reference: str, message: str, tmp_path: Path
) -> None:
    settings = read(project(tmp_path, f"smtp.password = '{reference}'"))

    with pytest.raises(ConfigurationError) as caught:
        settings.smtp_password()

    assert caught.value.message == message


def test_every_setting_is_described() -> None:
    assert all(name and variable.isupper() and description for name, variable, _, description in described())


def test_all_mail_of_a_test_system_can_be_redirected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = project(tmp_path, "mail_domain = 'a.example'\n[mail]\nredirect_all_to = 'tests@us.example'")
    assert read(written).mail.redirect_all_to == "tests@us.example"

    monkeypatch.setenv("PROCESSION_MAIL_DOMAIN", "b.example")
    monkeypatch.setenv("PROCESSION_MAIL_REDIRECT_ALL_TO", "others@us.example")

    assert read(written).mail.redirect_all_to == "others@us.example"
    assert read(written).mail_domain == "b.example"
