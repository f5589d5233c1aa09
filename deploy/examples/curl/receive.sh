#!/bin/sh
# Follows the participant's mailbox: keeps what comes, once, and answers it.
#
# What comes is kept in received.ndjson, one event a line: in your system, the tables that
# an event changes. The cursor is kept after that, and by its coming back the hub knows
# what we have. After a crash in between the same page comes again: what we have is known
# by its place.
set -eu
. "$(dirname "$0")/relais.sh"
received=$state/received.ndjson
touch "$received"

# answer puts what we have to say to an event into the outbox. Its id is made of the
# event's, so that the same answer after a crash is the same event.
answer() { # event
  case $(printf '%s' "$1" | jq -r .type) in
    fr.relais.hub.v1.SubmissionRefused) # one whose outcome send did not wait for
      printf '%s' "$1" | jq -r '.data | "REFUSED \(.submission_id) \(.reason) \(.detail) - \(.remedy_en)"'
      refused=$(jq -c --argjson e "$1" 'select(.id == $e.data.submission_id)' "$outbox" | head -n 1)
      [ -z "$refused" ] || correct "$refused" "$(printf '%s' "$1" | jq -r .data.reason)" ;;
    fr.relais.referral.v1.ReferralMade)
      printf '%s' "$1" | jq -c --arg me "$participant" 'select(.data.to == $me) | {
        specversion: "1.0", id: "received-\(.place)", source: "/participants/\($me)/curl",
        type: "fr.relais.referral.v1.ReferralReceived", subject: .subject,
        data: {own_reference: "our-\(.data.reference)"}}' >> "$outbox" ;;
  esac
}

send < /dev/null || true
while :; do
  cursor=$(cat "$state/cursor" 2> /dev/null || true)
  status=$(call page -D "$state/headers" -H 'Prefer: wait=30' "$hub/v1/mailbox?cursor=$cursor")
  case $status in
    200) ;;
    000 | 429 | 5??)
      sleep 2
      continue ;;
    410) # events were deleted before we read them: the hub says where to go on
      jq -r '"\(.code): \(.detail) \(.remedy)"' "$state/page" >&2 ;;
    *)
      jq -r '"\(.code): \(.detail) \(.remedy)"' "$state/page" >&2
      exit 1 ;;
  esac
  [ "$status" = 410 ] || jq -c '.[] | .place = "\(.submittedpartition)-\(.submittedoffset)"' "$state/page" |
    while IFS= read -r event; do
      place=$(printf '%s' "$event" | jq -c '{place}')
      ! grep -qF "${place#?}" "$received" || continue
      answer "$event"
      printf '%s\n' "$event" >> "$received"
      printf '%s' "$event" | jq -r '"received \(.id) \(.type) \(.subject)"'
    done
  sed -n 's/^[Rr]elais-[Cc]ursor: *\([^[:space:]]*\).*/\1/p' "$state/headers" | replace "$state/cursor"
  send < /dev/null || true
done
