"""The four services, strict, on ports of this machine; no request of a test may have broken a rule of theirs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest

from tests.integration.delivery.audiences.google_service import GoogleService
from tests.integration.delivery.audiences.meta_service import MetaService
from tests.integration.delivery.audiences.strict_service import StrictService
from tests.integration.delivery.audiences.vk_service import VkService
from tests.integration.delivery.audiences.yandex_service import YandexService

S = TypeVar("S", bound=StrictService)


@asynccontextmanager
async def _kept_rules(service: S) -> AsyncIterator[S]:
    async with service:
        yield service
    assert service.broken == []


@pytest.fixture
async def meta_service() -> AsyncIterator[MetaService]:
    async with _kept_rules(MetaService()) as service:
        yield service


@pytest.fixture
async def google_service() -> AsyncIterator[GoogleService]:
    async with _kept_rules(GoogleService()) as service:
        yield service


@pytest.fixture
async def yandex_service() -> AsyncIterator[YandexService]:
    async with _kept_rules(YandexService()) as service:
        yield service


@pytest.fixture
async def vk_service() -> AsyncIterator[VkService]:
    async with _kept_rules(VkService()) as service:
        yield service
