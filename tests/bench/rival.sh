#!/usr/bin/env bash
# What an admin would type to update one workstation by hand, on the same files: the bench's rival.
#
# usage: rival.sh whole|ready|start|back-up APP_FOLDER ZIP VERSION PYTHON
#
# whole: stop, back up, compare, unpack, swap, carry over, start, confirm, delete the old release.
# ready: backed up, compared and unpacked before the clock starts; nothing is deleted in the end.
# start: only have the service manager run. back-up: only back up and compare.
# What is written is on the disk before it is relied on, as it is with Roundsman. Prints milliseconds.
set -euo pipefail
mode=$1 app=$2 zip=$3 version=$4 python=$5
port=$(sed -n 's/^port = //p' "$app/config/app.ini")
beside=$(dirname "$app")

stop() {
    local pid
    pid=$(cat "$beside/pid")
    kill "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
}

sums() {
    (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum)
}

back_up() {
    rm -rf "$app.backup"
    cp -a "$app" "$app.backup"
    to_disk "$app.backup"
    cmp <(sums "$app") <(sums "$app.backup")
}

prepare() {
    back_up
    rm -rf "$app.next"
    unzip -q "$zip" -d "$app.next"
    to_disk "$app.next"
}

to_disk() {
    find "$1" -print0 | xargs -0 sync
}

carry_over() {
    for kept in config prefs certs data; do cp -a "$app/$kept" "$app.next/"; to_disk "$app.next/$kept"; done
}

tell() {
    local ended=$EPOCHREALTIME
    echo "$(((${ended/./} - ${begun/./}) / 1000))"
}

start() {
    setsid "$python" -I "$app/servicemanager.py" >>"$beside/app.log" 2>&1 </dev/null &
    echo $! >"$beside/pid"
}

confirm() {
    until curl -fs "http://127.0.0.1:$port/status" | grep -q "\"version\": \"$version\""; do sleep 0.05; done
}

case $mode in
start) start && exit ;;
back-up) rm -rf "$app.backup" ;;
esac
if [ "$mode" = ready ]; then prepare; fi
begun=$EPOCHREALTIME
if [ "$mode" = back-up ]; then back_up && tell && exit; fi
stop
if [ "$mode" = whole ]; then prepare; fi
carry_over
mv "$app" "$app.old"
mv "$app.next" "$app"
sync "$beside"
start
confirm
if [ "$mode" = whole ]; then rm -rf "$app.old"; fi
tell
rm -rf "$app.old"
