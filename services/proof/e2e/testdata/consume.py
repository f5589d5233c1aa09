"""Reads a topic from its beginning on and tells each record as a line of JSON.

The value is decoded by Confluent's own deserializer, with the schema that the
registry gives for the id in front of it.
"""

import json
import sys
import uuid

from confluent_kafka import Consumer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

brokers, registry, topic = sys.argv[1:]
decode = AvroDeserializer(SchemaRegistryClient({"url": registry}))
consumer = Consumer(
    {"bootstrap.servers": brokers, "group.id": str(uuid.uuid4()), "auto.offset.reset": "earliest", "enable.auto.commit": False}
)
consumer.subscribe([topic])

while True:
    record = consumer.poll(1)
    if record is None:
        continue
    if record.error():
        sys.exit(str(record.error()))
    headers = {name: value.decode() for name, value in record.headers() or []}
    line = {
        "key": record.key().decode(),
        "headers": headers,
        "value": decode(record.value(), SerializationContext(topic, MessageField.VALUE)),
    }
    print(json.dumps(line, default=str), flush=True)
