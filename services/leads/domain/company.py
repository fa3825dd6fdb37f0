"""Companies: what one is at a version, and which one a lead means that names a firm (P10, C1; decision 7).

Invariants: pure; a company is found by its site, else its phone, else its exact name in normal form; nothing is joined
unseen: a lead that gives a site never goes to a company that has other sites; what belongs to one company is never given to
another. `docs/howto/work-with-a-lead.md` says it to people.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from contracts import events as e
from contracts.events import CompanyIdentityKind
from contracts.meta import Meta
from contracts.personal import known
from contracts.recorded import Recorded
from services.leads.domain.identities import normalise_phone

Key = tuple[CompanyIdentityKind, str]
"""(kind, value in normal form) of what finds a company."""

SITE_FIELDS: Final = ("site", "website")
"""Fields of a card or a form that hold a company's site, by their ids."""
PHONE_FIELD: Final = "company_phone"
"""The field that holds its phone; a lead's `phone` is the person's."""
TOLD_BY: Final = frozenset({"company", PHONE_FIELD, *SITE_FIELDS})
"""Fields that say something of a company."""

_LEGAL_FORMS: Final = frozenset(
    (
        *("ооо", "оао", "зао", "пао", "ао", "нко", "ано", "ип", "тоо", "чп"),
        *("llc", "ltd", "inc", "corp", "co", "gmbh", "ag", "plc", "lp", "llp", "jsc", "pjsc"),
    )
)
_HOST: Final = re.compile(r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_][\w-]{0,61}[^\W_]")


@dataclass(frozen=True, slots=True)
class CompanyState:
    """A company at `version`. `identities`: what finds it."""

    company: UUID
    version: int
    name: str | None = None
    identities: frozenset[Key] = frozenset()
    erased: bool = False


def company_from(recorded: Iterable[Recorded]) -> CompanyState | None:
    """The company after these events, from its first on; None for no events."""
    state: CompanyState | None = None
    for event in recorded:
        state = evolve_company(state, event.meta, event.data)
    return state


def evolve_company(state: CompanyState | None, meta: Meta, data: e.Event) -> CompanyState:
    """The company after one more event; never fails on one of a known type."""
    if isinstance(data, e.CompanyMade):
        return CompanyState(meta.stream, meta.version, known(data.name))
    assert state is not None, f"{meta.event_id}: a company's stream begins with {e.CompanyMade.TOPIC}"
    state = replace(state, version=meta.version)
    match data:
        case e.CompanyRenamed():
            return replace(state, name=known(data.name))
        case e.CompanyIdentityAdded() if (value := known(data.value)) is not None:
            return replace(state, identities=state.identities | {(data.identity_kind, value)})
        case e.CompanyErased():
            return replace(state, name=None, identities=frozenset(), erased=True)
    return state


@dataclass(frozen=True, slots=True)
class Named:
    """A company as a lead names it, with what finds it, the surest first: site, phone, name."""

    name: str
    keys: tuple[Key, ...]


def named(name: str | None, values: Mapping[str, str], region: str) -> Named | None:
    """What a lead says of a company; None where it names none. `values`: further fields, by the ids of the card's."""
    normal = normalise_company_name(name)
    if name is None or normal is None:
        return None
    sites = (site for field in SITE_FIELDS if (site := normalise_site(values.get(field))) is not None)
    found = [("site", next(sites, None)), ("phone", normalise_phone(values.get(PHONE_FIELD), region)), ("name", normal)]
    return Named(name.strip(), tuple((kind, value) for kind, value in found if value is not None))  # type: ignore[misc]


def normalise_company_name(text: str | None) -> str | None:
    """The name without its legal form and quotes, in small letters, ё as е; None when nothing is left of it.

    «ООО "Ромашка"» and «Ромашка, ооо» are one name; a firm called by its legal form alone keeps it.
    """
    words = re.findall(r"\w+", (text or "").casefold().replace("ё", "е"))
    own = [word for word in words if word not in _LEGAL_FORMS]
    return " ".join(own or words) or None


def normalise_site(text: str | None) -> str | None:
    """The host of a site in small letters without `www.`, from a host or an address; None when it is neither."""
    if not text or len(text) > 2_000:
        return None
    host = re.split(r"[/?#]", re.sub(r"^[a-z][a-z0-9+.-]*://", "", text.strip().lower()), maxsplit=1)[0]
    host = host.rpartition("@")[2].partition(":")[0].rstrip(".").removeprefix("www.")
    return host if len(host) <= 253 and _HOST.fullmatch(host) else None


@dataclass(frozen=True, slots=True)
class Found:
    """Which company is meant; `made`: it is new. `events` are of its stream, `claims` what finds it from now on."""

    company: UUID
    made: bool
    events: tuple[e.Event, ...]
    claims: tuple[Key, ...]


def recognise_company(said: Named, owners: Mapping[Key, CompanyState], new: UUID) -> Found:
    """The company that is meant, `new` where none is known. `owners`: of those of `said.keys` that have one."""
    meant = next((owners[key] for key in said.keys if key in owners and not _contradicts(said, owners[key])), None)
    free = tuple(key for key in said.keys if key not in owners)
    # A name that a company was not made by finds nothing: two firms may be behind one site.
    claims = tuple(key for key in free if meant is None or key[0] != "name")
    added = tuple(e.CompanyIdentityAdded(identity_kind=kind, value=value) for kind, value in claims)
    if meant is not None:
        return Found(meant.company, False, added, claims)
    return Found(new, True, (e.CompanyMade(name=said.name), *added), claims)


def _contradicts(said: Named, company: CompanyState) -> bool:
    """Whether the site given says that it is another company: this one has sites, and not that."""
    sites = {key for key in company.identities if key[0] == "site"}
    return bool(sites) and any(key[0] == "site" and key not in sites for key in said.keys)
