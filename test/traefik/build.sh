#!/bin/sh
# build.sh FILE: make FILE a traefik, without lego's DNS providers: hundreds of packages
# that ask for certificates, which nobody does in a lab.
set -eu
file=$1
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
version=$(awk '$1 == "github.com/go-acme/lego/v5" { print $2; exit }' go.mod)
lego=$(cd "$work" && go mod download -json "github.com/go-acme/lego/v5@$version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
cp -r "$lego" "$work/lego"
cp -r go.mod go.sum ext "$work"
chmod -R u+w "$work/lego"
find "$work/lego/providers/dns" -mindepth 1 -maxdepth 1 -exec rm -r {} +
cp dns/providers.go.txt "$work/lego/providers/dns/providers.go"
CGO_ENABLED=0 ${GOBUILD:?} Traefik -C "$work" -trimpath -buildvcs=false -ldflags="-s -w -X github.com/traefik/traefik/v3/pkg/version.Version=$(awk '$1 == "github.com/traefik/traefik/v3" { print $2; exit }' go.mod)" -o "$file" github.com/traefik/traefik/v3/cmd/traefik
