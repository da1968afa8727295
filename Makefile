# One command for each thing; CI calls the same targets (.ci/run).
# `make demo` and `make build` need Go alone; what `make test` needs besides, it names.

GO          ?= go
DEMO_FLAGS  ?=
PACKAGES    ?= ./...
RACE        ?= -race
TEST_FLAGS  ?= -timeout=15m
# everything: every prefix of the journal on every kind of route, too (half an hour).
SWEEP         ?= full
SWEEP_TIMEOUT ?= 25m
SWEEP_TESTS   ?= .
E2E_FLAGS    ?= -timeout=10m
# core: without the lab's full stack.
PROFILE      ?= full
STACK_FLAGS  ?= -timeout=15m
STACK_TESTS  ?= .
E2E_PACKAGES ?= ./internal/e2e/leader ./internal/e2e/argocd ./internal/provider/helmfile
BENCH       ?= .
BENCH_FLAGS ?= -count=1

# Tools are pinned in go.tool.mod and built once, outside of the clone, under a name
# made of what went in: another version of a tool or of Go is another directory.
HASH       := $(shell (cat go.tool.mod go.tool.sum; $(GO) env GOVERSION GOARCH) | (sha256sum 2>/dev/null || shasum -a 256) | cut -c1-16)
TOOLS      := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/norikae/tools/$(HASH)
GOLANGCI   := $(TOOLS)/golangci-lint
GOFUMPT    := $(TOOLS)/gofumpt
GOTESTSUM  := $(TOOLS)/gotestsum
DEADCODE   := $(TOOLS)/deadcode
BENCHSTAT  := $(TOOLS)/benchstat

# goreleaser has a mod file of its own, and so a folder of its own.
GORELEASER_HASH := $(shell (cat go.release.mod go.release.sum; $(GO) env GOVERSION GOARCH) | (sha256sum 2>/dev/null || shasum -a 256) | cut -c1-16)
GORELEASER      := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/norikae/tools/$(GORELEASER_HASH)/goreleaser
PRODUCTS        := norikae $(addprefix terraform-provider-,eksctl helmfile)

# A real Kubernetes control plane, built from test/kube and kept the same way.
KUBE_VERSION := $(shell awk '$$1 == "k8s.io/kubernetes" { print $$2 }' test/kube/go.mod)
KUBE_HASH    := $(shell (cat test/kube/go.mod test/kube/go.sum test/kube/main.go; $(GO) env GOVERSION GOARCH) | (sha256sum 2>/dev/null || shasum -a 256) | cut -c1-16)
KUBE         := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/norikae/kube/$(KUBE_HASH)
KUBE_STAMP   := -X k8s.io/component-base/version.gitVersion=$(KUBE_VERSION) -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=$(word 2,$(subst ., ,$(KUBE_VERSION)))
export KUBEBUILDER_ASSETS ?= $(KUBE)

# helm, built from test/helm and kept the same way; it checks and renders the chart in tests.
HELM_VERSION := $(shell awk '$$1 == "helm.sh/helm/v3" { print $$2 }' test/helm/go.mod)
HELM_HASH    := $(shell (cat test/helm/go.mod test/helm/go.sum; $(GO) env GOVERSION GOARCH) | (sha256sum 2>/dev/null || shasum -a 256) | cut -c1-16)
HELM         := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/norikae/helm/$(HELM_HASH)/helm
HELM_STAMP   := -X helm.sh/helm/v3/internal/version.version=$(HELM_VERSION) $(foreach p,pkg/lint/rules pkg/chartutil,-X helm.sh/helm/v3/$(p).k8sVersionMajor=1 -X helm.sh/helm/v3/$(p).k8sVersionMinor=$(word 2,$(subst ., ,$(KUBE_VERSION))))
export NORIKAE_HELM ?= $(HELM)

# helmfile, built from test/helmfile and kept the same way; and what stands in for its
# plugin helm-diff, from test/helmdiff.
HELMFILE_VERSION := $(shell awk '$$1 == "github.com/helmfile/helmfile" || $$2 == "github.com/helmfile/helmfile" && $$1 == "require" { print $$NF }' test/helmfile/go.mod)
HELMFILE_HASH    := $(shell (cat test/helmfile/go.mod test/helmfile/go.sum; $(GO) env GOVERSION GOARCH) | (sha256sum 2>/dev/null || shasum -a 256) | cut -c1-16)
HELMFILE         := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/norikae/helmfile/$(HELMFILE_HASH)/helmfile
HELMFILE_STAMP   := -X go.szostok.io/version.version=$(HELMFILE_VERSION)
export NORIKAE_HELMFILE ?= $(HELMFILE)
HELMDIFF_HASH    := $(shell (cat test/helmdiff/*; $(GO) env GOVERSION GOARCH) | (sha256sum 2>/dev/null || shasum -a 256) | cut -c1-16)
HELMDIFF         := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/norikae/helmdiff/$(HELMDIFF_HASH)
export NORIKAE_HELMDIFF ?= $(HELMDIFF)

# Terraform: the one on PATH, else built from test/terraformcli and kept the same way; it
# runs the acceptance tests of the providers. Whatever it is, the one of the module (the last
# under the MPL) and OpenTofu run the lifecycle of a courier besides.
TERRAFORM_VERSION := $(shell awk '$$1 == "github.com/hashicorp/terraform" { print $$2 }' test/terraformcli/go.mod)
TERRAFORM_HASH    := $(shell (cat test/terraformcli/go.mod test/terraformcli/go.sum; $(GO) env GOVERSION GOARCH) | (sha256sum 2>/dev/null || shasum -a 256) | cut -c1-16)
TERRAFORM_BUILT   := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/norikae/terraform/$(TERRAFORM_HASH)/terraform
TERRAFORM         ?= $(or $(shell command -v terraform 2>/dev/null),$(TERRAFORM_BUILT))
TOFU_VERSION      := $(shell awk '$$1 == "github.com/opentofu/opentofu" { print $$2 }' test/opentofu/go.mod)
TOFU_HASH         := $(shell (cat test/opentofu/go.mod test/opentofu/go.sum; $(GO) env GOVERSION GOARCH) | (sha256sum 2>/dev/null || shasum -a 256) | cut -c1-16)
TOFU              := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/norikae/opentofu/$(TOFU_HASH)/tofu
ACCEPTANCE_FLAGS  ?= -timeout=20m
ACCEPTANCE_TESTS  ?= .
# For the figures: -run=^$$ -bench=. -benchtime=11x
MIGRATION_FLAGS   ?=

# Where terraform init looks for providers without a registry: a filesystem mirror. OpenTofu
# has another registry, so that the same source is another folder.
PROVIDERS        := eksctl helmfile
REGISTRIES       := registry.terraform.io registry.opentofu.org
OURS             := "registry.terraform.io/norikae/*", "registry.opentofu.org/norikae/*"
PROVIDER_VERSION ?= $(or $(VERSION:v%=%),0.1.0)
DIR              ?= $(HOME)/.terraform.d/plugins

# Argo CD, built from test/argocd and kept the same way, by the Go that its go.mod names.
ARGOCD_VERSION := $(shell awk '$$1 == "github.com/argoproj/argo-cd/v3" { print $$2 }' test/argocd/go.mod)
ARGOCD_GO      := GOTOOLCHAIN=go$(shell awk '$$1 == "go" { print $$2 }' test/argocd/go.mod) CGO_ENABLED=0 $(GO)
ARGOCD_HASH    := $(shell (cat test/argocd/go.mod test/argocd/go.sum test/argocd/redis.sh; $(GO) env GOARCH) | (sha256sum 2>/dev/null || shasum -a 256) | cut -c1-16)
ARGOCD         := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/norikae/argocd/$(ARGOCD_HASH)
ARGOCD_STAMP   := -X github.com/argoproj/argo-cd/v3/common.version=$(ARGOCD_VERSION:v%=%)
export ARGOCD_ASSETS ?= $(ARGOCD)

# The lab's full stack: nodes of clusters, and the programs that their pods run, each from a
# module of its own. All are in one folder, most as links to where they were built.
STACK_HASH    := $(shell (cat test/stackprograms/go.* test/flagger/go.* test/traefik/go.* test/traefik/build.sh test/traefik/dns/* test/argocd/go.* test/argocd/redis.sh test/helm/go.* test/helmfile/go.* test/kube/go.* test/kube/main.go; $(GO) env GOVERSION GOARCH) | (sha256sum 2>/dev/null || shasum -a 256) | cut -c1-16)
STACK         := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/norikae/stack/$(STACK_HASH)
# The versions of podinfo that there are: one program under three names.
PODINFOS      := 6.9.1 6.9.2 6.9.3
STACK_PROGRAMS := $(addprefix $(STACK)/,coredns kustomize flagger traefik charts/flagger charts/gateway-api $(addprefix podinfo-,$(PODINFOS)))
GOBUILD       := $(GO) run ./tools/gobuild

# Stamp the commit into the binary where git can read it, else build all the same.
VERSION     ?=
BUILD_FLAGS := -trimpath $(shell git status --porcelain >/dev/null 2>&1 || echo -buildvcs=false) $(if $(VERSION),-ldflags='-X main.version=$(VERSION)')

# gcc and libc6-dev for -race; awscli and prometheus because the tests drive the
# simulator with a client, and the metrics with a server, that nobody here wrote.
# nftables is kube-proxy's, on the lab's nodes; curl and wget are what containers there have.
DEBIAN_PACKAGES := ca-certificates curl gcc git libc6-dev make awscli nftables procps prometheus wget
APT_INSTALL     := apt-get install -y --no-install-recommends

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## Watch a shift and an automatic rollback on live traffic (DEMO_FLAGS=--fast: the short one).
	@bin/norikae demo $(DEMO_FLAGS)

.PHONY: build
build: ## Build bin/norikae.
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build $(BUILD_FLAGS) -o bin/norikae ./cmd/norikae

.PHONY: providers
providers: ## Build the Terraform providers into bin.
	@mkdir -p bin
	@for p in $(PROVIDERS); do CGO_ENABLED=0 $(GO) build $(BUILD_FLAGS) -o bin/terraform-provider-$$p ./cmd/terraform-provider-$$p || exit 1; done

.PHONY: install-providers
install-providers: providers ## Put the Terraform providers where terraform init, and tofu init, find them offline (DIR=, PROVIDER_VERSION=).
	@for p in $(PROVIDERS); do for host in $(REGISTRIES); do \
	  to="$(DIR)/$$host/norikae/$$p/$(PROVIDER_VERSION)/$$($(GO) env GOOS)_$$($(GO) env GOARCH)"; \
	  mkdir -p "$$to" && install -m 755 bin/terraform-provider-$$p "$$to/terraform-provider-$${p}_v$(PROVIDER_VERSION)" || exit 1; \
	done; done
	@printf '# for ~/.terraformrc (OpenTofu: ~/.tofurc), or the file that TF_CLI_CONFIG_FILE names:\nprovider_installation {\n  filesystem_mirror {\n    path    = "%s"\n    include = [$(OURS)]\n  }\n  direct {\n    exclude = [$(OURS)]\n  }\n}\n' "$$(cd "$(DIR)" && pwd)"

# Small heaps that live for long, and cores that do not: less collecting is a tenth less work.
# Real programs under real load want the machine for themselves: they come last, alone.
TESTED = GOGC=400 CGO_ENABLED=1 $(GOTESTSUM) --format=pkgname-and-test-fails --hide-summary=skipped -- $(RACE) $(TEST_FLAGS)
ALL    = $(filter ./...,$(PACKAGES))

.PHONY: test
test: test-deps vet $(GOTESTSUM) $(KUBE)/kube $(HELM) ## Vet and test everything, with the race detector.
	@$(TESTED) $(if $(ALL),$$($(GO) list ./... | grep -v '/internal/e2e$$'),$(PACKAGES))
	$(if $(ALL),@$(TESTED) ./internal/e2e)

# More than 10,000 small worlds, one after the other: with GOGC so high they take half the
# time, in less than half a gigabyte.
.PHONY: sweep
sweep: $(KUBE)/kube ## The laws on every kind of route, crash and fault sweeps in full, without the race detector (make test strides).
	@GOGC=800 NORIKAE_SWEEP=$(SWEEP) $(GO) test -count=1 -timeout=$(SWEEP_TIMEOUT) -run '$(SWEEP_TESTS)' ./internal/lawtest
	@GOGC=800 NORIKAE_HISTORIES=1000 $(GO) test -count=1 -timeout=$(SWEEP_TIMEOUT) -run '$(SWEEP_TESTS)' ./internal/fleettest

# Programs that are one file, named by links. Minutes when it is built, seconds never again.
.PHONY: kube-assets
kube-assets: $(KUBE)/kube ## Build etcd, kube-apiserver and kubectl for the tests, and print where they are.
	@echo $(KUBE)

$(KUBE)/kube:
	@echo "building Kubernetes $(KUBE_VERSION) from test/kube (once; about 8 minutes on 2 cores)" >&2
	@mkdir -p $(@D)
	@cd test/kube && CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags='-s -w $(KUBE_STAMP)' -o $@.$$$$ . && mv $@.$$$$ $@
	@for p in etcd kube-apiserver kube-controller-manager kube-scheduler kubectl; do ln -sf kube $(@D)/$$p; done

.PHONY: helm
helm: $(HELM) ## Build helm for the tests of the chart, and print where it is.
	@echo $(HELM)

$(HELM):
	@echo "building helm $(HELM_VERSION) from test/helm (once; about 2 minutes on 2 cores)" >&2
	@mkdir -p $(@D)
	@cd test/helm && CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags='-s -w $(HELM_STAMP)' -o $@.$$$$ helm.sh/helm/v3/cmd/helm && mv $@.$$$$ $@

.PHONY: helmfile
helmfile: $(HELMFILE) ## Build helmfile for the tests of its Terraform provider, and print where it is.
	@echo $(HELMFILE)

$(HELMFILE):
	@echo "building helmfile $(HELMFILE_VERSION) from test/helmfile (once; about 6 minutes on 2 cores)" >&2
	@mkdir -p $(@D)
	@cd test/helmfile && CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags='-s -w $(HELMFILE_STAMP)' -o $@.$$$$ github.com/helmfile/helmfile && mv $@.$$$$ $@

# A folder of helm plugins (HELM_PLUGINS) that holds one: diff.
.PHONY: helmdiff
helmdiff: $(HELMDIFF)/diff/helmdiff ## Build what stands in for the helm plugin diff in tests, and print the folder of plugins.
	@echo $(HELMDIFF)

$(HELMDIFF)/diff/helmdiff:
	@mkdir -p $(@D)
	@install -m 644 test/helmdiff/plugin.yaml $(@D)
	@cd test/helmdiff && CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags='-s -w' -o $@.$$$$ . && mv $@.$$$$ $@

# One program named by links, as its image has them; its CRDs; and the redis it needs.
.PHONY: argocd-folder
argocd-folder:
	@echo $(ARGOCD)

.PHONY: argocd-assets
argocd-assets: $(ARGOCD)/argocd $(ARGOCD)/redis-server ## Build Argo CD for make e2e, and print where it is.
	@echo $(ARGOCD)

$(ARGOCD)/argocd:
	@echo "building Argo CD $(ARGOCD_VERSION) from test/argocd (once; about 8 minutes on 2 cores)" >&2
	@mkdir -p $(@D)/crds
	@cd test/argocd && $(ARGOCD_GO) build -trimpath -buildvcs=false -ldflags='-s -w $(ARGOCD_STAMP)' -o $@.$$$$ github.com/argoproj/argo-cd/v3/cmd && \
	module=$$($(ARGOCD_GO) list -m -f '{{.Dir}}' github.com/argoproj/argo-cd/v3) && \
	install -m 644 "$$module"/manifests/crds/*-crd.yaml $(@D)/crds && \
	install -m 755 "$$module"/hack/git-verify-wrapper.sh $(@D) && \
	for p in repo-server application-controller applicationset-controller server k8s-auth git-ask-pass; do ln -sf argocd $(@D)/argocd-$$p || exit 1; done && \
	mv $@.$$$$ $@

$(ARGOCD)/manifests/install.yaml:
	@mkdir -p $(@D)
	@cd test/argocd && install -m 644 "$$($(ARGOCD_GO) list -m -f '{{.Dir}}' github.com/argoproj/argo-cd/v3)"/manifests/install.yaml $@

$(ARGOCD)/redis-server:
	@mkdir -p $(@D)
	@test/argocd/redis.sh $@

.PHONY: stack-folder
stack-folder:
	@echo $(STACK)

# What is the project's own is built each time: with all of it compiled, that is a link.
# Terraform finds our providers there, the few resources of aws, and what stands in for eksctl.
AWS_PROVIDER := terraform/registry.terraform.io/hashicorp/aws/6.0.0/$(shell $(GO) env GOOS)_$(shell $(GO) env GOARCH)
.PHONY: stack
stack: stack-programs $(TERRAFORM) ## Build the lab's full stack (norikae lab up --stack full), and print where it is.
	@$(MAKE) -s --no-print-directory install-providers DIR=$(STACK)/terraform PROVIDER_VERSION=0.1.0 >/dev/null
	@cd test/awsprovider && CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -o $(STACK)/$(AWS_PROVIDER)/terraform-provider-aws_v6.0.0 .
	@cd test/eksctl && CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -o $(STACK)/bin/eksctl .
	@ln -sf $(TERRAFORM) $(STACK)/bin/terraform
	@printf 'provider_installation {\n  filesystem_mirror {\n    path = "%s"\n  }\n}\n' $(STACK)/terraform >$(STACK)/terraform.rc
	@cd test/stack && CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags='-s -w $(KUBE_STAMP)' -o $(STACK)/norikae-stack.$$$$ . && mv $(STACK)/norikae-stack.$$$$ $(STACK)/norikae-stack
	@echo $(STACK)

.PHONY: stack-programs
stack-programs: $(STACK_PROGRAMS) $(HELMDIFF)/diff/helmdiff $(KUBE)/kube $(ARGOCD)/argocd $(ARGOCD)/manifests/install.yaml $(ARGOCD)/redis-server $(HELM) $(HELMFILE)
	@ln -sfn $(KUBE) $(STACK)/kube
	@ln -sf $(ARGOCD)/argocd $(ARGOCD)/git-verify-wrapper.sh $(HELM) $(HELMFILE) $(STACK)
	@mkdir -p $(STACK)/bin && ln -sf ../kube/kubectl ../argocd ../helm ../helmfile ../kustomize $(STACK)/bin
	@ln -sfn $(HELMDIFF) $(STACK)/helm-plugins
	@ln -sfn $(ARGOCD) $(STACK)/redis
	@ln -sfn $(ARGOCD)/manifests $(STACK)/argocd-manifests

$(STACK)/coredns:     PACKAGE := github.com/coredns/coredns
$(STACK)/kustomize:   PACKAGE := sigs.k8s.io/kustomize/kustomize/v5
$(STACK)/coredns $(STACK)/kustomize:
	@mkdir -p $(@D)
	@CGO_ENABLED=0 $(GOBUILD) $(@F) -C test/stackprograms -trimpath -buildvcs=false -ldflags='-s -w' -o $@.$$$$ $(PACKAGE) && mv $@.$$$$ $@

$(STACK)/podinfo-%:
	@mkdir -p $(@D)
	@CGO_ENABLED=0 $(GOBUILD) $(@F) -C test/stackprograms -trimpath -buildvcs=false -ldflags='-s -w -X github.com/stefanprodan/podinfo/pkg/version.VERSION=$*' -o $@.$$$$ github.com/stefanprodan/podinfo/cmd/podinfo && mv $@.$$$$ $@

$(STACK)/flagger:
	@mkdir -p $(@D)
	@CGO_ENABLED=0 $(GOBUILD) Flagger -C test/flagger -trimpath -buildvcs=false -ldflags='-s -w' -o $@.$$$$ github.com/fluxcd/flagger/cmd/flagger && mv $@.$$$$ $@

# The chart of that release.
$(STACK)/charts/flagger: test/flagger/go.mod
	@mkdir -p $(@D)
	@rm -rf $@ && cp -r "$$(cd test/flagger && $(GO) list -m -f '{{.Dir}}' github.com/fluxcd/flagger)"/charts/flagger $(@D) && chmod -R u+w $@ && touch $@

$(STACK)/traefik:
	@mkdir -p $(@D)
	@GOBUILD='$(GO) run -C $(CURDIR) ./tools/gobuild' test/traefik/build.sh $@.$$$$ && mv $@.$$$$ $@

# The CRDs that this Traefik knows.
$(STACK)/charts/gateway-api: test/traefik/go.mod
	@mkdir -p $@
	@dir=$$(cd / && $(GO) mod download -json sigs.k8s.io/gateway-api@$$(awk '$$1 == "sigs.k8s.io/gateway-api" { print $$2 }' $(CURDIR)/test/traefik/go.mod) | sed -n 's/.*"Dir": "\(.*\)".*/\1/p') && \
	install -m 644 "$$dir"/config/crd/standard/gateway.networking.k8s.io_*.yaml $@ && rm -f $@/*_vap_*

# Nothing here is simulated but AWS. The rest of internal/e2e is what make test runs. The
# profile core does without the full stack, whose programs take long to build.
.PHONY: e2e
e2e: e2e-core $(if $(filter core,$(PROFILE)),,e2e-stack) ## Run a real Argo CD, a real helmfile, and the lab's full stack (Linux; PROFILE=core: without the stack).

.PHONY: e2e-core
e2e-core: $(KUBE)/kube $(ARGOCD)/argocd $(ARGOCD)/redis-server $(HELM) $(HELMFILE) $(HELMDIFF)/diff/helmdiff
	@$(GO) test -tags=e2e -count=1 -p=1 -v -timeout=20m $(E2E_FLAGS) $(E2E_PACKAGES)

.PHONY: e2e-stack
e2e-stack: build stack
	@cd test/stack && NORIKAE_STACK=$(STACK) NORIKAE_BIN=$(CURDIR)/bin $(GO) test -tags=e2e -count=1 -p=1 -v $(STACK_FLAGS) -run '$(STACK_TESTS)' ./...

.PHONY: terraform
terraform: $(TERRAFORM) ## Print where terraform is: that on PATH, else one built from its Go module.
	@echo $(TERRAFORM)

$(TERRAFORM_BUILT):
	@echo "building Terraform $(TERRAFORM_VERSION) from test/terraformcli (once; about 2 minutes on 2 cores)" >&2
	@mkdir -p $(@D)
	@cd test/terraformcli && CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags='-s -w' -o $@.$$$$ github.com/hashicorp/terraform && mv $@.$$$$ $@

.PHONY: opentofu
opentofu: $(TOFU) ## Build OpenTofu for the acceptance tests, and print where it is.
	@echo $(TOFU)

# Without the stamp it takes itself for a development version.
$(TOFU):
	@echo "building OpenTofu $(TOFU_VERSION) from test/opentofu (once; about 5 minutes on 2 cores)" >&2
	@mkdir -p $(@D)
	@cd test/opentofu && CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags='-s -w -X github.com/opentofu/opentofu/version.dev=no' -o $@.$$$$ github.com/opentofu/opentofu/cmd/tofu && mv $@.$$$$ $@

# What the acceptance tests run besides the product: a provider named aws, on the lab, what
# stands in for eksctl, and for helmfile a real API server, helm and helmfile.
.PHONY: acceptance-assets
acceptance-assets: build providers $(TERRAFORM) $(TERRAFORM_BUILT) $(TOFU) $(KUBE)/kube $(HELM) $(HELMFILE) $(HELMDIFF)/diff/helmdiff
	@cd test/awsprovider && CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -o $(CURDIR)/bin/test/terraform-provider-aws .
	@cd test/eksctl && CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -o $(CURDIR)/bin/test/eksctl .

.PHONY: acceptance
acceptance: acceptance-assets ## Run the Terraform providers under the real Terraform, against the lab.
	@cd test/terraform && TF_ACC=1 TF_ACC_TERRAFORM_PATH=$(TERRAFORM) NORIKAE_TERRAFORMS=$(TERRAFORM_BUILT):$(TOFU) NORIKAE_BIN=$(CURDIR)/bin $(GO) test -count=1 $(ACCEPTANCE_FLAGS) -run '$(ACCEPTANCE_TESTS)' ./...

.PHONY: migrations
migrations: acceptance-assets ## Plan states of the old providers with ours, and run the guide of migration.
	@cd test/sdkv2 && TF_ACC_TERRAFORM_PATH=$(TERRAFORM) NORIKAE_BIN=$(CURDIR)/bin $(GO) test -count=1 -timeout=8m $(MIGRATION_FLAGS) ./...

# Node is for this alone, and so neither make test nor CI's machine need it.
.PHONY: cdk-test
cdk-test: cdk-deps cdk/node_modules/.package-lock.json ## Build and test the CDK constructs (needs Node 20 and npm; synthesizes, deploys nothing).
	@cd cdk && npm run --silent build && npm run --silent test

cdk/node_modules/.package-lock.json: cdk/package.json cdk/package-lock.json cdk/.npmrc | cdk-deps
	@cd cdk && npm ci --no-audit --no-fund && touch node_modules/.package-lock.json

.PHONY: cdk-deps
cdk-deps:
	@missing=; \
	command -v node >/dev/null 2>&1 || missing="$$missing nodejs"; \
	command -v npm >/dev/null 2>&1 || missing="$$missing npm"; \
	if [ -n "$$missing" ]; then \
	  echo "make cdk-test needs Debian packages that are not here:$$missing" >&2; \
	  echo "  $(APT_INSTALL)$$missing" >&2; \
	  exit 1; \
	fi; \
	if ! node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)'; then \
	  echo "make cdk-test needs Node 20 or newer, as nodejs of Debian 13 is; this is $$(node --version)" >&2; \
	  exit 1; \
	fi

.PHONY: vet
vet:
	@$(GO) vet -tags=e2e $(PACKAGES)

# A test that is silently left out proves nothing: name everything that is missing.
.PHONY: test-deps
test-deps:
	@missing=; \
	if [ -n "$(RACE)" ] && ! { echo '#include <stdlib.h>' | $$($(GO) env CC) -E - >/dev/null 2>&1; }; then missing="$$missing gcc libc6-dev"; fi; \
	[ -x /usr/bin/aws ] || missing="$$missing awscli"; \
	command -v prometheus >/dev/null 2>&1 || missing="$$missing prometheus"; \
	if [ -n "$$missing" ]; then \
	  echo "make test needs Debian packages that are not here:$$missing" >&2; \
	  echo "  $(APT_INSTALL)$$missing" >&2; \
	  echo "or, as root: make deps-debian" >&2; \
	  exit 1; \
	fi

.PHONY: deps-debian
deps-debian: ## Install the Debian packages that make test and .ci/run need (root or sudo).
	@missing=; \
	for p in $(DEBIAN_PACKAGES); do \
	  [ "$$(dpkg-query -W -f='$${db:Status-Status}' $$p 2>/dev/null)" = installed ] || missing="$$missing $$p"; \
	done; \
	if [ -z "$$missing" ]; then echo "installed already: $(DEBIAN_PACKAGES)"; exit 0; fi; \
	if [ "$$(id -u)" = 0 ]; then sudo=; else sudo=sudo; fi; \
	echo "installing:$$missing"; \
	$$sudo apt-get update -q && $$sudo env DEBIAN_FRONTEND=noninteractive $(APT_INSTALL) -q $$missing

# In Go's benchmark format, then as a table. Keep the output to compare with it later.
.PHONY: bench
bench: $(if $(OLD),$(BENCHSTAT)) ## Measure what is promised (BENCH=regexp; OLD=file: compare with an earlier output).
	@out=$$(mktemp) && trap 'rm -f "$$out"' EXIT && \
	{ $(GO) test -run='^$$' -bench='$(BENCH)' $(BENCH_FLAGS) -p=1 $(PACKAGES) >"$$out" 2>&1 || { cat "$$out"; exit 1; }; } && \
	grep -Ev 'no test files|^(PASS|ok )' "$$out" && echo && \
	awk '/^Benchmark/ { for (i = 3; i < NF; i += 2) printf "%-40s %14s %s\n", substr($$1, 10), $$i, $$(i+1) }' "$$out" && \
	$(if $(OLD),$(BENCHSTAT) old="$(OLD)" new="$$out",true)

.PHONY: lint
lint: $(GOLANGCI) $(GOFUMPT) ## Lint; formatting is part of it.
	@unformatted=$$(find . -name '*.go' -not -path './.*' -exec $(GOFUMPT) -l {} +) || exit 1; \
	if [ -n "$$unformatted" ]; then echo "not formatted; run make fmt:" >&2; echo "$$unformatted" >&2; exit 1; fi
	@$(GOLANGCI) run --build-tags=e2e $(PACKAGES)
	@for m in awsprovider eksctl helmdiff sdkv2 stack terraform; do (cd test/$$m && $(GOLANGCI) run --build-tags=e2e ./...) || exit 1; done

.PHONY: fmt
fmt: $(GOLANGCI) ## Format the Go files as make lint wants them.
	@$(GOLANGCI) fmt $(PACKAGES)

.PHONY: deadcode
deadcode: $(DEADCODE) ## List functions that neither a command nor a test reaches.
	@$(DEADCODE) -test -tags=e2e $(PACKAGES)

.PHONY: vulncheck
vulncheck: ## Look for known vulnerabilities (asks vuln.go.dev; CI does not run it).
	@$(GO) run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./...

.PHONY: generate
generate: provider-docs ## Make the generated files anew.
	@$(GO) generate $(PACKAGES)

# From their schemas and examples/terraform; nothing is downloaded.
.PHONY: provider-docs
provider-docs: providers $(TERRAFORM) ## Write the pages of the Terraform providers, docs/terraform, anew.
	@for p in $(PROVIDERS); do GO=$(GO) tools/providerdocs/generate.sh $$p bin $(TERRAFORM) || exit 1; done

# Three products, each a release of its own: docs/release.md.
.PHONY: release-check
release-check: $(GORELEASER) ## Check what a release would be: .goreleaser.yaml, names, versions.
	@$(GO) test ./tools/release
	@for p in $(PRODUCTS); do PRODUCT=$$p $(GORELEASER) check || exit 1; done

.PHONY: release-snapshot
release-snapshot: $(GORELEASER) ## Make the zips and checksums of all products in bin/release, unsigned; builds for six systems.
	@rm -rf bin/release bin/snapshot && mkdir -p bin/snapshot
	@for p in $(PRODUCTS); do \
	  PRODUCT=$$p $(GORELEASER) release --snapshot --clean --skip=sign,publish,announce && mv bin/release/*.zip bin/release/*_SHA256SUMS bin/snapshot/ || exit 1; \
	done
	@rm -rf bin/release && mv bin/snapshot bin/release && ls bin/release

.PHONY: goreleaser
goreleaser: $(GORELEASER) ## Build goreleaser, and print where it is.
	@echo $(GORELEASER)

$(GORELEASER):
	@echo "building goreleaser, pinned in go.release.mod (once; minutes)" >&2
	@mkdir -p $(@D)
	@CGO_ENABLED=0 $(GO) build -modfile=go.release.mod -o $@.$$$$ github.com/goreleaser/goreleaser/v2 && mv $@.$$$$ $@

# State as the providers wrote it that ours succeed; make test compares them.
.PHONY: fixtures
fixtures: ## Write the fixtures of old Terraform state anew (needs terraform).
	@cd test/sdkv2 && $(GO) generate .

.PHONY: verify
verify: generate ## Fail when generated files or go.mod are not what they should be.
	@$(GO) mod tidy -diff
	@$(GO) mod verify >/dev/null
	@dirty=$$(git status --porcelain) || exit 1; \
	if [ -n "$$dirty" ]; then \
	  echo "make generate changed these files, or they were not committed before:" >&2; echo "$$dirty" >&2; \
	  git --no-pager diff --stat >&2; \
	  exit 1; \
	fi

# Each tool is built apart, so that make test does not wait for the linter.
$(GOLANGCI):  TOOL := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
$(GOFUMPT):   TOOL := mvdan.cc/gofumpt
$(GOTESTSUM): TOOL := gotest.tools/gotestsum
$(DEADCODE):  TOOL := golang.org/x/tools/cmd/deadcode
$(BENCHSTAT): TOOL := golang.org/x/perf/cmd/benchstat
$(GOLANGCI) $(GOFUMPT) $(GOTESTSUM) $(DEADCODE) $(BENCHSTAT):
	@echo "building $(@F), pinned in go.tool.mod (once)" >&2
	@mkdir -p $(@D)
	@CGO_ENABLED=0 $(GO) build -modfile=go.tool.mod -o $@.$$$$ $(TOOL) && mv $@.$$$$ $@
