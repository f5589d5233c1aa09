"""Publishes each event that comes as a line, and says when it is acknowledged."""

import json
import sys

from confluent_kafka import Producer

producer = Producer({"bootstrap.servers": sys.argv[1], "partitioner": "murmur2_random", "linger.ms": 0})

for line in sys.stdin:
    order = json.loads(line)
    said = []
    producer.produce(
        order["topic"],
        key=order["key"],
        value=json.dumps(order["event"]),
        headers={"content-type": "application/cloudevents+json"},
        on_delivery=lambda err, _: said.append(str(err) if err else "acknowledged"),
    )
    producer.flush(10)
    print(said[0] if said else "no acknowledgement in 10 s", flush=True)
