#!/usr/bin/env bash
# Runs benchmarks and prints their tables: benches/run.sh [--quick] [NAME…], all of them without a name. --quick shows in a
# minute that they run; its figures mean nothing. benches/README.md says what each measures.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
all=(decode dedup append fold rebuild past memory health detect grpc kafka)
quick=()
names=()
profile=()

usage() {
  printf 'usage: benches/run.sh [--quick] [--dev] [NAME…], of: %s\n' "${all[*]}"
  printf -- '--dev builds with the dev profile, to see that they run where no release build is at hand.\n'
}

for word in "$@"; do
  case $word in
  --quick) quick=(--quick) ;;
  --dev) profile=(--profile dev) ;;
  -h | --help) usage; exit ;;
  *)
    printf '%s\n' "${all[@]}" | grep -qx -- "$word" || { usage >&2; exit 64; }
    names+=("$word")
    ;;
  esac
done
[ ${#names[@]} -gt 0 ] || names=("${all[@]}")

# What the figures were taken on, as a line of the page.
machine() {
  local model memory disk
  model=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -1)
  memory=$(awk '/^MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo)
  disk=$(df --output=source,fstype . | tail -1 | xargs)
  printf '%s × %s, %s GiB, %s; Linux %s, %s; commit %s; load before %s\n' "$(nproc)" "$model" "$memory" "$disk" \
    "$(uname -r)" "$(rustc --version | cut -d' ' -f1,2)" "$(git describe --always --dirty)" "$(cut -d' ' -f1-3 /proc/loadavg)"
}

bench() {
  cargo bench --quiet --locked "${profile[@]}" -p tidewatch-benches --bench "$1" -- "${quick[@]}" "${@:2}"
}

# An address in TIDEWATCH_BROKERS is used; without one a broker lives as long as this script.
brokers() {
  if [ -z "${TIDEWATCH_BROKERS:-}" ]; then
    local directory=$root/target/bench-broker-$$
    deploy/broker/broker --dir "$directory" start --while $$ >&2
    TIDEWATCH_BROKERS=$(cat "$directory/address")
  fi
  printf '%s' "$TIDEWATCH_BROKERS"
}

machine
for name in "${names[@]}"; do
  printf '\n## %s\n' "$name"
  case $name in
  kafka) bench kafka --brokers "$(brokers)" ;;
  *) bench "$name" ;;
  esac
done
