#!/bin/sh
# Follows the participant's own topic: keeps what comes, once, and answers it.
#
# What comes is kept in received.ndjson, one event a line: in your system, the tables that
# an event changes. The offset of each partition is kept after that. After a
# crash in between, and after one of the hub's, an event comes again: it is known by its
# place. kcat decodes no Avro; what is in an event is asked for by HTTP, at its place.
set -eu
. "$(dirname "$0")/relais.sh"
hub=${RELAIS_HUB:-http://127.0.0.1:8080} key=${RELAIS_KEY:-dev-$participant}
topic=relais.to.$participant received=$state/received.ndjson
touch "$received"

attribute() { # headers, name
  printf '%s\n' "$1" | tr ',' '\n' | sed -n "s/^ce_$2=//p" | head -n 1
}

# outcome is what the hub made of the event at a place.
outcome() { # place
  printf 'header = "Authorization: Bearer %s"\n' "$key" |
    curl -sS -f -K - ${RELAIS_CA:+--cacert "$RELAIS_CA"} --max-time 60 "$hub/v1/events/$1"
}

# answer puts what we have to say to an event into the outbox. Its id is made of the
# event's, so that the same answer after a crash is the same event.
answer() { # place, headers
  source=$(attribute "$2" source)
  case $(attribute "$2" type) in
    fr.relais.hub.v1.SubmissionRefused)
      id=$(attribute "$2" causationid)
      why=$(outcome "$1")
      printf '%s' "$why" | jq -r '"REFUSED \(.id) \(.problem.code) \(.problem.detail) - \(.problem.remedy)"'
      # The refused id is spent: what is corrected is a new event.
      if [ "$(printf '%s' "$why" | jq -r .problem.code)" = unknown_service ]; then
        old=aide-au-logement # a code that our own software still writes
        new=logement/demande-d-une-allocation-logement-apl-als-alf
        corrected=$(jq -c --arg id "$id" --arg old "$old" --arg new "$new" \
          'select(.id == $id and .data.service == $old) | .id += ".corrected" | .data.service = $new' "$outbox" | head -n 1)
        [ -z "$corrected" ] || printf '%s\n' "$corrected" >> "$outbox"
      fi ;;
    fr.relais.referral.v1.ReferralMade)
      [ "${source#"/participants/$participant/"}" = "$source" ] || return 0 # our own
      jq -cn --arg me "$participant" --arg place "$1" --arg subject "$(attribute "$2" subject)" '{
        specversion: "1.0", id: "received-\($place)", source: "/participants/\($me)/kcat",
        type: "fr.relais.referral.v1.ReferralReceived", subject: $subject, data: {}}' >> "$outbox" ;;
  esac
}

take() { # headers
  place=$(attribute "$1" submittedpartition)-$(attribute "$1" submittedoffset)
  ! grep -qF "{\"place\":\"$place\"," "$received" || return 0
  answer "$place" "$1"
  id=$(attribute "$1" id) type=$(attribute "$1" type) subject=$(attribute "$1" subject)
  jq -cn --arg place "$place" --arg id "$id" --arg type "$type" --arg subject "$subject" '$ARGS.named' >> "$received"
  echo "received $id $type $subject"
}

partitions=$(kcat -q -F "$state/kcat.conf" -L -J -t "$topic" | jq -r '.topics[0].partitions[].partition')
while :; do
  send < /dev/null || true
  for p in $partitions; do
    from=$(cat "$state/next.$p" 2> /dev/null || echo beginning)
    kcat -q -F "$state/kcat.conf" -C -t "$topic" -p "$p" -o "$from" -e \
      -X topic.auto.offset.reset=earliest -X fetch.wait.max.ms=20 -f '%o %h\n' |
      while read -r offset headers; do
        take "$headers"
        echo "$((offset + 1))" | replace "$state/next.$p"
      done
  done
  sleep 1
done
