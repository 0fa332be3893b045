#!/usr/bin/env bash
# Fuzzes the readers of what strangers send: run.sh [--seconds N] [TARGET…]; N seconds each, 60 where nothing else is said.
# Corpus, seeds and findings lie in .cache/fuzz/. Needs a nightly compiler and cargo-fuzz.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
. "$root/.ci/needs.sh"
need_rust
need_fuzz || fail "no nightly compiler: rustup toolchain install nightly"
seconds=60
if [ "${1:-}" = --seconds ]; then
  seconds=$2
  shift 2
fi
targets=("$@")
[ $# -gt 0 ] || targets=(native mapping records log log_bytes filter token model)
store=$root/.cache/fuzz
cd "$root"
# The versions the project is built with.
cp Cargo.lock "$here/Cargo.lock"
rm -rf "$store/seeds"
cargo run --quiet --locked -p tidewatch-engine --example fuzz-seeds -- "$store/seeds"
host=$(rustc +nightly -vV | sed -n 's/^host: //p')
failed=0
mkdir -p "$store/findings"
for target in "${targets[@]}"; do
  # Our code is safe Rust: what goes wrong panics, so no sanitizer has to watch.
  cargo +nightly fuzz build --sanitizer none --fuzz-dir "$here" --target-dir "$store/target" "$target" 2>"$store/build.log" ||
    { cat "$store/build.log"; fail "$target does not build"; }
  mkdir -p "$store/corpus/$target"
  length=2048
  case $target in mapping | model) length=12288 ;; esac
  options=(-max_total_time="$seconds" -max_len=$length -timeout=20 -rss_limit_mb=2048 -print_final_stats=1)
  [ ! -e "$store/seeds/$target.dict" ] || options+=(-dict="$store/seeds/$target.dict")
  log=$store/$target.log
  if "$store/target/$host/release/$target" "${options[@]}" -artifact_prefix="$store/findings/$target-" \
    "$store/corpus/$target" "$store/seeds/$target" >"$log" 2>&1; then
    awk -v target="$target" '
      / cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") cov = $(i + 1); if (!first) first = cov }
      /^stat::number_of_executed_units/ { runs = $2 }
      /^stat::average_exec_per_sec/ { rate = $2 }
      / corp: / { for (i = 1; i < NF; i++) if ($i == "corp:") corpus = $(i + 1) }
      END { printf "%-10s %10d executions, %6d a second, %5d edges (%d with the seeds), corpus %s\n",
                   target, runs, rate, cov, first, corpus }' "$log"
  else
    failed=1
    tail -30 "$log"
    say "$target failed; again: $store/target/$host/release/$target FINDING, of those in $store/findings"
  fi
done
exit $failed
