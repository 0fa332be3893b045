# Sourced by `run` and `.ci/run` after `needs.sh`: the tests of the workspace, in two parts.

# What runs on every machine that has a broker, and the examples in the docs.
plain_tests() { cargo test --workspace --locked "$@"; }

# The others are #[ignore] with what they need as the reason, and carry the name of the need in their own or their
# module's. missing_NEED prints what this machine lacks, and nothing where it lacks nothing.
conditional_needs=(data_set drop_vectors disk_full trace)

missing_data_set() {
  local sets=${TIDEWATCH_DATASETS:-$root/../shared/data}
  compgen -G "$sets/*/events.jsonl.gz" >/dev/null || say "no public data sets in $sets"
}

missing_drop_vectors() {
  local vectors=${TIDEWATCH_DROP_VECTORS:-$root/../shared/design/drop-reference/vectors.json}
  [ -e "$vectors" ] || say "no vectors in $vectors"
}

missing_disk_full() {
  local at
  at=$(mktemp -d)
  if mount -t tmpfs -o size=1m tidewatch "$at" 2>/dev/null; then
    umount --lazy "$at"
  else
    say "no right to mount a file system"
  fi
  rmdir "$at"
}

missing_trace() {
  command -v strace >/dev/null || (apt strace) || { say "no strace"; return; }
  strace -o /dev/null true 2>/dev/null || say "no right to trace"
}

# Every ignored test whose need is met: it fails where it finds that it is not. Fails, too, when a need has no tests, and
# when other than the tests expected have run. Ends with a line of how many ran and how many were left out.
conditional_tests() {
  local log=$cache/conditional.log all need tests why ran left_out=0 skip=()
  mkdir -p "$cache"
  all=$(cargo test --workspace --tests --locked --quiet -- --ignored --list | sed -n 's/: test$//p')
  for need in "${conditional_needs[@]}"; do
    tests=$(grep -c "$need" <<<"$all") || fail "no ignored test needs $need: take it out of .ci/tests.sh"
    why=$("missing_$need")
    if [ -n "$why" ]; then
      say "skipped: $tests tests of $need: $why"
      skip+=(--skip "$need")
      left_out=$((left_out + tests))
    fi
  done
  cargo test --workspace --tests --locked -- --ignored "${skip[@]}" 2>&1 | tee "$log"
  ran=$(awk '/^test result: / { ran += $4 } END { print ran + 0 }' "$log")
  [ $((ran + left_out)) = "$(wc -l <<<"$all")" ] || fail "$ran tests ran and $left_out were left out, of these:"$'\n'"$all"
  say "conditional tests: $ran ran, $left_out left out" | tee -a "$log"
}
