#!/usr/bin/env bash
# What is to be done on one workstation, and nothing else: run in it, with no network between.
# usage: sequence.sh prepare|whole|ready VERSION
#
# prepare: back up and unpack, ahead of the race. whole: all of it. ready: whole, prepared before.
set -euo pipefail
mode=$1 version=$2
cd /opt/lob

prepare() {
    mkdir -p /var/backups/lob
    cp -a lobapp /var/backups/lob/lobapp-1.0
    unzip -q "/srv/pkg/lobapp-$version.zip" -d lobapp_new
}

if [ "$mode" = prepare ]; then prepare && exit; fi
systemctl stop lobclient@alice lobclient@bob
systemctl stop lobapp
if [ "$mode" = whole ]; then prepare; fi
cp -a lobapp/{config,certs,prefs,data,archive} lobapp_new/
mv lobapp lobapp_old
mv lobapp_new lobapp
systemctl start lobapp
until (exec 3<>/dev/tcp/127.0.0.1/8080) 2>/dev/null; do sleep 0.02; done
curl -sf http://127.0.0.1:8080/status | grep -q "\"version\": \"$version\""
rm -rf lobapp_old
