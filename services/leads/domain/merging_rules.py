"""The rules of merging two leads, and of undoing it (N16, C3): what does not hold, in words, or None. Pure.

`MERGE_RULES` and `UNMERGE_RULES` are asked in their order, and the first that does not hold refuses: later ones may look at what
it forbids. `docs/rules.md` is generated from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from contracts import commands as c
from contracts.commands import Refusal
from services.leads.domain.case import Broken
from services.leads.domain.contact import ContactState
from services.leads.domain.persons import head_of, members_of
from services.leads.domain.state import LeadState

Place = tuple[UUID, str]
"""(head of a person, pipeline): where at most one lead is open."""
RANK = {"lost": 0, "postponed": 1, "open": 2, "won": 3}


@dataclass(frozen=True, slots=True)
class MergeCase:
    """What the rules of merging look at. `into`: the lead that goes on; None: there is no such lead."""

    lead: LeadState
    into: LeadState | None
    command: c.Command
    contacts: Mapping[UUID, ContactState]
    open_leads: Mapping[Place, UUID]
    """Of both persons."""
    leads: Mapping[UUID, LeadState] = field(default_factory=dict)
    """The open leads, as they stand; for an undoing all leads of the persons."""

    @property
    def survivor(self) -> LeadState:
        """The lead that goes on, once the rules have seen that there is one."""
        assert self.into is not None, "N16.into_a_lead lets no other through"
        return self.into

    @property
    def person(self) -> UUID:
        """The head of the lead's person."""
        return head_of(self.lead.contact, self.contacts)

    @property
    def other(self) -> UUID:
        """The head of the survivor's person."""
        return head_of(self.survivor.contact, self.contacts)

    @property
    def joined(self) -> UUID | None:
        """Of a lead that was merged: the contact that was merged with it; None: they were one person before. It is the one that
        went on for the lead's person then, also where the lead's own contact was set apart from it since."""
        merge = self.lead.merged_by
        return next((i for i, s in self.contacts.items() if s.merged_by == merge), None) if merge is not None else None


@dataclass(frozen=True, slots=True)
class MergeRule:
    """A rule: its id, what it says in both languages, why it is there, and the function that holds a case against it."""

    id: str
    ru: str
    en: str
    why: str
    broken: Callable[[MergeCase], Broken | None]


def open_leads_of(case: MergeCase, members: tuple[UUID, ...]) -> list[tuple[Place, UUID]]:
    """The open leads of these contacts."""
    return [
        (place, open_lead)
        for place, open_lead in sorted(case.open_leads.items())
        if (state := case.leads.get(open_lead)) is not None and state.contact in members
    ]


def _readable(case: MergeCase) -> Broken | None:
    erased = case.lead.erased or (case.into is not None and case.into.erased)
    if erased:
        return Broken(
            "Данные клиента удалены по его праву: такие лиды не объединяют и не разделяют.",
            "The person's data was erased: such leads are neither merged nor un-merged.",
            status=410,
        )
    return None


def _current(case: MergeCase) -> Broken | None:
    expected, version = case.command.expected_version, case.lead.version
    if expected is None or expected == version:
        return None
    return Broken(
        f"Лид изменился: версия {version}, а вы видели {expected}. Откройте его ещё раз.",
        f"The lead has changed: it is at version {version}, you saw {expected}. Open it again.",
        status=409,
    )


def _person_decides(case: MergeCase) -> Broken | None:
    if case.command.actor.kind != "person":
        return Broken("Объединяет лиды только человек.", "Only a person merges leads.")
    return None


def _no_robot(case: MergeCase) -> Broken | None:
    if case.command.actor.kind not in ("person", "system"):
        return Broken("Разделяет лиды только человек.", "Only a person un-merges leads.")
    return None


def _own_leads(case: MergeCase) -> Broken | None:
    actor = case.command.actor
    if actor.role != "seller":
        return None
    strangers = [s for s in (case.lead, case.into) if s is not None and s.responsible not in (None, actor.id)]
    if not strangers:
        return None
    names = ", ".join(sorted({str(s.responsible) for s in strangers}))
    return Broken(
        f"Лид ведёт {names}: попросите его или руководителя.",
        f"The lead is in the hands of {names}: ask them, or the head.",
    )


def _not_merged_yet(case: MergeCase) -> Broken | None:
    if case.lead.merged_into is not None:
        return Broken(
            f"Лид уже объединён с лидом {case.lead.merged_into}.",
            f"The lead was merged into {case.lead.merged_into} already.",
        )
    return None


def _into_a_lead(case: MergeCase) -> Broken | None:
    if case.into is None:
        return Broken(
            "Лида, с которым объединяют, нет. Проверьте номер.", "There is no lead to merge into. Check its id."
        )
    if case.into.lead == case.lead.lead:
        return Broken("Лид нельзя объединить с самим собой.", "A lead is not merged into itself.")
    if case.into.merged_into is not None:
        return Broken(
            f"Этот лид сам объединён с лидом {case.into.merged_into}: объединяйте с ним.",
            f"That lead was itself merged into {case.into.merged_into}: merge into that one.",
        )
    return None


def _one_pipeline(case: MergeCase) -> Broken | None:
    if case.into is None or case.into.pipeline == case.lead.pipeline:
        return None
    return Broken(
        f"Лиды в разных воронках: {case.lead.pipeline} и {case.into.pipeline}. Сначала переведите один в воронку другого.",
        f"The leads are in different pipelines: {case.lead.pipeline} and {case.into.pipeline}. Move one to the other's first.",
    )


def _into_the_livelier(case: MergeCase) -> Broken | None:
    lead, into = case.lead, case.into
    if lead.kind == "won":
        return Broken(
            "Это сделка: она не исчезает в другом лиде. Объедините другой лид с ней.",
            "This is a deal: it does not vanish in another lead. Merge the other lead into it.",
        )
    if into is not None and RANK[into.kind] < RANK[lead.kind]:
        return Broken(
            "Лид, который продолжится, закрыт, а этот ещё нет: объедините наоборот или сначала возобновите тот.",
            "The lead that would go on is closed and this one is not: merge the other way round, or reopen that one first.",
        )
    return None


def _one_open_lead(case: MergeCase) -> Broken | None:
    if case.into is None or case.person == case.other:
        return None
    theirs = {pipeline: lead for (head, pipeline), lead in case.open_leads.items() if head == case.other}
    both = [
        (pipeline, lead, theirs[pipeline])
        for (head, pipeline), lead in sorted(case.open_leads.items())
        if head == case.person and pipeline in theirs and lead != case.lead.lead
    ]
    return _two_open(both)


def _one_open_lead_apart(case: MergeCase) -> Broken | None:
    lead, joined = case.lead, case.joined
    if lead.kind != "open" or lead.merged_into is None:
        return None
    members = members_of(joined, case.contacts) if joined is not None else ()
    if lead.contact not in members:
        there = case.open_leads.get((case.person, lead.pipeline))
        return _two_open([(lead.pipeline, lead.lead, there)]) if there is not None else None
    both = [
        (pipeline, lead.lead, other)
        for (_, pipeline), other in open_leads_of(case, members)
        if pipeline == lead.pipeline
    ]
    return _two_open(both)


def _two_open(both: list[tuple[str, UUID, UUID]]) -> Broken | None:
    if not both:
        return None
    pipeline, one, other = both[0]
    return Broken(
        f"У человека стало бы два открытых лида в воронке {pipeline}: {one} и {other}. Сначала закройте один из них.",
        f"The person would have two open leads in the pipeline {pipeline}: {one} and {other}. Close one of them first.",
    )


def _is_merged(case: MergeCase) -> Broken | None:
    if case.lead.merged_into is None:
        return Broken("Лид ни с каким другим не объединён.", "The lead was not merged into any other.")
    return None


def _last_first(case: MergeCase) -> Broken | None:
    if case.lead.merged_into is not None and case.into is not None and case.into.merged_into is not None:
        return Broken(
            f"Лид {case.into.lead} сам объединён с лидом {case.into.merged_into}: сначала разделите их.",
            f"The lead {case.into.lead} was itself merged into {case.into.merged_into}: un-merge those first.",
        )
    if (later := _rests_on_it(case)) is not None:
        return Broken(
            f"Лид {later.lead} объединили с лидом {later.merged_into} как одного клиента: сначала разделите их.",
            f"The lead {later.lead} was merged into {later.merged_into} as one person's: un-merge those first.",
        )
    return None


def _rests_on_it(case: MergeCase) -> LeadState | None:
    """A merged lead that would be of one person, and the lead it went into of another: merged later, since they were one."""
    if case.joined is None:
        return None
    apart = members_of(case.joined, case.contacts)
    for lead in sorted(case.leads.values(), key=lambda state: state.lead):
        into = case.leads.get(lead.merged_into) if lead.merged_into is not None else None
        if into is not None and lead.lead != case.lead.lead and (lead.contact in apart) != (into.contact in apart):
            return lead
    return None


_READABLE = MergeRule(
    "M7.not_erased",
    "Лиды удалённых людей не объединяют и не разделяют.",
    "Leads of erased persons are neither merged nor un-merged.",
    "Nothing is known of the person any more, so nobody can say that two are one.",
    _readable,
)
_CURRENT = MergeRule(
    "K2.current_version",
    "Команда видит лид таким, какой он есть.",
    "A command was made looking at the lead as it is.",
    "Two people who change the same lead must not overwrite each other unseen.",
    _current,
)
_OWN = MergeRule(
    "N16.own_leads",
    "Продавец объединяет и разделяет свои лиды, руководитель — любые.",
    "A seller merges and un-merges leads of their own, a head any.",
    "A lead that a colleague works on must not vanish from their board by another's hand.",
    _own_leads,
)

MERGE_RULES: tuple[MergeRule, ...] = (
    _READABLE,
    _CURRENT,
    MergeRule(
        "N16.person_decides",
        "Объединяет лиды только человек.",
        "Only a person merges leads.",
        "Whether two are one person is nothing that a machine can see (C3).",
        _person_decides,
    ),
    _OWN,
    MergeRule(
        "N16.not_merged_yet",
        "Объединённый лид не объединяют ещё раз.",
        "A lead that was merged is not merged again.",
        "It goes on in one lead, or nobody knows where.",
        _not_merged_yet,
    ),
    MergeRule(
        "N16.into_a_lead",
        "Объединяют с другим лидом, который продолжается сам.",
        "A lead is merged into another one that goes on by itself.",
        "A chain that ends nowhere, or in itself, would lose the lead.",
        _into_a_lead,
    ),
    MergeRule(
        "N16.one_pipeline",
        "Объединяют лиды одной воронки.",
        "Leads of one pipeline are merged.",
        "Figures of different pipelines are never added (C5); a lead changes its pipeline by a move of its own.",
        _one_pipeline,
    ),
    MergeRule(
        "N16.into_the_livelier",
        "Объединяют с лидом, который не мертвее; сделка не исчезает.",
        "A lead is merged into one that is no deader; a deal does not vanish.",
        "Open work must not disappear in a closed lead, nor a won deal from the figures.",
        _into_the_livelier,
    ),
    MergeRule(
        "C3.one_open_lead",
        "У человека один открытый лид в воронке, и после объединения.",
        "A person has one open lead in a pipeline, after a merge too.",
        "Two open leads of one person are called by two sellers (C3).",
        _one_open_lead,
    ),
)
UNMERGE_RULES: tuple[MergeRule, ...] = (
    _READABLE,
    _CURRENT,
    MergeRule(
        "N16.no_robot",
        "Разделяет лиды человек или команда обслуживания.",
        "A person un-merges leads, or a command of the operators.",
        "A mistake of people is corrected by people.",
        _no_robot,
    ),
    MergeRule(
        "N16.is_merged",
        "Разделяют то, что объединено.",
        "What was merged is un-merged.",
        "There is nothing to take back.",
        _is_merged,
    ),
    _OWN,
    MergeRule(
        "N16.last_first",
        "Последнее объединение разделяют первым.",
        "The last merge is undone first.",
        "Otherwise what came in later would belong to a lead that does not go on itself, or a lead to another's person.",
        _last_first,
    ),
    MergeRule(
        "C3.one_open_lead",
        "У человека один открытый лид в воронке, и после разделения.",
        "A person has one open lead in a pipeline, after an un-merge too.",
        "Two open leads of one person are called by two sellers (C3).",
        _one_open_lead_apart,
    ),
)


def refused(case: MergeCase, rules: tuple[MergeRule, ...]) -> Refusal | None:
    """The refusal by the first rule that does not hold: later ones may look at what it forbids."""
    for rule in rules:
        if (broken := rule.broken(case)) is not None:
            return Refusal.model_validate(
                {"rules": (rule.id,), "ru": broken.ru, "en": broken.en, "status": broken.status}
            )
    return None
