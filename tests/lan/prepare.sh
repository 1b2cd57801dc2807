#!/usr/bin/env bash
# What a LAN in a box needs on this machine: installed where it is missing, quiet where all is there.
set -euo pipefail
cannot() { echo "the LAN in a box cannot run here: $1" >&2; exit 1; }

[ "$(uname -s)" = Linux ] || cannot "it needs Linux"
[ "$(id -u)" = 0 ] || cannot "it needs root, for namespaces, mounts and a bridge; run it with sudo"
unshare --mount --net --pid --fork true 2>/dev/null ||
    cannot "this machine does not allow namespaces (a container without privileges, perhaps); use a virtual machine"
unshare --mount --propagation private mount -t cgroup2 none /sys/fs/cgroup 2>/dev/null ||
    cannot "this machine does not allow a cgroup v2 tree to be mounted; use a kernel with cgroups v2 and full root"

# systemd watches files with some of these, of which a machine has 128: too few for twenty hosts
instances=/proc/sys/fs/inotify/max_user_instances
if [ "$(<$instances)" -lt 1024 ]; then echo 1024 >$instances || cannot "it may not raise $instances to 1024"; fi

declare -A package=([mmdebstrap]=mmdebstrap [systemd-nspawn]=systemd-container [ip]=iproute2 [nft]=nftables
    [curl]=curl [ssh]=openssh-client [rsync]=rsync [nginx]=nginx-light [mkfs.ext4]=e2fsprogs [strace]=strace [cc]=build-essential)
missing=()
for program in "${!package[@]}"; do
    command -v "$program" >/dev/null || missing+=("${package[$program]}")
done
[ ${#missing[@]} -gt 0 ] || exit 0
command -v apt-get >/dev/null || cannot "it needs ${missing[*]}, and only Debian's apt-get is known here; install them by hand"
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt_get=(apt-get -q -o DPkg::Lock::Timeout=300)
said=$({ "${apt_get[@]}" update && "${apt_get[@]}" install -y --no-install-recommends "${missing[@]}"; } 2>&1) ||
    { echo "$said" >&2; cannot "the packages could not be installed"; }
