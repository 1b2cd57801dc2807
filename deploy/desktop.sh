#!/usr/bin/env bash
# Installs what the tests need for a real desktop: an X server without a screen, a window manager,
# what takes a picture of it and reads its text; and a wrong clock. usage: deploy/desktop.sh PYTHON
# Nothing is done where it is all there; without root the tests themselves say what is missing.
set -euo pipefail
missing=()
for pair in Xvfb:xvfb openbox:openbox tesseract:tesseract-ocr import:imagemagick setpriv:util-linux \
        faketime:faketime; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
done
tesseract --list-langs 2>/dev/null | grep -qx fra || missing+=(tesseract-ocr-fra)
fc-match "DejaVu Sans" 2>/dev/null | grep -q DejaVu || missing+=(fontconfig fonts-dejavu-core)
"$1" -c 'import tkinter' 2>/dev/null || missing+=(python3-tk)
if [ "${#missing[@]}" -gt 0 ] && [ "$(id -u)" -eq 0 ]; then
    echo "roundsman: installing ${missing[*]}" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update --quiet --quiet
    apt-get install --quiet --quiet --yes --no-install-recommends "${missing[@]}"
fi
