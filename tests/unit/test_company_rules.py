"""Which company a lead means that names a firm, and what a company's stream makes of it (P10, C1)."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from contracts import events as e
from contracts.meta import Actor, Meta
from contracts.personal import ERASED
from contracts.recorded import Recorded
from services.leads.domain.company import (
    CompanyState,
    Key,
    company_from,
    named,
    normalise_company_name,
    normalise_site,
    recognise_company,
)
from tests.unit.given_lead import COMMAND, THEN

ONE, OTHER, NEW = UUID(int=1), UUID(int=2), UUID(int=3)


def company(company: UUID, *identities: Key) -> CompanyState:
    return CompanyState(company, 1, "Ромашка", frozenset(identities))


def meant(owners: dict[Key, CompanyState], name: str, **values: str) -> tuple[UUID, list[Key]]:
    """Given who owns what: the company meant, and what finds it from now on."""
    said = named(name, values, "RU")
    assert said is not None
    found = recognise_company(said, {key: owner for key, owner in owners.items() if key in said.keys}, NEW)
    added = [(x.identity_kind, x.value) for x in found.events if isinstance(x, e.CompanyIdentityAdded)]
    assert tuple(added) == found.claims, "each claim is an event, each event a claim"
    assert found.made == any(isinstance(x, e.CompanyMade) for x in found.events) == (found.company == NEW)
    return found.company, list(found.claims)


@pytest.mark.parametrize(
    "text",
    ["Ромашка", "ООО «Ромашка»", 'ооо "РОМАШКА"', "Ромашка, ООО", "АО Ромашка", "  ромашка ", "РоМашка"],
)
def test_P10_one_name_however_it_is_written(text: str) -> None:
    assert normalise_company_name(text) == "ромашка"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Acme, Ltd.", "acme"),
        ("ACME LLC", "acme"),
        ("Ёлка", "елка"),
        ("ИП Иванов И. И.", "иванов и и"),
        ("ООО", "ооо"),
        ("«»", None),
        ("", None),
        (None, None),
    ],
)
def test_P10_legal_form_is_no_part_of_a_name_unless_there_is_nothing_else(text: str | None, name: str | None) -> None:
    assert normalise_company_name(text) == name


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://www.Romashka.ru/about?x=1", "romashka.ru"),
        ("romashka.ru", "romashka.ru"),
        ("http://user:secret@romashka.ru:8080#top", "romashka.ru"),
        ("ромашка.рф", "ромашка.рф"),
        ("нет", None),
        ("пока неизвестно", None),
        ("10.0.0.1", None),
        ("romashka..ru", None),
        ("", None),
        (None, None),
    ],
)
def test_P10_site_is_its_host(text: str | None, host: str | None) -> None:
    assert normalise_site(text) == host


@for_all(st.text(max_size=100))
def test_P10_any_text_gives_a_name_and_a_site_that_stay_as_they_are(text: str) -> None:
    for normal in (normalise_company_name, normalise_site):
        once = normal(text)
        assert once is None or normal(once) == once


def test_P10_new_company_is_found_by_all_that_was_said() -> None:
    assert meant({}, "Ромашка", site="romashka.ru", company_phone="8 4872 12-34-56") == (
        NEW,
        [("site", "romashka.ru"), ("phone", "+74872123456"), ("name", "ромашка")],
    )


def test_P10_name_alone_joins_and_a_site_that_is_new_to_it_is_added() -> None:
    known = {("name", "ромашка"): company(ONE, ("name", "ромашка"))}
    assert meant(known, "ООО Ромашка") == (ONE, [])
    assert meant(known, "ООО Ромашка", website="romashka.ru") == (ONE, [("site", "romashka.ru")])


def test_P10_site_goes_before_phone_and_name_and_gives_it_no_further_name() -> None:
    known = {
        ("name", "ромашка"): company(ONE, ("name", "ромашка")),
        ("site", "tula.ru"): company(OTHER, ("site", "tula.ru")),
        ("phone", "+74872123456"): company(ONE, ("phone", "+74872123456")),
    }
    assert meant(known, "Ромашка", site="tula.ru", company_phone="+74872123456") == (OTHER, [])
    assert meant(known, "Лютик", site="tula.ru") == (OTHER, [])


def test_P10_site_that_contradicts_makes_another_company_and_nothing_is_joined_unseen() -> None:
    known = {("name", "ромашка"): company(ONE, ("name", "ромашка"), ("site", "kazan.ru"))}
    assert meant(known, "Ромашка", site="tula.ru") == (NEW, [("site", "tula.ru")])
    known[("phone", "+74872123456")] = known[("name", "ромашка")]
    assert meant(known, "Ромашка", site="tula.ru", company_phone="+74872123456") == (NEW, [("site", "tula.ru")])


def test_P10_fields_that_say_nothing_readable_are_passed_over() -> None:
    assert meant({}, "Ромашка", site="нет", company_phone="спросить") == (NEW, [("name", "ромашка")])
    assert named(None, {"site": "romashka.ru"}, "RU") is None


def happened(*data: e.CompanyEvent) -> list[Recorded]:
    def meta(version: int, event: e.CompanyEvent) -> Meta:
        return Meta(
            stream=ONE,
            version=version,
            kind="company",
            type=event.TOPIC,
            happened_at=THEN,
            recorded_at=THEN,
            actor=Actor(id="anna", kind="person"),
            command=COMMAND,
            correlation="test",
            person=ONE,
        )

    return [Recorded(meta(version, event), event) for version, event in enumerate(data, 1)]


def test_P10_company_is_what_its_events_say_and_nothing_once_erased() -> None:
    events: list[e.CompanyEvent] = [
        e.CompanyMade(name="ООО Ромашка"),
        e.CompanyIdentityAdded(identity_kind="site", value="romashka.ru"),
        e.CompanyRenamed(name="АО Ромашка"),
    ]
    state = company_from(happened(*events))
    assert state == CompanyState(ONE, 3, "АО Ромашка", frozenset({("site", "romashka.ru")}))
    assert company_from(happened(*events, e.CompanyErased(reason="asked"))) == CompanyState(ONE, 4, erased=True)
    shut = [e.CompanyMade(name=ERASED), e.CompanyIdentityAdded(identity_kind="site", value=ERASED)]
    assert company_from(happened(*shut)) == CompanyState(ONE, 2)
