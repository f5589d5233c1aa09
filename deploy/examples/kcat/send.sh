#!/bin/sh
# Puts the events on standard input, one a line, into the outbox and sends it.
set -eu
. "$(dirname "$0")/relais.sh"

[ -t 0 ] || cat >> "$outbox"
send
