"""K5: which addresses are ours, what the listener's limits let through, and settings that are refused with the way out."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from pydantic import SecretStr, ValidationError

from services.channels.intake import Intake
from services.channels.mail import smtp
from services.channels.mail.app import post_of
from services.channels.mail.reading.company import Company, without_token
from services.channels.mail.smtp import Budget, PeerLimits
from services.settings import Mailbox, Settings

NOBODY = cast(Intake, None)


@pytest.mark.parametrize(
    ("address", "ours"),
    [
        ("leads@firma.example", True),
        ("LEADS@Firma.Example", True),
        ("leads+token@firma.example", True),
        ("who@sales.example", True),
        ("other@firma.example", False),
        ("leads@firma.example.evil.example", False),
        ("leads@sub.sales.example", False),
        ("leads", False),
    ],
)
def test_K5_only_the_company_s_addresses_are_taken(address: str, ours: bool) -> None:
    assert Company.of(["leads@firma.example", "@sales.example"]).takes(address) is ours


def test_K5_every_address_is_taken_only_where_that_is_said() -> None:
    assert Company.of(["*"]).takes("anyone@anywhere.example")
    assert not Company.of([]).takes("anyone@anywhere.example")


@pytest.mark.parametrize("entry", ["firma.example", "a@b@c.example", "two words@firma.example", "", "leads@"])
def test_K5_what_is_no_address_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="neither an address"):
        Company.of([entry])


def test_K5_a_letter_to_two_of_our_addresses_belongs_to_the_first_it_names() -> None:
    company = Company.of(["leads@firma.example", "info@firma.example"])
    shown = ["partner@other.example", "Info@firma.example", "leads@firma.example"]
    for delivered in (["leads@firma.example"], ["info@firma.example"]):
        assert company.written_to(shown, delivered)[0] == "Info@firma.example"
    assert company.written_to([], ["leads@firma.example"]) == ["leads@firma.example"], "a blind copy"
    every = Company.of(["*"])
    assert every.written_to(shown, ["leads@firma.example"])[0] == "Info@firma.example", "by the domain delivered to"


@pytest.mark.parametrize(
    ("address", "base", "token"),
    [
        ("leads+Ab-1_2.c@firma.example", "leads@firma.example", "Ab-1_2.c"),
        ("Leads@firma.example", "leads@firma.example", None),
        ("leads+@firma.example", "leads@firma.example", None),
        ("leads+bad token@firma.example", "leads@firma.example", None),
        ("+x@firma.example", "+x@firma.example", "x"),
    ],
)
def test_K5_a_plus_address_names_its_thread(address: str, base: str, token: str | None) -> None:
    assert without_token(address) == (base, token)


def test_K5_a_peer_s_letters_come_back_with_time() -> None:
    now = [0.0]
    limits = PeerLimits(6, lambda: now[0])
    assert [limits.may_send("a") for _ in range(7)] == [True] * 6 + [False]
    assert limits.may_send("b"), "each peer has its own"
    now[0] += 10
    assert [limits.may_send("a") for _ in range(2)] == [True, False], "six a minute: one in ten seconds"


def test_K5_connections_of_one_peer_and_of_all_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "PEER_CONNECTIONS", 2)
    monkeypatch.setattr(smtp, "CONNECTIONS", 4)
    limits = PeerLimits(6, lambda: 0.0)
    assert [limits.connected("a") for _ in range(3)] == [True, True, False]
    limits.gone("a")
    assert [limits.connected("b"), limits.connected("b")] == [True, True]
    assert not limits.connected("c"), "five are open"


def test_K5_memory_for_peers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "PEERS", 10)
    limits = PeerLimits(6, lambda: 0.0)
    limits.connected("connected")
    for number in range(100):
        limits.may_send(str(number))
    assert len(limits.peers) == 10
    assert "connected" in limits.peers


def test_K5_the_budget_takes_nothing_it_has_no_room_for() -> None:
    budget = Budget(10)
    assert [budget.take(6), budget.take(6), budget.take(4)] == [True, False, True]
    budget.free(10)
    assert budget.used == 0


MAILBOX: dict[str, Any] = {
    "name": "leads",
    "host": "imap.example.org",
    "user": "leads@firma.example",
    "password": "s3cret-word",
    "address": "leads@firma.example",
}


def test_K5_mailboxes_are_read_from_the_environment_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADLINE_MAILBOXES", json.dumps([MAILBOX]))
    settings = Settings()
    [mailbox] = settings.mailboxes
    assert (mailbox.port, mailbox.security, mailbox.folder, mailbox.take) == (993, "tls", "INBOX", "all")
    assert mailbox.password.get_secret_value() == "s3cret-word"
    assert "s3cret-word" not in repr(settings)
    assert post_of(settings, NOBODY).company.takes("leads@firma.example"), "a mailbox's address is ours"


def test_K5_wrong_mail_settings_are_named_with_the_way_out() -> None:
    with pytest.raises(ValueError, match=r"LEADLINE_MAIL_ADDRESSES is not.*for example"):
        post_of(Settings(smtp_port=0), NOBODY)
    with pytest.raises(ValueError, match=r"LEADLINE_MAIL_ADDRESSES.*'nonsense'"):
        post_of(Settings(mail_addresses=["nonsense"]), NOBODY)
    twice = [Mailbox(**{**MAILBOX, "password": SecretStr("x")})] * 2
    with pytest.raises(ValueError, match="same name"):
        post_of(Settings(mailboxes=twice), NOBODY)
    with pytest.raises(ValidationError, match="name"):
        Mailbox(**{**MAILBOX, "name": "ключ"})
