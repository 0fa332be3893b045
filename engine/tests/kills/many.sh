#!/usr/bin/env bash
# 220 kills of the program on a real broker, at random moments and at every named place. Arguments go to the test.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
[ $# -gt 0 ] || set -- --kills 220
exec cargo test --quiet -p tidewatch-engine --locked --features failpoints --test kills -- "$@"
