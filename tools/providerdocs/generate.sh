#!/usr/bin/env bash
# Writes docs/terraform/PROVIDER from the provider's schema and examples/terraform, as the
# Terraform registry wants it. Nothing is downloaded: TERRAFORM asks the binary in BIN.
#   generate.sh PROVIDER BIN TERRAFORM
set -euo pipefail
cd "$(dirname "$0")/../.."
provider=$1 bin=$(cd "$2" && pwd) terraform=$3

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
# tfplugindocs looks for the schema under this source, whatever the provider's own is.
printf 'provider_installation {\n  dev_overrides {\n    "hashicorp/%s" = "%s"\n  }\n}\n' "$provider" "$bin" >"$tmp/terraform.tfrc"
mkdir "$tmp/empty"
printf 'terraform {\n  required_providers {\n    %s = { source = "hashicorp/%s" }\n  }\n}\n' "$provider" "$provider" >"$tmp/empty/main.tf"
export TF_CLI_CONFIG_FILE="$tmp/terraform.tfrc" CHECKPOINT_DISABLE=1
"$terraform" -chdir="$tmp/empty" providers schema -json >"$tmp/schema.json"

# It writes missing templates where it is; the copy takes them, not the clone.
mkdir "$tmp/source"
cp -r examples tools "$tmp/source/"
"${GO:-go}" run -modfile=go.docs.mod github.com/hashicorp/terraform-plugin-docs/cmd/tfplugindocs generate \
	--provider-dir "$tmp/source" --provider-name "$provider" --rendered-provider-name "$provider" \
	--providers-schema "$tmp/schema.json" --examples-dir examples/terraform \
	--website-source-dir "tools/providerdocs/$provider" --rendered-website-dir out >"$tmp/log" 2>&1 || { cat "$tmp/log" >&2; exit 1; }
mkdir -p docs/terraform
rm -rf "docs/terraform/$provider"
cp -r "$tmp/source/out" "docs/terraform/$provider"
