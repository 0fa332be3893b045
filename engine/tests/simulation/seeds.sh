#!/usr/bin/env bash
# What CI runs of the simulation: 1,000 clean seeds, then every planted bug. Arguments go to the simulation.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
exec cargo test --quiet -p tidewatch-engine --release --locked --features planted-bugs --test simulation -- "$@"
