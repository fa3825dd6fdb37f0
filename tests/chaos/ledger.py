"""What the clients know: what they sent, under which id, and what they were answered. The oracle starts from this alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from tests.chaos.sink import Sink
from tests.chaos.system import RESPONSIBLES

FIRST_PHONE = 79_100_000_000


@dataclass(slots=True)
class Input:
    """A message a client sent: `marker` stands in its comment and is its idempotency key or own id.

    `inbound_id`: as answered; None for one straight on Kafka. `accepted`: 202, or the acknowledgement of a record that no
    transaction took back. `aborted`: sent in a transaction that was given up, must never appear.
    """

    marker: str
    person: str
    door: str
    cycle: int
    reachable: bool = True
    inbound_id: UUID | None = None
    accepted: bool = False
    aborted: bool = False

    def body(self) -> dict[str, str]:
        """The form. The name is the same for the same person, so that all messages of a person are of one contact."""
        contact = {"phone": self.person} if self.reachable else {}
        if self.reachable and int(self.person) % 2:  # the others have no address, and their letters are skipped
            contact["email"] = f"client{self.person[1:]}@chaos.example"
        return {"name": f"Клиент {self.person[-6:]}", "comment": self.marker, "colour": "белый", **contact}


@dataclass(slots=True)
class Sent:
    """A command a client sent, and its answer; one on Kafka has none (`status` 0)."""

    id: UUID
    lead: UUID
    name: str
    door: str
    accepted: bool = False
    status: int = 0
    answer: dict[str, Any] = field(default_factory=dict)

    def arguments(self) -> dict[str, str]:
        """The body beside its name, the same at every repeat."""
        pick = self.id.int
        return {
            "assign": {"to": RESPONSIBLES[pick % len(RESPONSIBLES)]},
            "move": {"to": ("processing", "proposal")[pick % 2]},
            "reject": {"status": ("price", "off_target", "no_contact")[pick % 3]},
        }.get(self.name, {})


@dataclass(slots=True)
class Ledger:
    """All that clients know. `leads`: ids they were told; `tries`: requests and records, repeats included; `crashes`: how often
    the process that writes letters was killed."""

    sink: Sink
    inputs: list[Input] = field(default_factory=list)
    commands: list[Sent] = field(default_factory=list)
    leads: dict[UUID, None] = field(default_factory=dict)
    tries: int = 0
    people: int = 0
    crashes: int = 0

    def new_person(self) -> str:
        """A phone nobody had before."""
        self.people += 1
        return f"+{FIRST_PHONE + self.people}"

    def new_input(self, person: str, door: str, cycle: int, *, reachable: bool = True) -> Input:
        """A message to be sent."""
        self.inputs.append(Input(uuid4().hex, person, door, cycle, reachable))
        return self.inputs[-1]

    def new_command(self, lead: UUID, name: str, door: str) -> Sent:
        """A command to be sent."""
        self.commands.append(Sent(uuid4(), lead, name, door))
        return self.commands[-1]

    def accepted(self) -> list[Input]:
        """Messages the system answered for."""
        return [each for each in self.inputs if each.accepted]
