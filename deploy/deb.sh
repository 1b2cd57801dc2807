#!/usr/bin/env bash
# Builds build/roundsman-agent_VERSION_ARCH.deb: the agent alone, with the locked packages it needs,
# as a virtual environment at /opt/roundsman on the system's own Python of the version that builds.
# usage: deploy/deb.sh PYTHON    (one with pip and setuptools, as .venv/bin/python)
# The same commit, Python and architecture give the same bytes.
set -euo pipefail
umask 022
cd "$(dirname "$0")/.."
python=$(realpath -s "$1")

say() { echo "roundsman: $*" >&2; }

command -v dpkg-deb >/dev/null || {
    say "cannot build a package: dpkg-deb is missing, which is part of Debian and of what comes from it"
    exit 2
}
version=$("$python" -c '
import tomllib
print(tomllib.load(open("pyproject.toml", "rb"))["project"]["version"])')
minor=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
arch=$(dpkg --print-architecture)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y pyproject.toml)}
export SOURCE_DATE_EPOCH PYTHONHASHSEED=0 PIP_DISABLE_PIP_VERSION_CHECK=1
mkdir -p build
pip=("$python" -m pip --quiet --quiet)
work=$(mktemp -d build/deb.XXXXXX)
trap 'rm -rf "$work"' EXIT
tree=$work/tree opt=$work/tree/opt/roundsman site=$work/tree/opt/roundsman/lib/python$minor/site-packages
mkdir -p "$tree/DEBIAN" "$opt/bin" "$site" "$tree"/usr/{bin,lib/systemd/system,share/doc/roundsman-agent}

# the wheels are kept: asking an index takes longer than all else; their hashes are judged each time
fetch_wheels() {
    "$python" deploy/deb/requirements.py >"$work/requirements"
    wheels=build/wheels/$(sha256sum "$work/requirements" | cut -c1-16)-$minor
    [ ! -d "$wheels" ] || return 0
    "${pip[@]}" download --require-hashes --only-binary :all: --no-deps \
        --dest "$work/wheels" --requirement "$work/requirements"
    mkdir -p build/wheels
    mv -T "$work/wheels" "$wheels" || [ -d "$wheels" ] # another build may have been as quick
}

install_packages() {
    "${pip[@]}" install --no-index --find-links "$wheels" --require-hashes --only-binary :all: \
        --no-compile --target "$site" --requirement "$work/requirements"
    rm -rf "$site/bin"
    mkdir "$work/source" # a copy: setuptools writes beside what it packs
    cp -r agent pyproject.toml README.md LICENSE "$work/source"
    "${pip[@]}" install --no-index --no-deps --no-build-isolation \
        --no-compile --target "$site" "$work/source"
    rm -rf "$site/bin" "$site"/*.dist-info/{RECORD,INSTALLER,REQUESTED,direct_url.json}
    find "$site" -name __pycache__ -prune -exec rm -rf {} +
}

lay_out() {
    ln -s "/usr/bin/python$minor" "$opt/bin/python3"
    sed "s/@MINOR@/$minor/" deploy/deb/pyvenv.cfg >"$opt/pyvenv.cfg"
    install -m 755 deploy/deb/roundsman-agent "$opt/bin/"
    ln -s /opt/roundsman/bin/roundsman-agent "$tree/usr/bin/roundsman-agent"
    install -m 644 deploy/roundsman-agent.service "$tree/usr/lib/systemd/system/"
    install -m 644 LICENSE "$tree/usr/share/doc/roundsman-agent/copyright"
    install -m 755 deploy/deb/{preinst,postinst,prerm,postrm} "$tree/DEBIAN/"
    chmod -R u=rwX,go=rX "$tree"
}

# a file's time is in its bytecode: first all get theirs, then they are compiled
compile() {
    find "$tree" -exec touch --no-dereference --date "@$SOURCE_DATE_EPOCH" {} +
    "$python" -m compileall -q -j 0 --invalidation-mode timestamp -s "$tree" "$site"
    find "$tree" -exec touch --no-dereference --date "@$SOURCE_DATE_EPOCH" {} +
}

write_control() {
    local size deb_version
    size=$(du --apparent-size --summarize --block-size=1K "$tree" | cut -f1)
    deb_version=$(sed -E 's/(a|b|rc|\.dev)([0-9]+)/~\1\2/' <<<"$version")
    sed "s/@VERSION@/$deb_version/; s/@ARCH@/$arch/; s/@MINOR@/$minor/; s/@SIZE@/$size/" \
        deploy/deb/control >"$tree/DEBIAN/control"
    made=build/roundsman-agent_${deb_version}_$arch.deb
}

fetch_wheels
install_packages
lay_out
compile
write_control
dpkg-deb --root-owner-group -Zzstd -z9 --build "$tree" "$work/made.deb" >"$work/log" || { cat "$work/log" >&2; exit 1; }
mv "$work/made.deb" "$made"
echo "$made"
