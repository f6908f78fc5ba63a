#!/bin/sh
# Make the virtual environment and install what a lock pins, each file checked by its hash.
# Usage: setup.sh VENV LOCK
set -eu

venv=$1
lock=$2
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

find_python() {
    for python in python3.13 python3.12 python3.11 python3 python; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            echo "$python"
            return
        fi
    done
    cat >&2 <<-EOF
	Signpost needs Python 3.11 or later, and none was found in PATH.
	Install one: on Debian 12 or Ubuntu 24.04 'apt-get install python3 python3-venv', on macOS 'brew install python',
	elsewhere from python.org. Then run this again.
	EOF
    exit 1
}

make_venv() {
    python=$(find_python)
    if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        echo "$python has no venv module. On Debian or Ubuntu: 'apt-get install python3-venv'. Then run this again." >&2
        exit 1
    fi
    echo "Making the virtual environment in $venv with $("$python" --version)"
    "$python" -m venv "$venv"
}

# One that was moved, or whose Python has gone, does not run: it is made anew.
"$venv/bin/python" -c 'import pip' >/dev/null 2>&1 || { rm -rf "$venv"; make_venv; }

echo "Installing $(grep -c == "$lock") pinned packages from $lock; the first time takes a minute or two"
# The lock names everything that is needed: nothing is resolved, and so nothing newer is looked at.
if ! "$venv/bin/python" -m pip install --quiet --no-deps --require-hashes --requirement "$lock"; then
    cat >&2 <<-EOF
	The packages of $lock could not be installed; pip says why above.
	Without a connection: check that this machine reaches its package index (a proxy goes into HTTPS_PROXY).
	Then run this again; what was fetched is kept in pip's cache.
	EOF
    exit 1
fi
"$venv/bin/python" -m pip install --quiet --no-build-isolation --no-deps --editable .
