#!/bin/sh
# Judges this machine's kernel for tmt (wakecheck.fmf); what it writes goes where tmt keeps a test's data.
# Exits as pytest does: 0 well, 1 a claim is broken or inconclusive; tmt takes all else for an error.
set -eu
cd "$(dirname "$0")/.."
data=${TMT_TEST_DATA:?is set by tmt, which runs this script: tmt run}
python=${WAKECHECK_PYTHON:-}

if [ -z "$python" ]; then
  if ! python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
    echo "this needs python3, 3.10 or newer, with venv: apt-get install python3-venv, or dnf install python3" >&2
    exit 2
  fi
  # Not in the data: those are brought back.
  venv=$(mktemp -d)
  trap 'rm -rf "$venv"' EXIT
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q .
  python=$venv/bin/python
fi

# The options are words.
# shellcheck disable=SC2086
"$python" -m pytest --herd-report="$data/report" --junit-xml="$data/junit.xml" ${WAKECHECK_OPTIONS:-}
