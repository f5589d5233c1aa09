# shellcheck shell=sh
# What send.sh and receive.sh have in common: the settings and the outbox.
#
# The outbox is a list of events that only grows. An event stands there before it is
# handed in, and is handed in until the hub has answered. After a crash the last one goes
# again, with the same id: the hub knows it and does nothing twice.

participant=${RELAIS_PARTICIPANT:-cnaf}
hub=${RELAIS_HUB:-http://127.0.0.1:8080}
key=${RELAIS_KEY:-dev-$participant}
state=${RELAIS_STATE:-state}
outbox=$state/outbox.ndjson sent=$state/sent
mkdir -p "$state"
touch "$outbox"

# call is curl with our key, which does not show in the list of processes. It prints the
# status, 000 where the hub does not answer, and leaves the answer in $state/$1.
call() {
  into=$state/$1
  shift
  printf 'header = "Authorization: Bearer %s"\n' "$key" |
    curl -sS -K - ${RELAIS_CA:+--cacert "$RELAIS_CA"} --max-time 60 -o "$into" -w '%{http_code}' "$@" || true
}

# replace writes a file as a whole or not at all.
replace() {
  cat > "$1.new"
  mv "$1.new" "$1"
}

# correct puts a refused event into the outbox anew, mended, where we know how. The
# refused id is spent: what is corrected is a new event, with an id made of the old one.
correct() { # event, reason
  old=aide-au-logement # a code that our own software still writes
  new=logement/demande-d-une-allocation-logement-apl-als-alf
  [ "$2" = unknown_service ] || return 0
  printf '%s\n' "$1" | jq -c --arg old "$old" --arg new "$new" \
    'select(.data.service == $old) | .id += ".corrected" | .data.service = $new' >> "$outbox"
}

# send hands in what the hub has not answered, one at a time: whatever fails, a case's
# events keep their order.
send() {
  number=$(cat "$sent" 2> /dev/null || echo 0)
  while event=$(sed -n "$((number + 1))p" "$outbox") && [ -n "$event" ]; do
    printf '%s' "$event" > "$state/event"
    status=$(call answer "$hub/v1/events" --data-binary "@$state/event" \
      -H 'Content-Type: application/cloudevents+json' -H 'Prefer: wait=10')
    id=$(printf '%s' "$event" | jq -r .id)
    case $status in
      200 | 202) # the outcome, or that it is kept and the outcome comes into the mailbox
        echo "sent $id $(jq -r '.outcome // "accepted"' "$state/answer")" ;;
      401 | 000 | 429 | 5??) # not the event's fault: it stays where it is
        echo "$id is not acknowledged ($status); run this again, it goes on there" >&2
        return 1 ;;
      *)
        echo "REFUSED $id $(jq -r '"\(.code) \(.detail) - \(.remedy)"' "$state/answer")"
        correct "$event" "$(jq -r .code "$state/answer")" ;;
    esac
    number=$((number + 1))
    echo "$number" | replace "$sent"
  done
}
