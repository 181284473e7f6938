#!/usr/bin/env bash
# Makes the packages grove, libgrove-dev and python3-grove, and a wheel, of what is built:
# package.sh FOLDER [REVISION]
set -euo pipefail

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
  echo 'usage: package.sh FOLDER [REVISION]' >&2
  exit 2
fi
folder=$(realpath -m "$1")
revision=${2:-1}
[[ $revision =~ ^[0-9][A-Za-z0-9.+~]*$ ]] || { echo "package: not a revision: $revision" >&2 && exit 2; }
GROVE_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
GROVE_WHEEL=$GROVE_ROOT/python/grove.whl
[ -e "$GROVE_WHEEL" ] || GROVE_WHEEL=$GROVE_ROOT/bazel-bin/python/grove.whl
export GROVE_ROOT GROVE_WHEEL
version=$(sed -n 's/.*kVersion = "\(.*\)";/\1/p' "$GROVE_ROOT/server/version.h")

mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/grove"
cp -rL "$GROVE_ROOT/deploy/debian" "$work/grove/debian"
cd "$work/grove"

cat >debian/changelog <<TEXT
grove ($version-$revision) unstable; urgency=medium

  * Built from the sources of Grove $version; what has changed in them stands
    in the changelog beside this one.

 -- Grove maintainers <maintainers@grove.invalid>  $(date -R -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}")
TEXT

# Their headers put a version of their own into what is compiled with them, so that the static
# libraries go with the build's alone: from this version on, and below the next one.
pinned() {
  local upstream
  upstream=$(dpkg-query -W -f '${source:Upstream-Version}' "$1")
  echo "$1 (>= $upstream), $1 (<< ${upstream%.*}.$((${upstream##*.} + 1))~)"
}
echo "grove:Depends=$(pinned libabsl-dev), $(pinned libgrpc++-dev), $(pinned libprotobuf-dev)" \
  >debian/libgrove-dev.depends

# The packages of the build are Bazel's to name; debhelper is known to be here.
DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS:-} noautodbgsym" \
  dpkg-buildpackage --build=binary --no-sign --no-check-builddeps >"$work/log" 2>&1 ||
  { tail -n 40 "$work/log" >&2 && echo 'package: dpkg-buildpackage failed' >&2 && exit 1; }
mv "$work"/*.deb "$folder"
install -m 0644 "$GROVE_WHEEL" "$folder/grove-$version-py3-none-any.whl"
