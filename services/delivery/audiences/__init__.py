"""Ad audiences of VK, Yandex, Meta (Facebook) and Google behind `services.delivery.port` (R4): contacts go in and out as hashes.

`contacts` hashes, `calling` and `oauth` speak HTTP, `changing` is what the four adapters share; each service is a module of its
own, with the rules it relies on by their source. `audience_adapters` makes what the settings name.
"""

from __future__ import annotations

from services.delivery.audiences.changing import AudienceAdapter, waits_for_more
from services.delivery.audiences.facebook import FacebookAdapter
from services.delivery.audiences.google import GoogleAdapter
from services.delivery.audiences.vk import VkAdapter
from services.delivery.audiences.yandex import YandexAdapter
from services.delivery.port import AudienceService
from services.settings import Settings
from services.ways_out import AudienceAccount, FacebookAudiences, GoogleAudiences, VkAudiences

__all__ = ["AudienceAdapter", "audience_adapters", "waits_for_more"]


def audience_adapters(settings: Settings) -> dict[AudienceService, AudienceAdapter]:
    """An adapter of each service that `LEADLINE_AUDIENCES` names. Whoever asks for them closes them."""
    return {account.service: _adapter(account) for account in settings.audiences}


def _adapter(account: AudienceAccount) -> AudienceAdapter:
    if isinstance(account, VkAudiences):
        return VkAdapter(account)
    if isinstance(account, FacebookAudiences):
        return FacebookAdapter(account)
    if isinstance(account, GoogleAudiences):
        return GoogleAdapter(account)
    return YandexAdapter(account)
