"""Settings of what goes out: what is refused at the start, and in which words (R3)."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from pydantic import ValidationError

from services.ops.place import load_settings
from services.settings import Settings
from services.ways_out import OutgoingWebhook, SmppCenter, SmsGateway

KEY = base64.b64encode(bytes(range(24))).decode()
GATEWAY = {"kind": "http", "url": "https://gateway.example/v1", "token": "t0p", "sender": "Firma"}
CENTER = {"kind": "smpp", "host": "smsc.example", "system_id": "firma", "password": "secret08", "sender": "Firma"}
WEBHOOK = {"url": "https://hooks.example/in", "secret": f"whsec_{KEY}"}


def settings(monkeypatch: pytest.MonkeyPatch, sms: Any = None, webhooks: Any = None) -> Settings:
    """Settings as a service reads them from its environment."""
    if sms is not None:
        monkeypatch.setenv("LEADLINE_SMS_OUT", json.dumps(sms))
    if webhooks is not None:
        monkeypatch.setenv("LEADLINE_WEBHOOKS", json.dumps(webhooks))
    return load_settings()


def test_R3_each_way_out_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings(monkeypatch).sms_out is None
    assert settings(monkeypatch).webhooks == {}
    found = settings(monkeypatch, GATEWAY, {"crm": WEBHOOK})
    assert isinstance(found.sms_out, SmsGateway)
    assert found.webhooks["crm"].key == bytes(range(24))
    assert isinstance(settings(monkeypatch, CENTER).sms_out, SmppCenter)
    assert "t0p" not in repr(found)
    assert KEY not in repr(found)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "[::1]", "localhost", "LocalHost"])
def test_R3_plain_http_leads_to_this_machine_only(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    url = f"http://{host}:8000/x"
    assert settings(monkeypatch, GATEWAY | {"url": url}).sms_out is not None
    assert settings(monkeypatch, None, {"a": WEBHOOK | {"url": url, "allow_private": True}}).webhooks
    with pytest.raises(Exception, match="allow_private must be true"):
        settings(monkeypatch, None, {"a": WEBHOOK | {"url": url}})


@pytest.mark.parametrize("host", ["gateway.example", "10.0.0.1", "169.254.169.254", "localhost.example", "[fe80::1]"])
def test_R3_plain_http_elsewhere_stops_the_start(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    with pytest.raises(Exception, match=r"LEADLINE_SMS_OUT.*must be https"):
        settings(monkeypatch, GATEWAY | {"url": f"http://{host}/x"})
    monkeypatch.delenv("LEADLINE_SMS_OUT")
    with pytest.raises(Exception, match=r"LEADLINE_WEBHOOKS\.crm.*must be https"):
        settings(monkeypatch, None, {"crm": WEBHOOK | {"url": f"http://{host}/x", "allow_private": True}})


@pytest.mark.parametrize(
    "url",
    ["", "gateway.example", "ftp://gateway.example/", "https://", "https://a.example:99999/", "https://a.example:0/",
     "https://user:topsecret@a.example/", "https://topsecret@a.example/", "https://[::1/", "https://пример.example/",
     "https://a.example/a b", "https://a.example/#part"],
)  # fmt: skip
def test_R3_what_is_no_url_to_post_to_is_refused_without_being_repeated(url: str) -> None:
    for model, given in ((SmsGateway, GATEWAY), (OutgoingWebhook, WEBHOOK)):
        with pytest.raises(ValidationError) as refused:
            model.model_validate(given | {"url": url})
        told = refused.value.errors(include_input=False)[0]["msg"]
        assert "https" in told or "must" in told
        assert "topsecret" not in told


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_AAAA", "not base64!", base64.b64encode(bytes(65)).decode(), "кл"]
)
def test_R3_a_secret_that_signs_nothing_is_refused(secret: str) -> None:
    with pytest.raises(ValidationError, match="openssl rand -base64 24"):
        OutgoingWebhook.model_validate(WEBHOOK | {"secret": secret})


@pytest.mark.parametrize(
    ("field", "value"),
    [("password", "ninechars"), ("password", "пароль"), ("system_id", "a" * 16), ("sender", "a" * 12), ("sender", "Фирма"),
     ("port", 0), ("timeout", 0), ("kind", "fax"), ("url", "https://gateway.example/")],
)  # fmt: skip
def test_R3_what_smpp_cannot_carry_is_refused(monkeypatch: pytest.MonkeyPatch, field: str, value: Any) -> None:
    with pytest.raises(Exception, match="LEADLINE_SMS_OUT"):
        settings(monkeypatch, CENTER | {field: value})


@pytest.mark.parametrize("name", ["", "CRM", "a b", "-a", "a" * 65])
def test_R3_a_webhook_has_a_plain_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(Exception, match="LEADLINE_WEBHOOKS"):
        settings(monkeypatch, None, {name: WEBHOOK})
