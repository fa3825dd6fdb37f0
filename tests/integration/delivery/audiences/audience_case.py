"""What tests of the audience adapters share: a strict service, an adapter that speaks to it, and people."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal
from uuid import UUID, uuid4

from pydantic import SecretStr

from services.delivery.audiences.calling import ServiceLine
from services.delivery.audiences.facebook import FacebookAdapter
from services.delivery.audiences.google import GoogleAdapter
from services.delivery.audiences.vk import VkAdapter
from services.delivery.audiences.yandex import YandexAdapter
from services.delivery.port import AudienceChange, AudienceService
from services.ways_out import FacebookAudiences, GoogleAudiences, VkAudiences, YandexAudiences
from tests.integration.delivery.audiences import google_service, meta_service, vk_service, yandex_service

SECONDS = 1.5
"""How long the adapters of tests wait for an answer."""


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def change(
    service: AudienceService,
    action: Literal["add", "remove"],
    *,
    phone: str | None = None,
    email: str | None = None,
    audience: str = "Пробный урок",
    effect: UUID | None = None,
) -> AudienceChange:
    return AudienceChange(effect or uuid4(), service, audience, action, phone, email)


def people(
    service: AudienceService, action: Literal["add", "remove"], numbers: Iterable[int], audience: str = "Пробный урок"
) -> list[AudienceChange]:
    """People with a phone and an e-mail of their own each."""
    return [
        change(service, action, phone=f"+7999{n:07d}", email=f"Person.{n}@Example.org", audience=audience)
        for n in numbers
    ]


def facebook(url: str, token: str = meta_service.TOKEN) -> FacebookAdapter:
    account = FacebookAudiences(service="facebook", account=meta_service.ACCOUNT, token=SecretStr(token), base_url=url)
    return FacebookAdapter(account, ServiceLine(url, seconds=SECONDS))


def google(url: str, token: str = google_service.CLIENT["refresh_token"], *, consent: bool = False) -> GoogleAdapter:
    account = GoogleAudiences(
        service="google",
        account=google_service.ACCOUNT,
        login_account=google_service.LOGIN,
        client_id=google_service.CLIENT["client_id"],
        client_secret=SecretStr(google_service.CLIENT["client_secret"]),
        refresh_token=SecretStr(token),
        consent=consent,
        base_url=url,
        token_url=f"{url}/token",
    )
    return GoogleAdapter(account, ServiceLine(url, seconds=SECONDS))


def yandex(url: str, token: str = yandex_service.TOKEN) -> YandexAdapter:
    account = YandexAudiences(service="yandex", token=SecretStr(token), base_url=url)
    return YandexAdapter(account, ServiceLine(url, seconds=SECONDS))


def vk(url: str, token: str = vk_service.CLIENT["refresh_token"], *, fill_removals: bool = True) -> VkAdapter:
    account = VkAudiences(
        service="vk",
        client_id=vk_service.CLIENT["client_id"],
        client_secret=SecretStr(vk_service.CLIENT["client_secret"]),
        refresh_token=SecretStr(token),
        base_url=url,
        fill_removals=fill_removals,
    )
    return VkAdapter(account, ServiceLine(url, seconds=SECONDS))
