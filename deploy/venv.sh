#!/usr/bin/env bash
# Makes a virtual environment from nothing: the locked packages, then the project itself.
# usage: deploy/venv.sh FOLDER    (PYTHON names the interpreter; it must be 3.11 or newer)
set -euo pipefail
folder=$1
python=${PYTHON:-python3}

say() { echo "roundsman: $*" >&2; }

install_debian_package() {
    local run=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || {
            say "cannot make $folder: the Debian package $1 is missing, and installing it needs root." \
                "Run as root: apt-get install $1"
            exit 2
        }
        run=(sudo)
    fi
    say "installing the Debian package $1"
    "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update --quiet --quiet
    "${run[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install --quiet --quiet --yes --no-install-recommends "$1"
}

check_python() {
    command -v "$python" >/dev/null || install_debian_package python3
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
        say "cannot use $("$python" -V): Python 3.11 or newer is needed. Name one: make venv PYTHON=python3.12"
        exit 2
    }
    "$python" -c 'import ensurepip, venv' 2>/dev/null || install_debian_package python3-venv
}

check_python
say "making $folder with $("$python" -V)"
# a half-made one is made again; one that works is brought up to date
"$folder/bin/python" -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear "$folder"
pip=("$folder/bin/python" -m pip --disable-pip-version-check --quiet --quiet)
"${pip[@]}" install --require-hashes --requirement requirements.lock
"${pip[@]}" install --no-deps --no-index --no-build-isolation --editable .
say "$folder is ready"
