# shellcheck shell=sh
# What send.sh and receive.sh have in common: the settings and the outbox.
#
# The outbox is a list of events that only grows. An event stands there before it is
# sent, and is sent until the broker has acknowledged it. After a crash the last one goes
# again, with the same id: the hub knows it and does nothing twice.

participant=${RELAIS_PARTICIPANT:-cnaf}
state=${RELAIS_STATE:-state}
outbox=$state/outbox.ndjson sent=$state/sent
mkdir -p "$state"
touch "$outbox"

# Settings are given as a file: arguments show in the list of processes.
(
  umask 077
  security=plaintext
  [ -z "${RELAIS_CA:-}" ] || security=ssl
  [ -z "${RELAIS_PASSWORD:-}" ] || security=sasl_$security
  echo "bootstrap.servers=${RELAIS_BROKERS:-127.0.0.1:9092}"
  echo "security.protocol=$security"
  [ -z "${RELAIS_CA:-}" ] || echo "ssl.ca.location=$RELAIS_CA"
  if [ -n "${RELAIS_CERT:-}" ]; then
    echo "ssl.certificate.location=$RELAIS_CERT"
    echo "ssl.key.location=$RELAIS_CERT_KEY"
  fi
  if [ -n "${RELAIS_PASSWORD:-}" ]; then
    echo "sasl.mechanism=SCRAM-SHA-512"
    echo "sasl.username=$participant"
    echo "sasl.password=$RELAIS_PASSWORD"
  fi
) > "$state/kcat.conf"

# replace writes a file as a whole or not at all.
replace() {
  cat > "$1.new"
  mv "$1.new" "$1"
}

# send sends what the broker has not acknowledged, one at a time: whatever fails, a
# case's events keep their order. The key is the dossier.
send() {
  number=$(cat "$sent" 2> /dev/null || echo 0)
  while event=$(sed -n "$((number + 1))p" "$outbox") && [ -n "$event" ]; do
    subject=$(printf '%s' "$event" | jq -r .subject)
    printf '%s' "$event" |
      kcat -q -F "$state/kcat.conf" -P -t "relais.from.$participant" -k "${subject%%~*}" -H content-type=application/cloudevents+json \
        -X partitioner=murmur2_random -X enable.idempotence=true -X delivery.timeout.ms=60000 || return 1
    number=$((number + 1))
    echo "$number" | replace "$sent"
    printf '%s' "$event" | jq -r '"sent \(.id) \(.type) \(.subject)"'
  done
}
