#!/usr/bin/env bash
# Makes the Python environment of the independent computation in .cache/venv at the top of the repository.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
[ -x "$top/.cache/venv/bin/python" ] || python3 -m venv "$top/.cache/venv"
"$top/.cache/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
echo "$top/.cache/venv/bin/python"
