"""Puts the events on standard input, one a line, into the outbox and sends it."""

import json
import sys

from relais import Outbox

outbox = Outbox()
if not sys.stdin.isatty():
    for line in sys.stdin:
        outbox.add(json.loads(line))
outbox.send()
