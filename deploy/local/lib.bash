# What the scripts of this folder share. It is sourced, not run.
# shellcheck shell=bash

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034 # for those who source this
ROOT=$(cd "$HERE/../.." && pwd)
DATA=${RELAIS_LOCAL:-relais-local}
# The nine services; the port of each is the base port and its place here.
# shellcheck disable=SC2034
SERVICES=(gateway registry inbox directory courier ledger router clock observatory)

die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# help_wanted ARGUMENT...: explains the script where that is all that is asked.
help_wanted() {
  case ${1:-} in
    -h | --help | help)
      usage
      exit 0
      ;;
  esac
}

# need PROGRAM WHY: says in a sentence what is missing.
need() {
  command -v "$1" >/dev/null 2>&1 || die "$1 is not installed; it is needed $2"
}

# data_folder makes the data folder and turns $DATA into an absolute path.
data_folder() {
  mkdir -p "$DATA/run" "$DATA/log"
  chmod 700 "$DATA"
  DATA=$(cd "$DATA" && pwd)
}

# keep FILE NAME=VALUE...: writes settings that later calls read again.
keep() {
  local file=$1
  shift
  printf '%s\n' "$@" >"$file.new"
  mv "$file.new" "$file"
}

# port_number TEXT: refuses what is no port.
port_number() {
  if ! [[ $1 =~ ^[0-9]{1,5}$ ]] || ((10#$1 < 1 || 10#$1 > 64000)); then
    die "$1 is no port: use a number from 1 to 64000"
  fi
}

# answers PORT: whether something listens there.
answers() {
  (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# born PID: when the process began, which tells it from a later one with its number.
# One that has ended is none, though its parent has not taken notice (in a container
# there may be nobody who does).
born() {
  LC_ALL=C ps -o stat= -o lstart= -p "$1" 2>/dev/null | sed -n '/^ *Z/!s/^ *[^ ]* *//p'
}

# runs NAME: whether the process that was started under the name still runs.
runs() {
  local pid began
  [ -f "$DATA/run/$1.pid" ] || return 1
  { read -r pid && read -r began; } <"$DATA/run/$1.pid" || return 1
  [ "$(born "$pid" | xargs)" = "$began" ]
}

# launch NAME COMMAND...: starts a process that outlives the script, with its log.
launch() {
  local name=$1 pid
  shift
  # Job control gives it a process group of its own: Ctrl-C here does not end it.
  set -m
  nohup "$@" </dev/null >>"$DATA/log/$name.log" 2>&1 &
  pid=$!
  set +m
  disown "$pid"
  keep "$DATA/run/$name.pid" "$pid" "$(born "$pid" | xargs)"
}

# finish NAME SIGNAL SECONDS: ends what was started under the name, and only that.
finish() {
  local name=$1 signal=$2 patience=$3 pid
  if ! runs "$name"; then
    rm -f "$DATA/run/$name.pid"
    return 0
  fi
  read -r pid <"$DATA/run/$name.pid"
  kill "-$signal" "$pid" 2>/dev/null || true
  for ((i = 0; i < patience * 10; i++)); do
    runs "$name" || break
    sleep 0.1
  done
  if runs "$name"; then
    printf '%s does not end, killing it\n' "$name" >&2
    kill -KILL "$pid" 2>/dev/null || true
  fi
  rm -f "$DATA/run/$name.pid"
}

# started MATCH: the names of what was started, those that begin with MATCH.
started() {
  local file
  for file in "$DATA/run/$1"*.pid; do
    [ -f "$file" ] && basename "$file" .pid
  done
  return 0
}

# await NAME SECONDS COMMAND...: until the command succeeds; if the process ends
# first, or the time is over, it shows the end of its log.
await() {
  local name=$1 limit=$2 since=$SECONDS
  shift 2
  until "$@" >/dev/null 2>&1; do
    if ! runs "$name"; then
      tail -n 5 "$DATA/log/$name.log" >&2
      die "$name has ended; its log is $DATA/log/$name.log"
    elif ((SECONDS - since > limit)); then
      tail -n 5 "$DATA/log/$name.log" >&2
      die "$name is not ready after $limit s; its log is $DATA/log/$name.log"
    fi
    sleep 0.2
  done
}
