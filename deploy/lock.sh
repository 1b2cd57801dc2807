#!/usr/bin/env bash
# Writes requirements.lock: every package of the coordinator and of the workshop, with hashes.
# The tool that chooses is not locked itself; it lives in build/lock and only for this.
set -euo pipefail
tool=build/lock
[ -x "$tool/bin/pip-compile" ] || {
    "${PYTHON:-python3}" -m venv --clear "$tool"
    "$tool/bin/python" -m pip --disable-pip-version-check --quiet install pip-tools
}
made=$tool/requirements.lock
"$tool/bin/pip-compile" --quiet --upgrade --generate-hashes --allow-unsafe --all-build-deps \
    --extra coordinator --extra dev --strip-extras --no-header --annotation-style=line \
    --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
    --output-file "$made" pyproject.toml
{
    echo "# Every package that the workshop and the coordinator install, each with its hashes."
    echo "# For Python 3.11 to 3.13. Made by \`make lock\`; to add one, edit pyproject.toml first."
    cat "$made"
} >requirements.lock
