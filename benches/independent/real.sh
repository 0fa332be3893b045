#!/usr/bin/env bash
# Every aggregation over the public sets at twenty instants, engine against this computation, where the sets are present;
# scores, bands and the last sixty day ends too of two of them, which the engine then reads once more through their mapping.
#   real.sh TIDEWATCH [SET…]        folder of the sets by $TIDEWATCH_DATASETS, else ../shared/data
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
sets=${TIDEWATCH_DATASETS:-$top/../shared/data}
tidewatch=${1:?the program to compare}
shift
[ $# -gt 0 ] || set -- ravenstack openstack-vendors itsm-tickets online-retail-b2b
status=0
for set in "$@"; do
    events=$sets/$set/events.jsonl.gz
    if [ ! -f "$events" ]; then
        echo "$set: skipped, $events is not there"
        continue
    fi
    echo "== $set"
    started=$SECONDS
    compare() {
        "$top/.cache/venv/bin/python" "$here/compare.py" --tidewatch "$tidewatch" --source "$set" \
            --model "$here/real-sets.toml" --zone Europe/Berlin --closed-days "$here/real-closed.csv" --instants 20 "$@" || status=1
    }
    case $set in
    ravenstack | openstack-vendors)
        compare --neutral "$events" --scores
        echo "-- through its mapping"
        compare --data "$events" --mapping "$top/deploy/mappings/$set.toml" --scores
        ;;
    *) compare --neutral "$events" ;;
    esac
    echo "   $((SECONDS - started)) s"
done
exit $status
