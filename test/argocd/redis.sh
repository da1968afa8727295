#!/bin/sh
# redis.sh FILE: make FILE a redis-server. The one on PATH, else Debian's packages,
# unpacked beside FILE: installing them would start a service.
set -eu
file=$1
if found=$(command -v redis-server); then
	ln -sf "$found" "$file"
	exit 0
fi
if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
	echo "redis-server is not on PATH, and this is no Debian to take it from: install it" >&2
	exit 1
fi
echo "taking Debian's redis-server apart (nothing is installed)" >&2
root=$(dirname "$file")/redis
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The packages that this machine lacks, as apt says: 'URI' NAME_VERSION_ARCH.deb SIZE HASH.
plan() {
	apt-get install -qq --print-uris --no-install-recommends redis-server | sed -n "s/^'[^']*' \([^_ ]*\)_.*/\1/p"
}
packages=$(plan) || packages=
if [ -z "$packages" ]; then # no lists of packages yet, or old ones
	[ "$(id -u)" = 0 ] && apt-get update -qq
	packages=$(plan)
fi
# shellcheck disable=SC2086 # one word each
(cd "$work" && apt-get download -qq -o APT::Sandbox::User=root $packages) || {
	[ "$(id -u)" = 0 ] && apt-get update -qq && (cd "$work" && apt-get download -qq -o APT::Sandbox::User=root $packages)
}
rm -rf "$root"
for deb in "$work"/*.deb; do
	dpkg -x "$deb" "$root"
done
libraries=$(cd "$root" && find . -name '*.so.*' -exec dirname {} \; | sort -u | head -n 1)
program=$(cd "$root" && find . -path '*/bin/redis-server')
# It may be moved, or be seen under another name: its files are beside it.
cat >"$file.new" <<SCRIPT
#!/bin/sh
here=\$(dirname "\$0")
LD_LIBRARY_PATH=\$here/redis/$libraries exec "\$here/redis/$program" "\$@"
SCRIPT
chmod 755 "$file.new"
"$file.new" --version >&2
mv "$file.new" "$file"
