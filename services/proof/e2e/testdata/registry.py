"""Does with the schema registry what Confluent's Python client can, then hands an event
in as Avro and reads it back. Says what went well, a line each; ends with 1 otherwise.
"""

import json
import sys
import time
import uuid

from confluent_kafka import Consumer, Producer
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, record_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

brokers, address, participant = sys.argv[1:]
registry = SchemaRegistryClient({"url": address})


def record(*fields):
    return Schema(json.dumps({"type": "record", "name": "Order", "namespace": "e2e.python", "fields": list(fields)}), "AVRO")


def check(what, good):
    if not good:
        sys.exit(what + ": no")
    print(what, flush=True)


subject = "e2e/python " + str(uuid.uuid4()) + "-value"
number = {"name": "number", "type": "int"}
first, longer = record(number), record(number, {"name": "note", "type": "string", "default": ""})
broken = record(number, {"name": "note", "type": "string"})
one = registry.register_schema(subject, first)
check("registers", one > 0 and registry.register_schema(subject, first) == one)
check("finds it again", registry.lookup_schema(subject, first).schema_id == one)
check("reads it by its id", json.loads(registry.get_schema(one).schema_str)["name"] == "Order")
check("checks what fits", registry.test_compatibility(subject, longer))
check("checks what does not", not registry.test_compatibility(subject, broken))
try:
    registry.register_schema(subject, broken)
    check("is refused what does not fit", False)
except SchemaRegistryError as refused:
    check("is refused what does not fit", refused.http_status_code == 409 and "note" in refused.error_message)
two = registry.register_schema(subject, longer)
check("registers the next version", registry.get_latest_version(subject).version == 2 and two != one)
registry.set_compatibility(subject, "FULL")
check("sets a level", registry.get_compatibility(subject) == "FULL")
check("lists", subject in registry.get_subjects() and registry.get_versions(subject) == [1, 2])
check("deletes", sorted(registry.delete_subject(subject)) == [1, 2] and subject not in registry.get_subjects())

typ = "fr.relais.referral.v1.ReferralMade"
latest = registry.get_latest_version(typ)
encode = AvroSerializer(registry, latest.schema.schema_str, conf={"auto.register.schemas": False, "subject.name.strategy": record_subject_name_strategy})
decode = AvroDeserializer(registry)
case = f"{participant}.{uuid.uuid4()}"
data = {"from": participant, "to": "demo-1", "service": "logement/demande-d-une-allocation-logement-apl-als-alf", "reference": "7K3F-92QD"}
out = f"relais.from.{participant}"
errors = []
producer = Producer({"bootstrap.servers": brokers, "partitioner": "murmur2_random"})
producer.produce(
    out, key=case, value=encode(data, SerializationContext(out, MessageField.VALUE)), on_delivery=lambda err, _: errors.append(err),
    headers={"content-type": "application/vnd.confluent.avro", "ce_specversion": "1.0", "ce_id": case, "ce_source": f"/participants/{participant}/e2e-python", "ce_type": typ, "ce_subject": case},
)
producer.flush(20)
check("produces", errors == [None])

consumer = Consumer({"bootstrap.servers": brokers, "group.id": f"{participant}.{uuid.uuid4()}", "auto.offset.reset": "earliest", "enable.auto.commit": False})
consumer.subscribe([f"relais.to.{participant}"])
end = time.monotonic() + 40
while time.monotonic() < end:
    message = consumer.poll(1)
    if message is None or message.error() or dict(message.headers() or []).get("ce_id") != case.encode():
        continue
    value = decode(message.value(), SerializationContext(message.topic(), MessageField.VALUE))
    check("consumes", value["reference"] == data["reference"] and value["to"] == "demo-1")
    consumer.close()
    sys.exit(0)
sys.exit("the event did not come back")
