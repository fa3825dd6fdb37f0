"""R4: contacts in the form of each ad service, hashed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.audiences.contacts import Hashed, Hashing, for_facebook, for_google, for_vk, for_yandex

EVERY: tuple[Hashing, ...] = (for_facebook, for_google, for_yandex, for_vk)
LENGTH: dict[Hashing, int] = {for_facebook: 64, for_google: 64, for_yandex: 64, for_vk: 32}

phones = st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True)
locals_ = st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9._+\-]{0,20}", fullmatch=True)
domains = st.sampled_from(["gmail.com", "googlemail.com", "example.org", "MAIL.ru", "почта.рф", "gmail.com.example"])
emails = st.builds("{}@{}".format, locals_, domains)
spaces = st.text(" \t\r\n\u00a0", max_size=3)
hashings = st.sampled_from(EVERY)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    ("hashing", "phone", "email"),
    [
        (for_facebook, sha256("79991234567"), sha256("ivan.petrov+crm@gmail.com")),
        (for_yandex, sha256("79991234567"), sha256("ivan.petrov+crm@gmail.com")),
        (for_google, sha256("+79991234567"), sha256("ivanpetrov@gmail.com")),
        (for_vk, md5("79991234567"), md5("ivan.petrov+crm@gmail.com")),
    ],
)
def test_R4_each_service_gets_its_own_form(hashing: Hashing, phone: str, email: str) -> None:
    hashed = hashing("+79991234567", "  Ivan.Petrov+CRM@Gmail.com\n")
    assert (hashed.phone, hashed.email) == (phone, email)


def test_R4_examples_of_the_services_documents() -> None:
    # Google, «Format user data»
    assert for_google("+18005550100", "user.name+NYC@Example.com") == Hashed(
        sha256("user.name+nyc@example.com"), sha256("+18005550100")
    )
    # Yandex Metrica, «Customer data format»: known MD5 of 79995551111 and mail@yandex.ru, which VK hashes alike
    vk = for_vk("+79995551111", "Mail@yandex.ru")
    assert (vk.phone, vk.email) == ("f09f2c3d48f31e2a802944ade2e5aec5", "3c56ff8fef0f6c65b36b2d25720fe276")


@given(hashings, phones, emails)
def test_R4_what_leaves_is_lower_case_hex_and_not_the_contact(hashing: Hashing, phone: str, email: str) -> None:
    hashed = hashing(phone, email)
    for part in (hashed.phone, hashed.email):
        if part is not None:
            assert re.fullmatch(f"[0-9a-f]{{{LENGTH[hashing]}}}", part)
    assert phone[1:] not in repr(hashed)
    assert email not in repr(hashed)
    assert hashed.phone is None or hashed.phone not in repr(hashed)


@given(hashings, emails, spaces, spaces, st.sampled_from([str.upper, str.lower, str.title]))
def test_R4_one_address_has_one_hash_however_it_is_written(
    hashing: Hashing, email: str, before: str, after: str, case: Callable[[str], str]
) -> None:
    assert hashing(None, f"{before}{case(email)}{after}") == hashing(None, email)


@given(hashings, phones, emails)
def test_R4_each_identifier_is_hashed_by_itself(hashing: Hashing, phone: str, email: str) -> None:
    both = hashing(phone, email)
    assert (hashing(phone, None).phone, hashing(None, email).email) == (both.phone, both.email)
    assert not hashing(None, None)


@given(hashings, phones, phones)
def test_R4_different_phones_have_different_hashes(hashing: Hashing, one: str, other: str) -> None:
    assert (hashing(one, None) == hashing(other, None)) == (one == other)


@given(locals_, st.sampled_from(["gmail.com", "googlemail.com"]), st.text(".", max_size=3), locals_)
def test_R4_google_takes_dots_and_plus_of_gmail_for_nothing(local: str, domain: str, dots: str, tag: str) -> None:
    plain = local.partition("+")[0].replace(".", "")
    written = f"{plain[0]}{dots}{plain[1:]}+{tag}@{domain}"
    assert (
        for_google(None, written)
        == for_google(None, f"{plain}@{domain}")
        == Hashed(sha256(f"{plain.lower()}@{domain}"), None)
    )


@given(locals_, st.sampled_from(["example.org", "gmail.com.example", "notgmail.com"]))
def test_R4_google_leaves_other_addresses_as_they_are(local: str, domain: str) -> None:
    assert for_google(None, f"{local}@{domain}").email == sha256(f"{local.lower()}@{domain}")


@pytest.mark.parametrize("hashing", EVERY)
@pytest.mark.parametrize(
    "phone",
    [
        "",
        " ",
        "79991234567",
        "89991234567",
        "+0123456789",
        "+7 999 123-45-67",
        "+1234567890123456",
        "+712345",
        "+٧٩٩٩١٢٣٤٥٦٧",
    ],
)
def test_R4_phone_that_is_not_E164_is_none(hashing: Hashing, phone: str) -> None:
    assert hashing(phone, None).phone is None


@pytest.mark.parametrize("hashing", EVERY)
@pytest.mark.parametrize("email", ["", "@", "a@", "@b", "a@b@c", "ivan", "a\x00@b.ru", "a@b\u202e.ru"])
def test_R4_what_is_no_address_is_none(hashing: Hashing, email: str) -> None:
    assert hashing(None, email).email is None


@pytest.mark.parametrize("email", [".@gmail.com", "+tag@gmail.com", "...+x@googlemail.com"])
def test_R4_google_address_of_which_nothing_is_left_is_none(email: str) -> None:
    assert for_google(None, email).email is None


@given(hashings, st.text(max_size=40) | st.none(), st.text(max_size=40) | st.none())
def test_R4_whatever_comes_in_breaks_nothing(hashing: Hashing, phone: str | None, email: str | None) -> None:
    hashed = hashing(phone, email)
    assert bool(hashed) == (hashed.phone is not None or hashed.email is not None)
