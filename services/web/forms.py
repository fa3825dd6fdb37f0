"""What a form on the pages asks for: its inputs, in the reader's language, made from the pipeline and the lead (N9, S2, Q2).

Pure. Invariants: what is missing and what can be recorded by hand are asked for by the same form; a form asks only for what its
command takes, and says why where the reader's role may not give it. `services.web.form_reading` reads what comes back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from contracts.commands import Missing
from contracts.pipeline import CardField, Criterion, Fact, FactCriterion, Pipeline, Stage
from services.leads.domain.state import LeadState
from services.web.inputs import Choice, Form, Input, Kind, Mark, demanded, field_input
from services.web.texts import Words

CONTACT = ("name", "company", "phone", "email")
_CONTACT_KINDS: dict[str, Kind] = {"phone": "phone", "email": "email"}
DOCUMENTS = ("proposal", "contract", "invoice", "brief", "other")
"""Documents that are offered whatever the pipeline says."""
SURE = "sure"
"""The box that says: yes, delete the person's data."""
WAYS = ("email", "messenger", "post", "in_person", "other")


@dataclass(frozen=True, slots=True)
class FormMaker:
    """Makes forms for a lead, or for one that is not there yet, as a reader of this role and language is shown them."""

    pipeline: Pipeline
    words: Words
    role: str
    state: LeadState | None = None

    def missing(self, lacks: Iterable[Missing]) -> list[Form]:
        """A form for each thing that is missing; fields of the card together in one."""
        forms: list[Form] = []
        fields: list[Input] = []
        for lack in lacks:
            made = self.for_missing(lack)
            if made is None:
                continue
            if made.command == "record" and not made.closed:
                known = {field.name for field in fields}
                fields += [demanded(given, lack) for given in made.inputs if given.name not in known]
            else:
                forms.append(made)
        if fields:
            forms.insert(0, Form("record", "record", self.words("card"), self.words("save"), tuple(fields)))
        return forms

    def for_missing(self, lack: Missing) -> Form | None:
        """The form that records what is missing; None where no form of ours does (it is told in words)."""
        title, save = _capital(self.words.of(lack)), self.words("save")
        if lack.what == "contact":
            names = ("phone", "email") if lack.id == "reachable" else (lack.id,)
            inputs = tuple(self._contact(name) for name in names if name in CONTACT)
            return Form("record", f"contact-{lack.id}", title, save, inputs)
        if lack.what == "field":
            field = self.pipeline.fields_by_id.get(lack.id)
            if field is None:
                return None
            closed = "" if self.role in field.by else self.words("closed.field")
            return Form("record", f"field-{field.id}", title, save, (self.field(field),), closed=closed)
        if lack.what == "offer" or lack.id == "offer":
            return self.offer(title)
        if lack.what == "answer" or lack.id == "answer":
            return self.answer(title)
        return self.fact(lack.id, title, lack.values)

    def fact(self, fact: str, title: str = "", wanted: tuple[str, ...] = ()) -> Form | None:
        """The form that records a fact. `wanted`: the values that would do, where not any."""
        declared, words = self.pipeline.facts_by_id.get(fact), self.words
        if declared is None:
            return None
        title = title or _capital(words.of(declared.titles))
        closed = "" if self.role in declared.by else words("closed.fact")
        match fact:
            case "seen" | "accepted":
                command = "see" if fact == "seen" else "accept"
                return Form(command, fact, title, words(command), (self._tick(title),), closed=closed)
            case "approved":
                closed = "" if self.role == "head" else words("closed.head")
                note = Input("comment", words("comment"), "long")
                return Form("approve", fact, title, words("approve"), (self._tick(title), note), closed=closed)
            case "call_held" | "meeting_held":
                return self.held(declared, title, closed)
            case "document_sent":
                return self.sent(title, wanted, closed)
            case "file_attached":
                return self.attached(title, wanted, closed)
            case "task_done":
                return self._task(title)
        value = self._option(declared, "value", title, self.words("result"))
        note = Input("comment", words("comment"), "long")
        return Form("establish", f"fact-{fact}", title, words("save"), (value, note), (("fact", fact),), closed)

    def card(self, mandatory: frozenset[str] = frozenset(), desirable: frozenset[str] = frozenset()) -> list[Form]:
        """The whole card by groups, each with the fields that this role may write; contact data first."""
        words, pipeline = self.words, self.pipeline
        forms = [
            Form("record", "card-contact", words("contact"), words("save"), tuple(self._contact(n) for n in CONTACT))
        ]
        titles = {group.id: words.of(group.titles) for group in pipeline.groups}
        for group in dict.fromkeys((*titles, *(field.group for field in pipeline.fields))):
            inputs = tuple(
                self.field(
                    field, "mandatory" if field.id in mandatory else "desirable" if field.id in desirable else ""
                )
                for field in pipeline.fields
                if field.group == group and self.role in field.by
            )
            if inputs:
                forms.append(
                    Form("record", f"card-{group or 'rest'}", titles.get(group or "", words("card")), "", inputs)
                )
        return forms

    def field(self, field: CardField, mark: Mark = "", prefix: str = "f_") -> Input:
        """The input of a card field, with the value it has."""
        value = self.state.card.get(field.id, "") if self.state else ""
        return field_input(field, value, self.words, mark, prefix)

    def offer(self, title: str = "") -> Form:
        """Terms offered: volume, price, delivery time."""
        words = self.words
        return Form(
            "offer",
            "offer",
            title or words("offer"),
            words("save"),
            (
                Input("volume", words("volume"), required=True),
                Input("amount", words("price"), "money", required=True, currency="RUB", currencies=()),
                Input("delivery_date", words("delivery_date"), "date"),
                Input("delivery_days", words("delivery_days"), "number", unit=words("days_unit")),
                Input("comment", words("comment"), "long"),
            ),
        )

    def answer(self, title: str = "") -> Form:
        """The client's answer."""
        words = self.words
        kinds = tuple(Choice(kind, words(f"answer.{kind}")) for kind in ("consent", "refusal", "thinking"))
        return Form(
            "answer",
            "answer",
            title or words("answer"),
            words("save"),
            (
                Input("answer", words("answer"), "choice", options=kinds, required=True),
                Input("comment", words("comment"), "long"),
            ),
        )

    def reject(self, only: str | None = None) -> Form | None:
        """Ending the work: a status with its reason in one choice, and what remains of the lead (C1); `only`: one status."""
        words = self.words
        options: list[Choice] = []
        deletes = False
        for stage in self._closing("lost", only):
            title = words.of(stage.titles)
            for reason in stage.reasons or (None,):
                outcome = (reason.outcome if reason else None) or stage.outcome or "refused"
                deletes = deletes or outcome == "bad_data"
                label = words.of(reason.titles) if reason else title
                remains = words(f"lost.{outcome}")
                value = f"{stage.id}/{reason.id}" if reason else stage.id
                options.append(Choice(value, f"{label} · {remains}", title if reason else ""))
        if not options:
            return None
        inputs = [Input("status", words("reject_status"), "choice", required=True, options=tuple(options))]
        inputs.append(Input("comment", words("comment"), "long"))
        if deletes:
            inputs.append(Input(SURE, words("delete_sure"), "tick"))
        return Form("reject", "reject", words("reject"), words("reject"), tuple(inputs))

    def pause(self, only: str | None = None) -> Form | None:
        """Putting the lead off: until when, why; `only`: one stage."""
        words, stages = self.words, self._closing("postponed", only)
        options = [
            Choice(f"{stage.id}/{reason.id}" if reason else stage.id, words.of((reason or stage).titles), title)
            for stage in stages
            for title in (words.of(stage.titles) if stage.reasons else "",)
            for reason in stage.reasons or (None,)
        ]
        if not stages:
            return None
        inputs = [Input("until", words("until_date"), "date", required=True)]
        reasons = any(stage.reasons for stage in stages)
        if reasons or len(stages) > 1:
            inputs.append(Input("status", words("pause_reason"), "choice", required=True, options=tuple(options)))
        label = words("reason_words") if reasons else words("reason")
        inputs.append(Input("reason", label, "long", required=not all(stage.reasons for stage in stages)))
        fixed = only is not None and not reasons and len(stages) == 1
        hidden = (("status", stages[0].id),) if fixed else ()
        return Form("pause", "pause", words("pause"), words("pause"), tuple(inputs), hidden)

    def _closing(self, kind: str, only: str | None) -> list[Stage]:
        """The stages of this kind that the lead may be left to from where it stands."""
        here = self.pipeline.by_id.get(self.state.stage) if self.state else None
        stated = here.outcomes if here is not None else None
        return [
            stage
            for stage in self.pipeline.stages
            if stage.kind == kind and only in (None, stage.id) and (stated is None or stage.id in stated)
        ]

    def held(self, fact: Fact, title: str = "", closed: str = "", activity: str = "") -> Form:
        """A call or meeting that took place; `activity`: the planned one that it was."""
        words, kind = self.words, fact.id.removesuffix("_held")
        inputs = [self._option(fact, "result", title or words.of(fact.titles), words("result"))]
        if kind == "meeting":
            inputs.append(Input("place", words("place_of_meeting")))
        inputs.append(Input("comment", words("comment"), "long"))
        hidden = (("kind", kind), *((("activity", activity),) if activity else ()))
        return Form(
            "hold", f"{kind}{activity}", title or words(f"hold.{kind}"), words("save"), tuple(inputs), hidden, closed
        )

    def sent(self, title: str = "", wanted: tuple[str, ...] = (), closed: str = "") -> Form:
        """A document sent to the client by hand."""
        words = self.words
        documents = tuple(Choice(name, self.document(name)) for name in wanted or self._documents())
        ways = tuple(Choice(way, words(f"via.{way}")) for way in WAYS)
        return Form(
            "send",
            "document-" + "-".join(wanted) if wanted else "document",
            title or words("send"),
            words("save"),
            (
                self._tick(title),
                Input("document", words("document"), "choice", documents[0].value, True, documents),
                Input("via", words("via"), "choice", "", True, ways),
                Input("name", words("document_name")),
                Input("link", words("link"), "link"),
                Input("comment", words("comment"), "long"),
            ),
            closed=closed,
        )

    def attached(self, title: str = "", wanted: tuple[str, ...] = (), closed: str = "") -> Form:
        """A file that is kept elsewhere, by its link."""
        words = self.words
        labels = wanted or tuple(self._values_of("file_attached"))
        inputs = [Input("name", words("file_name"), required=True), Input("link", words("link"), "link", required=True)]
        if labels:
            options = tuple(Choice(label, self.document(label)) for label in labels)
            value = wanted[0] if wanted else ""
            inputs.append(Input("label", words("label"), "choice", value, bool(wanted), options))
        form_id = "file-" + "-".join(wanted) if wanted else "file"
        return Form("attach", form_id, title or words("attach"), words("save"), tuple(inputs), closed=closed)

    def document(self, name: str) -> str:
        """A document, or a label of a file, in words: those of the pipeline, else ours, else its id."""
        for fact in ("document_sent", "file_attached"):
            option = self.pipeline.facts_by_id[fact].option(name)
            if option is not None:
                return self.words.of(option.titles)
        return self.words.get(f"document.{name}", name)

    def facts(self) -> Form | None:
        """All facts of the pipeline's own that this role may record, in one choice; None where there are none."""
        words = self.words
        options: list[Choice] = []
        for fact in self.pipeline.facts:
            made = self.fact(fact.id)
            if made is None or made.command != "establish" or made.closed:
                continue
            title = _capital(words.of(fact.titles))
            if fact.options:
                options += [Choice(f"{fact.id}/{o.id}", words.of(o.titles), title) for o in fact.options]
            else:
                options.append(Choice(fact.id, title))
        if not options:
            return None
        inputs = (
            Input("fact", words("fact"), "choice", required=True, options=tuple(options)),
            Input("comment", words("comment"), "long"),
        )
        return Form("establish", "facts", words("establish"), words("save"), inputs)

    def _task(self, title: str) -> Form:
        words, state = self.words, self.state
        tasks = tuple(
            Choice(str(activity), planned.text or words("activity.task"))
            for activity, planned in (state.activities if state else {}).items()
            if planned.kind == "task" and planned.done_at is None
        )
        if not tasks:
            return Form("complete", "task", title, closed=words("closed.task"))
        inputs = (
            Input("activity", words("activity.task"), "choice", required=True, options=tasks),
            Input("result", words("result"), "long", required=True),
        )
        return Form("complete", "task", title, words("complete"), inputs)

    def _option(self, fact: Fact, name: str, title: str, label: str = "") -> Input:
        if not fact.options:
            return self._tick(title)
        options = tuple(Choice(option.id, self.words.of(option.titles)) for option in fact.options)
        return Input(name, label or title, "choice", required=True, options=options)

    def _tick(self, title: str) -> Input:
        return Input("done", title, "tick")

    def _contact(self, name: str) -> Input:
        value = getattr(self.state, name) or "" if self.state else ""
        return Input(f"f_{name}", self.words(name), _CONTACT_KINDS.get(name, "text"), value)

    def _documents(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self._values_of("document_sent"), *DOCUMENTS)))

    def _values_of(self, fact: str) -> list[str]:
        """The values of a fact that the pipeline names, in its options and its criteria."""
        found = [option.id for option in self.pipeline.facts_by_id[fact].options]
        for stage in self.pipeline.stages:
            criteria: list[Criterion] = [*stage.exit]
            for move in stage.moves or ():
                criteria += move.needs
            found += [v for c in criteria if isinstance(c, FactCriterion) and c.fact == fact for v in c.value]
        return list(dict.fromkeys(found))


def _capital(text: str) -> str:
    """Criteria and facts are written as parts of a sentence; at the head of a form they begin one."""
    return text[:1].upper() + text[1:]
