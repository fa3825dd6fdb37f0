"""R3: settings of letters out: what is refused, by which words, and that no secret is in them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from services.settings import Settings
from services.ways_out import OutgoingMail

GOOD: dict[str, Any] = {"host": "mail.example.org", "from_address": "school@firma.example"}


def test_R3_few_settings_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADLINE_MAIL_OUT", json.dumps(GOOD))
    monkeypatch.setenv("LEADLINE_PUBLIC_URL", "https://leads.firma.example/")
    settings = Settings()
    mail = settings.mail_out
    assert mail is not None
    assert (mail.security, mail.server_port, mail.per_minute) == ("tls", 465, 100)
    assert (mail.answers_to, mail.reports_to) == ("school@firma.example", "school@firma.example")
    assert settings.public_url == "https://leads.firma.example"
    assert OutgoingMail(**GOOD, security="starttls").server_port == 587
    assert OutgoingMail(**{**GOOD, "host": "127.0.0.1"}, security="none").server_port == 25
    assert OutgoingMail(**GOOD, reply_address="leads@школа.рф").reports_to == "leads@xn--80atdl2c.xn--p1ai"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"security": "none"}, "only for a server on this machine"),
        ({"security": "none", "host": "127.0.0.1.evil.example"}, "only for a server on this machine"),
        ({"user": "u"}, "user and password go together"),
        ({"password": "hunter2"}, "user and password go together"),
        ({"from_address": "школа@firma.example"}, "no e-mail address"),
        ({"from_address": "Школа <school@firma.example>"}, "no e-mail address"),
        ({"from_address": "school@firma.example\r\nBcc: x@y.example"}, "no e-mail address"),
        ({"reply_address": "leads+x@firma.example"}, "give a reply_address"),
        ({"bounce_address": f"{'b' * 28}@firma.example"}, "at most 27"),
        ({"from_name": "Школа\r\nBcc: x@y.example"}, "one line"),
        ({"host": "mail.example.org\r\nQUIT"}, "pattern"),
        ({"per_minute": 0}, "greater than or equal to 1"),
        ({"timeout": 0}, "greater than or equal to 0.1"),
        ({"pasword": "hunter2"}, "Extra inputs"),
    ],
)
def test_R3_a_wrong_setting_is_refused_in_words_without_secrets(changed: dict[str, Any], said: str) -> None:
    given = {**GOOD, "user": "u", "password": "hunter2", **changed}
    if changed.keys() & {"user", "password"}:
        given = {**GOOD, **changed}
    with pytest.raises(ValidationError, match=said) as refused:
        OutgoingMail.model_validate(given)
    assert "hunter2" not in str(refused.value)
    with pytest.raises(ValidationError) as of_all:
        Settings(mail_out=given)  # type: ignore[arg-type]
    assert "hunter2" not in str(of_all.value)


@pytest.mark.parametrize(
    "url",
    [
        "leads.firma.example",
        "ftp://x.example",
        "https://",
        "https://x.example/?a=1",
        "https://x.example/#a",
        "https://x.example/<a>",
        "https://x.example/ a",
    ],
)
def test_C7_a_public_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="LEADLINE_PUBLIC_URL"):
        Settings(public_url=url)


def test_R3_the_password_is_shown_nowhere() -> None:
    mail = OutgoingMail.model_validate({**GOOD, "user": "u", "password": "hunter2"})
    assert "hunter2" not in repr(mail) + str(mail) + mail.model_dump_json()
