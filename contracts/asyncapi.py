"""The AsyncAPI 3.0.0 document: topics as channels, what stands on them message by message, who writes and who reads.

Invariants: a payload is one record's value as it is on the wire (one message is one event, never an array); the list of
event headers comes from `contracts.meta.cloud_event_headers` itself, and a header without a description stops the
generation. The seam to the JSON Schemas is a `$ref` per message to `contracts/schemas`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import yaml

from contracts import topics
from contracts.commands import COMMAND_TYPE, REFUSAL_TYPE
from contracts.events import EVENT_TYPES, Event
from contracts.inbound import REFERENCE_TYPE, TYPE_OF_CHANNEL
from contracts.meta import Actor, Meta, cloud_event_headers
from contracts.topics import EVENTS_TOPIC_OF_KIND, TOPICS, Topic
from contracts.wire import MESSAGES

Node = dict[str, Any]

CONTRACT_VERSION: Final = "1.0.0"
USUAL_PARTITIONS: Final = 24
BINDING: Final = "0.5.0"

EVENT_HEADERS: Final = {
    "ce_specversion": "CloudEvents version, 1.0.",
    "ce_id": "The event's id: `<stream>-<version>`. A repeat on the topic has the same id and the same bytes.",
    "ce_type": "The event's type; for ever the same.",
    "ce_source": "`/leadline/` and the aggregate kind.",
    "ce_subject": "The stream: id of the lead, contact or pipeline. Also the record's key.",
    "ce_time": "When it happened (RFC 3339). The record's own timestamp is when it was recorded.",
    "content-type": "application/json.",
    "ce_streamversion": "Place in the stream, from 1, without gaps: the order of what happened to one lead.",
    "ce_schemaversion": "Version of this event type's data.",
    "ce_envelopeversion": "Version of the record's `meta`.",
    "ce_aggregatekind": "Kind of aggregate: lead, contact, pipeline and so on.",
    "ce_commandid": "Id of the command that made the event.",
    "ce_causationid": "Id of the event or inbound message that led to the command, where there was one.",
    "ce_correlationid": "The same for everything that followed from one cause.",
    "ce_autodepth": "Automatic moves since a person or an inbound message last touched the stream.",
    "ce_pipelineversion": "`id@version` of the pipeline the event was decided under, for leads and deals.",
    "ce_actorid": "Who acted: an id that holds no personal data.",
    "ce_actorkind": "Kind of actor: person, robot, adapter and so on.",
    "ce_digest": "SHA-256 in hex over algorithm tag, the predecessor's digest and exactly the bytes of this value.",
    "ce_traceparent": "W3C trace context, where the command had one.",
}
OPTIONAL_EVENT_HEADERS: Final = frozenset({"ce_causationid", "ce_pipelineversion", "ce_traceparent"})

MESSAGE_HEADERS: Final = {
    "ce_specversion": "CloudEvents version, 1.0.",
    "ce_id": "Id of the message, unique within its source: a repeat is known by it.",
    "ce_type": "The message's type.",
    "ce_source": "Who sent it: for inbound the channel account, which scopes `call_id` and `sender_id`.",
    "content-type": "application/json.",
    "ce_subject": "For a form its name; of other channels left out.",
    "ce_time": "When it happened (RFC 3339).",
}
OPTIONAL_MESSAGE_HEADERS: Final = frozenset({"ce_subject", "ce_time", "content-type"})

REFUSAL_HEADERS: Final = {
    "ce_specversion": "CloudEvents version, 1.0.",
    "ce_id": "The command's id and a number.",
    "ce_type": "The message's type.",
    "ce_source": "`/leadline/lead`.",
    "ce_subject": "The stream the command was for. Also the record's key.",
    "ce_time": "When it was refused (RFC 3339).",
    "content-type": "application/json.",
    "ce_commandid": "Id of the command refused.",
    "ce_actorid": "Who tried: an id that holds no personal data.",
    "ce_actorkind": "Kind of actor: person, robot, adapter and so on.",
}

FOREIGN: Final = {
    topics.LEADS_REFUSALS.name: (REFUSAL_TYPE,),
    topics.LEADS_COMMANDS.name: (COMMAND_TYPE,),
    topics.LEADS_INBOUND.name: (*(t for t in TYPE_OF_CHANNEL.values() if t in MESSAGES), REFERENCE_TYPE),
}
"""Message types by topic, where the topic carries no events."""

SUMMARY: Final = {
    topics.LEADS_EVENTS.name: "Everything that happened to leads, for ever.",
    topics.DEALS_EVENTS.name: "Everything that happened to deals, for ever: what leads became, in a pipeline of their own.",
    topics.PEOPLE_EVENTS.name: "Contacts: persons made, identities found, persons erased, for ever.",
    topics.INCIDENTS_EVENTS.name: "The incident journal, for ever. This release publishes none yet.",
    topics.PIPELINES_EVENTS.name: "Every version of every pipeline, for ever.",
    topics.TEAMS_EVENTS.name: "Every version of every team, for ever.",
    topics.LEADS_REFUSALS.name: "Commands that were refused, with the rules and what was missing, for ever.",
    topics.LEADS_INBOUND.name: "Forms, calls, messages, visits and letters as adapters bring them; references from our intake.",
    topics.LEADS_COMMANDS.name: "Commands of reactors. Personal data only by reference.",
}


def document() -> str:
    """The whole document as YAML."""
    by_topic = {topic.name: _types_on(topic) for topic in TOPICS}
    types = [name for names in by_topic.values() for name in names]
    tree: Node = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Leadline",
            "version": CONTRACT_VERSION,
            "description": (
                "Leadline's public log on Kafka. Values are JSON; headers are CloudEvents 1.0 in binary mode, ASCII, without "
                "personal data. Order holds within a key, never across topics or keys. A record may be repeated, with the same "
                "id and bytes. Readers ignore fields they do not know. A deployment may put a prefix before every topic's name."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {
                "host": "{bootstrap}",
                "protocol": "kafka",
                "description": "`leadline info --json` names the broker of a system started with `leadline up`.",
                "variables": {
                    "bootstrap": {"default": "localhost:9092", "description": "Bootstrap server, host and port."}
                },
            }
        },
        "channels": {_id(topic.name): _channel(topic, by_topic[topic.name]) for topic in TOPICS},
        "operations": {
            _verb(topic) + _id(topic.name)[0].upper() + _id(topic.name)[1:]: _operation(topic) for topic in TOPICS
        },
        "components": {
            "messages": {_id(name): _message(name) for name in types},
            "schemas": {
                "EventHeaders": _event_headers(),
                "MessageHeaders": _headers(MESSAGE_HEADERS, OPTIONAL_MESSAGE_HEADERS),
                "RefusalHeaders": _headers(REFUSAL_HEADERS, frozenset()),
            },
        },
    }
    text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=120)
    return f"# Generated by python -m contracts.generate from the models in contracts/. Do not edit.\n{text}"


def _types_on(topic: Topic) -> tuple[str, ...]:
    of_events = (name for name, cls in EVENT_TYPES.items() if EVENTS_TOPIC_OF_KIND[cls.KIND] == topic.name)
    return FOREIGN.get(topic.name) or tuple(sorted(of_events))


def _channel(topic: Topic, types: tuple[str, ...]) -> Node:
    writer = (
        "Written by Leadline's relay alone."
        if topic.single_writer
        else "Written by Leadline and by whoever the broker lets."
    )
    return {
        "address": topic.name,
        "title": topic.name,
        "description": f"{SUMMARY[topic.name]} {writer}",
        "messages": {_id(name): {"$ref": f"#/components/messages/{_id(name)}"} for name in types},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions or USUAL_PARTITIONS,
                "topicConfiguration": {
                    "cleanup.policy": ["delete"],
                    "retention.ms": topic.retention_ms,
                    "retention.bytes": topics.FOR_EVER,
                },
                "bindingVersion": BINDING,
            }
        },
    }


def _verb(topic: Topic) -> str:
    return "send" if topic.single_writer else "receive"


def _operation(topic: Topic) -> Node:
    """Seen from Leadline: it sends what the relay publishes, and receives inbound messages and commands."""
    return {
        "action": _verb(topic),
        "channel": {"$ref": f"#/channels/{_id(topic.name)}"},
        "summary": SUMMARY[topic.name],
    }


def _message(name: str) -> Node:
    event = EVENT_TYPES.get(name)
    model = event or MESSAGES[name]
    version = event.class_version if event else 1
    headers = "EventHeaders" if event else "RefusalHeaders" if name == REFUSAL_TYPE else "MessageHeaders"
    return {
        "name": name,
        "title": model.__name__,
        "summary": " ".join((model.__doc__ or "").split()),
        "contentType": "application/json",
        "headers": {"$ref": f"#/components/schemas/{headers}"},
        "payload": {"$ref": f"./schemas/{name}.v{version}.json"},
        "bindings": {"kafka": {"key": _key(name, event), "bindingVersion": BINDING}},
    }


def _key(name: str, event: type[Event] | None) -> Node:
    if event or name in (COMMAND_TYPE, REFUSAL_TYPE):
        kind = event.KIND if event else "lead"
        return {"type": "string", "format": "uuid", "description": f"Id of the {kind}, as text."}
    return {
        "type": "string",
        "description": "The same for all messages of one sender on one channel account, so that they stay in order.",
    }


def _event_headers() -> Node:
    """From what the publisher really writes: all headers of a full envelope; required are those of the barest one."""
    at, some = datetime(2026, 1, 1, tzinfo=UTC), UUID(int=1)
    bare = Meta(
        stream=some,
        version=1,
        kind="lead",
        type="x",
        happened_at=at,
        recorded_at=at,
        actor=Actor(id="x", kind="system"),
        command=some,
        correlation="x",
    )
    full = bare.model_copy(update={"causation": "x", "pipeline": "x@1", "person": some, "traceparent": "x"})
    written = [name for name, _ in cloud_event_headers(full, b"")]
    optional = set(written) - {name for name, _ in cloud_event_headers(bare, b"")}
    if written != list(EVENT_HEADERS) or optional != OPTIONAL_EVENT_HEADERS:
        raise ValueError(
            "contracts.meta.cloud_event_headers and contracts.asyncapi.EVENT_HEADERS differ: describe each header"
        )
    return _headers(EVENT_HEADERS, OPTIONAL_EVENT_HEADERS)


def _headers(described: dict[str, str], optional: frozenset[str]) -> Node:
    return {
        "type": "object",
        "description": "Kafka headers; every value is ASCII text.",
        "properties": {name: {"type": "string", "description": text} for name, text in described.items()},
        "required": [name for name in described if name not in optional],
    }


def _id(name: str) -> str:
    """`leads.events` → `leadsEvents`."""
    first, *rest = name.removeprefix("leadline.").replace("_", ".").split(".")
    return first + "".join(part.capitalize() for part in rest)
