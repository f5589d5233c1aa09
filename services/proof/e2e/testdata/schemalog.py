"""Reads `_schemas` whole by the record format that Confluent documents, knowing nothing
of the registry that wrote it, and compares what it makes of it with the registry's own
answers. Tells each difference, a line each, then how much it read.

A record's key is JSON: {"keytype","subject","version","magic"}, in this order, as the
topic is compacted by its bytes. A SCHEMA record's value has subject, version, id, schema
and deleted; DELETE_SUBJECT deletes softly up to a version; CONFIG and MODE hold what is
set; no value takes the key away; NOOP says nothing.
"""

import json
import sys
import urllib.parse
import urllib.request
import uuid

from confluent_kafka import Consumer, TopicPartition

brokers, registry = sys.argv[1:]
magic = {"SCHEMA": 1, "CONFIG": 0, "MODE": 0, "DELETE_SUBJECT": 0, "NOOP": 0}
schemas, configs, modes = {}, {}, {}
read, wrong = 0, []


def take(key, value):
    told = json.loads(key)
    kind, subject = told["keytype"], told.get("subject")
    order = {name: told[name] for name in ("keytype", "subject", "version", "magic") if name in told}
    if json.dumps(order, separators=(",", ":"), ensure_ascii=False).encode() != key or told["magic"] != magic[kind]:
        wrong.append(f"the key {key!r} is not written as Confluent's registry writes it")
    said = None if value is None else json.loads(value)
    if kind == "SCHEMA":
        at = (subject, told["version"])
        if said is None:
            schemas.pop(at, None)
            return
        if (said["subject"], said["version"]) != at:
            wrong.append(f"the value of {key!r} is of {said['subject']} {said['version']}")
        schemas[at] = {"id": said["id"], "schema": said["schema"], "deleted": said["deleted"]}
    elif kind == "DELETE_SUBJECT":
        for (name, version), schema in schemas.items():
            schema["deleted"] |= name == said["subject"] and version <= said["version"]
    elif kind in ("CONFIG", "MODE"):
        to, name = (configs, "compatibilityLevel") if kind == "CONFIG" else (modes, "mode")
        to.pop(subject, None)
        if said is not None:
            to[subject] = said[name]


consumer = Consumer({"bootstrap.servers": brokers, "group.id": str(uuid.uuid4()), "enable.auto.commit": False, "enable.partition.eof": False})
first, end = consumer.get_watermark_offsets(TopicPartition("_schemas", 0), timeout=20)
consumer.assign([TopicPartition("_schemas", 0, first)])
at = first
while at < end:
    record = consumer.poll(20)
    if record is None or record.error():
        sys.exit(f"_schemas ends at {end}; after {at} nothing comes")
    at, read = record.offset() + 1, read + 1
    take(record.key(), record.value())
consumer.close()


def ask(path):
    with urllib.request.urlopen(registry + path, timeout=20) as answer:
        return json.load(answer)


def compare(what, log, said):
    for name in sorted(set(log) | set(said), key=str):
        if log.get(name) != said.get(name):
            wrong.append(f"{what} {name}: the log says {log.get(name)}, the registry {said.get(name)}")


alive = {(s["subject"], s["version"]): {"id": s["id"], "schema": s["schema"]} for s in ask("/schemas")}
everything = {(s["subject"], s["version"]): {"id": s["id"], "schema": s["schema"]} for s in ask("/schemas?deleted=true")}
bare = {at: {"id": s["id"], "schema": s["schema"]} for at, s in schemas.items()}
compare("version", bare, everything)
compare("live version", {at: bare[at] for at, s in schemas.items() if not s["deleted"]}, alive)
compare("level of", {s: level for s, level in configs.items() if s}, {s: ask("/config/" + urllib.parse.quote(s, safe=""))["compatibilityLevel"] for s in configs if s})
compare("mode of", {s: mode for s, mode in modes.items() if s}, {s: ask("/mode/" + urllib.parse.quote(s, safe=""))["mode"] for s in modes if s})
by_id = {}
for at, s in schemas.items():
    if by_id.setdefault(s["id"], s["schema"]) != s["schema"]:
        wrong.append(f"the id {s['id']} has two schemas")

for line in wrong:
    print(line)
print(f"{read} records, {len(schemas)} versions, {len(configs)} levels", file=sys.stderr)
