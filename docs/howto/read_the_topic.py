"""Prints every event of every lead, from the first one on, as CloudEvents: `python read_the_topic.py BOOTSTRAP [TOPIC]`."""

import asyncio
import sys

import aiokafka


async def read(bootstrap: str, topic: str = "leads.events") -> None:
    async with aiokafka.AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest") as log:
        async for record in log:
            print({name: value.decode() for name, value in record.headers}, record.value.decode(), flush=True)


asyncio.run(read(*sys.argv[1:]))
