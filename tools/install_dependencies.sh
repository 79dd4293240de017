#!/usr/bin/env bash
# Creates .venv and installs the versions of requirements/lock.txt and this package into it.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  echo "error: $*" >&2
  exit 1
}

supported() { # Python 3.10-3.13 with the headers that the generated messages are compiled against
  "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null
}

has_headers() {
  "$1" -c 'import os, sysconfig
raise SystemExit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))'
}

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.12 python3.13 python3.11 python3.10}; do
    if supported "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  fail "Python 3.10-3.13 is needed; name one with: make PYTHON=/path/to/python …"
}

if ! supported .venv/bin/python || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
  python=$(find_python)
  has_headers "$python" || fail "the headers of $python are missing: apt install python3-dev"
  "$python" -m venv --clear .venv ||
    fail "$python cannot create a virtual environment: apt install python3-venv"
fi
command -v c++ >/dev/null || fail "a C++ compiler is missing: apt install build-essential"

# The local archives some pip configurations name may hold a torch that does not fit torchvision;
# the lock names the pair from PyPI.
.venv/bin/python -m pip install --disable-pip-version-check --requirement requirements/lock.txt
.venv/bin/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation \
  --editable .
cp tools/local_setup.sh .venv/local_setup.sh
cp tools/local_setup.sh .venv/local_setup.bash
