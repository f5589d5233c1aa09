"""Follows the participant's own topic: keeps what comes, once, and answers it."""

import json
import os

from confluent_kafka import Consumer
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from relais import PARTICIPANT, STATE, Outbox, append, kafka, registry

# A code that our own software still writes, and what the hub calls it.
RENAMED = {"aide-au-logement": "logement/demande-d-une-allocation-logement-apl-als-alf"}


class Received:
    """What came, one event a line. In your system: the tables that an event changes.

    The hub may write an event again after a crash of its own, and so may a reader who
    commits too late. Where an event stood when it was handed in, its place, tells: the
    offsets of each submitted partition ascend. The number is kept with the effect (here
    it is the same line), so that no crash comes between."""

    def __init__(self):
        self.file, self.numbers, self.places = STATE / "received.ndjson", {}, set()
        self.file.touch()
        with open(self.file, encoding="utf-8") as file:
            for line in file:
                self.count(*json.loads(line)["place"])

    def count(self, partition, offset):
        self.numbers[partition] = max(offset, self.numbers.get(partition, -1))
        self.places.add((partition, offset))

    def has(self, partition, offset, again):
        """What was written again on purpose (a replay) comes out of order."""
        if again:
            return (partition, offset) in self.places
        return offset <= self.numbers.get(partition, -1)

    def keep(self, event):
        append(self.file, json.dumps(event, ensure_ascii=False, default=str))
        self.count(*event["place"])


def answer(event, outbox):
    """What we have to say to an event. Its id is made of the event's, so that the same
    answer after a crash is the same event."""
    data = event["data"]
    if event["type"] == "fr.relais.hub.v1.SubmissionRefused":
        print("REFUSED", data["submission_id"], data["reason"], data["detail"], "-", data["remedy_en"], flush=True)
        refused = outbox.find(data["submission_id"])
        if refused and data["reason"] == "unknown_service" and refused["data"]["service"] in RENAMED:
            # The refused id is spent: what is corrected is a new event.
            mended = {**refused["data"], "service": RENAMED[refused["data"]["service"]]}
            return {**refused, "id": refused["id"] + ".corrected", "data": mended}
    if event["type"] == "fr.relais.referral.v1.ReferralMade" and data["to"] == PARTICIPANT:
        return {
            "specversion": "1.0",
            "id": "received-%d-%d" % tuple(event["place"]),
            "source": f"/participants/{PARTICIPANT}/python",
            "type": "fr.relais.referral.v1.ReferralReceived",
            "subject": event["subject"],
            "data": {"own_reference": "our-" + data["reference"]},
        }
    return None


def main():
    received, outbox, decode = Received(), Outbox(), AvroDeserializer(registry())
    outbox.send()
    topic = f"relais.to.{PARTICIPANT}"
    group = os.environ.get("RELAIS_GROUP", PARTICIPANT + ".python")
    # Only what is stored below is committed: an offset follows its effect. After a
    # kill -9 the group waits for us as long as a session lasts.
    settings = {"group.id": group, "session.timeout.ms": 10_000, "auto.offset.reset": "earliest", "enable.auto.offset.store": False}
    consumer = Consumer(kafka(**settings))
    consumer.subscribe([topic])
    while True:
        record = consumer.poll(1)
        if record is None:
            continue
        if record.error():
            print("trying again:", record.error(), flush=True)
            continue
        header = {name: value.decode() for name, value in record.headers()}
        place = int(header["ce_submittedpartition"]), int(header["ce_submittedoffset"])
        if not received.has(*place, again="ce_replay" in header):
            data = decode(record.value(), SerializationContext(topic, MessageField.VALUE))
            event = {"place": place, "id": header["ce_id"], "type": header["ce_type"], "subject": header["ce_subject"], "data": data}
            reply = answer(event, outbox)
            if reply:
                outbox.add(reply)
            received.keep(event)
            print("received", event["id"], event["type"], event["subject"], flush=True)
            outbox.send()
        consumer.store_offsets(record)


main()
