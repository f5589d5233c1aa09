"""What send.py and receive.py have in common: the settings and the outbox.

The outbox is a list of events that only grows. An event stands there before it is
sent, and is sent until the broker has acknowledged it. After a crash the last one is
sent again, with the same id: the hub knows it and does nothing twice.
"""

import json
import os
import pathlib

from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient, record_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

PARTICIPANT = os.environ.get("RELAIS_PARTICIPANT", "cnaf")
BROKERS = os.environ.get("RELAIS_BROKERS", "127.0.0.1:9092")
REGISTRY = os.environ.get("RELAIS_REGISTRY_URL", "http://127.0.0.1:8081")
PASSWORD = os.environ.get("RELAIS_PASSWORD", "")  # on Kafka
KEY = os.environ.get("RELAIS_KEY", "")  # on HTTP, and so at the registry
CA = os.environ.get("RELAIS_CA", "")  # PEM file of who signs the hub's certificates
STATE = pathlib.Path(os.environ.get("RELAIS_STATE", "state"))
STATE.mkdir(parents=True, exist_ok=True)


def kafka(**settings):
    """Settings of a Kafka client."""
    signed_in, encrypted = bool(PASSWORD), bool(CA)
    settings.update({"bootstrap.servers": BROKERS, "client.id": PARTICIPANT + "-example", "enable.metrics.push": False})
    settings["security.protocol"] = ("SASL_" if signed_in else "") + ("SSL" if encrypted else "PLAINTEXT")
    if signed_in:
        settings.update({"sasl.mechanism": "SCRAM-SHA-512", "sasl.username": PARTICIPANT, "sasl.password": PASSWORD})
    if encrypted:
        settings["ssl.ca.location"] = CA
    return settings


def registry():
    settings = {"url": REGISTRY}
    if KEY:
        settings["basic.auth.user.info"] = f"{PARTICIPANT}:{KEY}"
    if CA:
        settings["ssl.ca.location"] = CA
    return SchemaRegistryClient(settings)


def append(path, line):
    """Adds a line that is on disk when this returns."""
    with open(path, "a", encoding="utf-8") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


class Outbox:
    """The events to send, and how many have been. In your system: a table."""

    def __init__(self):
        self.events, self.sent = STATE / "outbox.ndjson", STATE / "sent"
        self.events.touch()
        self.registry, self.encoders = registry(), {}
        self.producer = Producer(kafka(**{"partitioner": "murmur2_random", "enable.idempotence": True, "delivery.timeout.ms": 60_000}))

    def add(self, event):
        append(self.events, json.dumps(event, ensure_ascii=False))

    def find(self, event_id):
        with open(self.events, encoding="utf-8") as file:
            return next((e for e in map(json.loads, file) if e["id"] == event_id), None)

    def send(self):
        """Sends what the broker has not acknowledged, one at a time: whatever fails,
        a case's events keep their order."""
        sent = int(self.sent.read_text()) if self.sent.exists() else 0
        with open(self.events, encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if number > sent:
                    self.publish(json.loads(line))
                    self.mark(number)

    def mark(self, number):
        fresh = self.sent.with_suffix(".new")
        fresh.write_text(str(number))
        fresh.replace(self.sent)

    def publish(self, event):
        """CloudEvents in Kafka's binary mode: attributes as headers, data as Avro."""
        topic, said = f"relais.from.{PARTICIPANT}", []
        headers = {f"ce_{name}": value for name, value in event.items() if name not in ("data", "datacontenttype")}
        headers["content-type"] = "application/vnd.confluent.avro"
        self.producer.produce(
            topic,
            key=event["subject"].split("~")[0],  # the dossier
            value=self.encoder(event["type"])(event["data"], SerializationContext(topic, MessageField.VALUE)),
            headers=headers,
            on_delivery=lambda error, _: said.append(error),
        )
        self.producer.flush()
        if said != [None]:
            raise SystemExit(f"{event['id']} is not acknowledged ({said[0]}); run this again, it goes on there")
        print("sent", event["id"], event["type"], event["subject"], flush=True)

    def encoder(self, event_type):
        """The schemas are the hub's: they are looked up, and never registered."""
        if event_type not in self.encoders:
            schema = self.registry.get_latest_version(event_type).schema.schema_str
            settings = {"auto.register.schemas": False, "subject.name.strategy": record_subject_name_strategy}
            self.encoders[event_type] = AvroSerializer(self.registry, schema, conf=settings)
        return self.encoders[event_type]
