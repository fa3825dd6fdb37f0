"""What the pages tell to copy works (R3)."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from services.delivery.webhooks import signature
from services.ops.place import load_settings
from services.ways_out import SmppCenter, SmsGateway

HOWTO = Path(__file__).parents[3] / "docs" / "howto"
KEY = bytes(range(24))
SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"


def examples(page: str, variable: str) -> list[str]:
    """The values that a page gives a variable, a secret where it has dots."""
    text = (HOWTO / page).read_text("utf-8").replace("whsec_…", SECRET).replace("…", "secret08")
    found = re.findall(rf"{variable}='([^']*)'", text)
    assert found
    return found


def test_R3_the_settings_of_the_pages_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = []
    for value in examples("send-sms.md", "LEADLINE_SMS_OUT"):
        monkeypatch.setenv("LEADLINE_SMS_OUT", value)
        kinds.append(type(load_settings().sms_out))
    assert kinds == [SmsGateway, SmppCenter]
    for value in examples("webhooks.md", "LEADLINE_WEBHOOKS"):
        monkeypatch.setenv("LEADLINE_WEBHOOKS", value)
        assert list(load_settings().webhooks) == list(json.loads(value))


def test_R3_the_receiver_of_the_page_checks_a_signature() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (HOWTO / "webhooks.md").read_text("utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102
    body, now = b'{"a":1}', int(time.time())

    def headers(at: int, signed: bytes = body) -> dict[str, str]:
        return {
            "webhook-id": "x",
            "webhook-timestamp": str(at),
            "webhook-signature": "v1,b3RoZXI= " + signature(KEY, "x", at, signed),
        }

    assert names["is_ours"](SECRET, headers(now), body)
    assert not names["is_ours"](SECRET, headers(now - 600), body)
    assert not names["is_ours"](SECRET, headers(now, b'{"a":2}'), body)
