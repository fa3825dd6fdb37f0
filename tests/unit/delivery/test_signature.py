"""The signature of a webhook (R3)."""

from __future__ import annotations

from services.delivery.webhooks import signature
from services.ways_out import OutgoingWebhook


def test_R3_the_signature_is_that_of_the_published_example() -> None:
    """The example of the Standard Webhooks libraries' own tests."""
    webhook = OutgoingWebhook.model_validate(
        {"url": "https://hooks.example/", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
    )
    signed = signature(webhook.key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
