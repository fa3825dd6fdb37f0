"""The events behind `contracts/golden`, written by hand: what today's contracts say, with every field filled.

`python tests/contract/golden_samples.py` makes the files that are missing: bytes, expected values, checksum. It never writes
over a sample: sealing takes a random nonce, and a released sample stays as it is. The key in `keys.json` is a test key.
"""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contracts import events as e
from contracts.events.deal import of_deal
from contracts.meta import GENESIS, Actor, Meta, cloud_event_headers, digest_of
from services.eventlog.mapper import encode
from tests.contract import golden_deadlines

GOLDEN = Path(__file__).parents[2] / "contracts" / "golden"

CONTACT = UUID("018f3d2a-0000-7000-8000-00000000c0de")
LEAD = UUID("018f3d2a-1111-7111-8111-00000000feed")
OTHER = UUID("018f3d2a-2222-7222-8222-00000000beef")
PIPELINE = UUID("018f3d2a-3333-7333-8333-00000000babe")
INBOUND = UUID("018f3d2a-4444-7444-8444-00000000f00d")
JOURNAL = UUID("018f3d2a-bbbb-7bbb-8bbb-00000000d1a7")
TEAM = UUID("018f3d2a-cccc-7ccc-8ccc-0000000007ea")
DEAL = UUID("018f3d2a-6666-7666-8666-00000000d0e5")
COMMAND = UUID("018f3d2a-5555-7555-8555-00000000cafe")
EFFECT = UUID("018f3d2a-6666-7666-8666-00000000d00d")
EARLIER = UUID("018f3d2a-7777-7777-8777-00000000ace5")
OF_A_ROBOT: dict[str, Any] = {"robot": "call_back", "timer": UUID("018f3d2a-8888-7888-8888-00000000ace5"), "visit": 2}

HAPPENED = datetime(2026, 11, 22, 9, 0, 0, 250000, tzinfo=UTC)
RECORDED = datetime(2026, 11, 22, 9, 0, 1, tzinfo=UTC)

FROM_A_FORM = {
    "channel": "form",
    "source": "site",
    "form": "order",
    "inbound_id": INBOUND,
    "received_at": HAPPENED,
    "name": "Анна Смирнова",
    "company": "ООО «Ромашка»",
    "phone": "+79161234567",
    "email": "anna@example.org",
    "comment": "Столешница из камня, позвоните после 18:00 ☎",
    "fields": {"город": "Казань", "utm_source": "проба"},
}

A_CALL = {
    "inbound_id": INBOUND,
    "call_id": "pbx-77",
    "call_direction": "in",
    "answered": False,
    "started_at": HAPPENED,
    "ended_at": RECORDED,
    "number": "+79161234567",
    "line": "+74951234567",
    "agent": "Борис",
    "recording": "https://pbx.example.org/r/77.mp3",
}

OF_LEADS: tuple[e.Event, ...] = (
    e.ContactMade(name="Анна Смирнова", company="ООО «Ромашка»", inbound_id=INBOUND),
    e.IdentityAdded(identity_kind="phone", value="+79161234567", shared=True, state="confirmed"),
    e.IdentityShared(identity_kind="email", value="office@example.org", other_contact=OTHER),
    e.PersonErased(reason="asked"),
    e.LeadCaptured(pipeline="classic", contact=CONTACT, **FROM_A_FORM),
    e.StageEntered(
        stage="processing", kind="open", visit=2, from_stage="new", from_visit=1, cause="moved", direction="forward"
    ),
    e.LeadAssigned(
        to="anna", previous="boris", reason="in_turn", candidates=("anna", "boris"), turn=7, comment="по очереди"
    ),
    e.LeadSeen(),
    e.LeadAccepted(),
    e.CardRecorded(names=("needs", "phone"), values={"needs": "кухня 3 м", "phone": ""}),
    e.OfferMade(
        volume="3 погонных метра",
        price=e.Money(amount=Decimal("125000.50"), currency="RUB"),
        delivery_date=date(2026, 12, 24),
        comment="с установкой",
    ),
    e.AnswerReceived(answer="consent", comment="согласна"),
    e.LeadRejected(status="price", from_stage="closing", comment="дорого"),
    e.LeadPaused(status="paused", from_stage="proposal", until=date(2027, 1, 15), reason="ремонт после праздников"),
    e.LeadConverted(from_stage="closing"),
    e.LeadReopened(from_stage="paused", to_stage="proposal", reason="клиент вернулся"),
    e.InboundJoined(**FROM_A_FORM),
    e.DuplicateSuspected(identity_kind="phone", other_contact=OTHER, other_lead=LEAD),
    e.IdentityConfirmed(identity_kind="phone", value="+79161234567", proof="answered_call", inbound_id=INBOUND),
    e.IdentityWrong(
        identity_kind="email",
        value="anna@example.org",
        proof="bounce",
        inbound_id=INBOUND,
        status="5.1.1",
        diagnostic="550 5.1.1 нет такого ящика",
    ),
    e.CallRecorded(**A_CALL),
    e.CallUpdated(**{**A_CALL, "answered": True, "recording": "https://pbx.example.org/r/77.mp3"}),
    e.LetterReceived(
        inbound_id=INBOUND,
        account="sales",
        received_at=HAPPENED,
        reply=True,
        name="Анна Смирнова",
        email="anna@example.org",
        to=("sales@example.com",),
        cc=("boss@example.com",),
        subject="Re: Столешница",
        text="Добрый день! Размеры во вложении ☎",
        message_id="77@mail.example.org",
        attachments=(e.Attachment(media_type="application/pdf", size=81_234, blob=OTHER),),
        attachment_names=("размеры.pdf",),
    ),
    e.AutomaticMailReceived(
        inbound_id=INBOUND,
        mail_kind="bounce",
        received_at=HAPPENED,
        email="anna@example.org",
        subject="Undelivered",
        text="550 no such user",
        status="5.1.1",
    ),
    e.VisitRecorded(inbound_id=INBOUND, received_at=HAPPENED, page="https://example.com/цены", place="шоурум"),
    e.ActivityPlanned(
        activity=OTHER,
        activity_kind="call",
        reason="missed_call",
        due_at=RECORDED,
        assignee="anna",
        text="перезвонить, просила после обеда",
        inbound_id=INBOUND,
    ),
    e.ActivityDone(
        activity=OTHER, activity_kind="call", reason="answered_call", result="договорились о замере", inbound_id=INBOUND
    ),
    e.PipelinePublished(
        pipeline="classic",
        number=2,
        source="pipeline: classic\n",
        sha256=hashlib.sha256(b"pipeline: classic\n").hexdigest(),
    ),
    e.CallHeld(result="interested", activity=INBOUND, comment="перезвонить в пятницу"),
    e.MeetingHeld(result="oral_consent", activity=INBOUND, place="офис на Лесной", comment="договорились"),
    e.DocumentSent(
        document="contract",
        via="in_person",
        name="Договор 7",
        link="https://docs.example.org/7",
        comment="два экземпляра",
    ),
    e.FileAttached(
        label="contract",
        name="договор.pdf",
        link="https://docs.example.org/7.pdf",
        blob=OTHER,
        media_type="application/pdf",
        size=7,
    ),
    e.ApprovalGiven(decision="granted", comment="скидка 5 %"),
    e.FactEstablished(fact="interested", value="meeting", comment="хочет встретиться"),
    e.FactWithdrawn(fact="interested", comment="не тот клиент"),
    e.LeadAdopted(
        pipeline="classic", number=2, from_pipeline="classic", from_number=1, reason="published", comment="14 → 7"
    ),
    e.LeadMerged(into=OTHER, into_contact=CONTACT, comment="тот же человек"),
    e.LeadAbsorbed(lead=OTHER, contact=CONTACT),
    e.LeadUnmerged(into=OTHER, comment="брат"),
    e.LeadReleased(lead=OTHER, contact=CONTACT, moved=(7, 9)),
    e.ClientRecommended(lead=OTHER),
    e.DuplicateDismissed(other_contact=OTHER, comment="сестра"),
    e.IdentityUnshared(identity_kind="phone", value="+79161234567", other_contact=OTHER, still_shared=True),
    e.PermissionRecorded(
        channel="phone",
        allowed=False,
        how="call",
        until=date(2026, 12, 24),
        words="не звоните месяц",
        inbound_id=INBOUND,
        lead=LEAD,
    ),
    e.ContactMerged(into=OTHER),
    e.ContactAbsorbed(contact=OTHER, identities=("phone:+79161234567",)),
    e.ContactUnmerged(into=OTHER),
    e.ContactReleased(contact=OTHER, identities=("email:anna@example.org",)),
    e.CompanyJoined(company=OTHER, post="директор"),
    e.CompanyMade(name="ООО «Ромашка»"),
    e.CompanyRenamed(name="АО «Ромашка»"),
    e.CompanyIdentityAdded(identity_kind="site", value="romashka.example.org"),
    e.CompanyErased(reason="asked"),
    e.PipelineArchived(pipeline="classic", number=2),
    e.PipelineRestored(pipeline="classic", number=2),
    e.AdoptionStarted(pipeline="classic", number=2, mapping={"call": "work", "letter": "work"}),
    e.RobotArmed(
        **OF_A_ROBOT, due_at=RECORDED, because="after_robot", after="thanks", calendar="sales@3", replaces=EARLIER
    ),
    e.RobotRan(**OF_A_ROBOT, did="email", due_at=HAPPENED, late_ms=750, effect=EFFECT, activity=OTHER),
    e.RobotSkipped(
        **OF_A_ROBOT,
        reason="condition",
        clause="card.budget > 100",
        values={"card.budget": "90"},
        rules=("S1.known_stage",),
        predecessor="thanks",
        channel="email",
    ),
    e.RobotCancelled(**OF_A_ROBOT, by="by_hand", comment="клиент попросил не писать"),
    e.RobotFailed(**OF_A_ROBOT, reason="template: undefined variable"),
    e.EffectRequested(
        effect=EFFECT,
        effect_kind="email",
        robot="thanks",
        visit=1,
        template="thanks",
        language="ru",
        marketing=True,
        service="vk",
        action="add",
        audience="Пробное занятие",
        message_id="<018f3d2a-6666-7666-8666-00000000d00d@example.org>",
        email="anna@example.org",
        phone="+79161234567",
        name="Анна Смирнова",
        subject="Спасибо за заявку",
        text="Перезвоним в течение часа ☎",
        html="<p>Перезвоним</p>",
    ),
    e.EffectDone(
        effect=EFFECT,
        effect_kind="email",
        attempts=2,
        provider="smtp.example.org",
        provider_id="4XyZ",
        matched=1,
        doubtful=True,
    ),
    e.EffectFailed(
        effect=EFFECT,
        effect_kind="sms",
        attempts=9,
        provider="sms.example.org",
        reason="recipient_refused: 550 5.1.1",
        doubtful=True,
    ),
    e.EffectRepeated(effect=EFFECT, effect_kind="email", email="anna@example.org", phone="+79161234567"),
    e.EffectBounced(effect=EFFECT, inbound_id=INBOUND, permanent=True, status="5.1.1"),
    e.TriggerFired(trigger="reply", from_stage="new", to_stage="work", because=f"{LEAD}-7"),
    e.TriggerRefused(
        trigger="reply",
        to_stage="work",
        because=f"{LEAD}-7",
        reason="rules",
        clause="has(card.budget)",
        values={"card.budget": "90"},
        rules=("S2.exit_criteria",),
        other="called",
    ),
    e.TagAdded(tag="vip"),
    e.TagRemoved(tag="vip"),
    e.ActivityClosed(activity=OTHER, activity_kind="call", reason="left_stage"),
    *golden_deadlines.OF_LEADS,
)


DEALS: tuple[e.Event, ...] = (
    e.DealOpened(lead=LEAD, contact=CONTACT, pipeline="trial_lesson", number=2, source="site", channel="form"),
    e.DealWithdrawn(undone_visit=3),
    e.DealRestored(lead_visit=4),
    *(of_deal(event) for event in OF_LEADS if type(event) in e.OF_DEALS),
)
SAMPLES = (*OF_LEADS, *DEALS, *golden_deadlines.OF_JOURNALS, *golden_deadlines.OF_TEAMS)


def meta_of(event: e.Event) -> Meta:
    """A full envelope for a sample."""
    stream = {
        "contact": CONTACT,
        "company": CONTACT,
        "lead": LEAD,
        "deal": DEAL,
        "pipeline": PIPELINE,
        "incident": JOURNAL,
        "team": TEAM,
    }[event.KIND]
    return Meta(
        stream=stream,
        version=12,
        kind=event.KIND,
        type=event.TOPIC,
        schema_version=event.class_version,
        happened_at=HAPPENED,
        recorded_at=RECORDED,
        actor=Actor(id="anna", kind="person", on_behalf_of="boris", role="head"),
        command=COMMAND,
        causation=f"{INBOUND}-1",
        correlation=str(INBOUND),
        autodepth=3,
        pipeline={"lead": "classic@2", "deal": "trial_lesson@2"}.get(event.KIND),
        person=None if event.KIND in ("pipeline", "incident", "team") else CONTACT,
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )


def name_of(event: e.Event) -> str:
    """The name of the sample's file, without its ending."""
    return f"{event.TOPIC}.v{event.class_version}"


def make() -> list[str]:
    """Make the samples that are missing. Returns their names."""
    keys = json.loads((GOLDEN / "keys.json").read_text("utf-8"))["keys"]
    key = AESGCM(base64.b64decode(keys[str(CONTACT)]))
    expected_file, sums_file = GOLDEN / "expected.json", GOLDEN / "SHA256SUMS"
    expected = json.loads(expected_file.read_text("utf-8")) if expected_file.exists() else {}
    sums = sums_file.read_text("ascii").splitlines() if sums_file.exists() else []
    made = []
    for event in SAMPLES:
        name, meta = name_of(event), meta_of(event)
        if (GOLDEN / f"{name}.json").exists():
            continue
        state = encode(meta, event, key)
        (GOLDEN / f"{name}.json").write_bytes(state)
        sums.append(f"{hashlib.sha256(state).hexdigest()}  {name}.json")
        headers = cloud_event_headers(meta, digest_of(GENESIS, state))
        expected[name] = {
            "meta": meta.model_dump(mode="json"),
            "data": event.model_dump(mode="json"),
            "headers": {header: value.decode("ascii") for header, value in headers},
        }
        made.append(name)
    expected_file.write_text(json.dumps(expected, ensure_ascii=False, indent=2, sort_keys=True) + "\n", "utf-8")
    sums_file.write_text("\n".join(sorted(sums, key=lambda line: line.split()[1])) + "\n", "ascii")
    return made


if __name__ == "__main__":
    for made_name in make():
        print(f"made: contracts/golden/{made_name}.json")
