# Builds the image of norikae from a clone. CI does not build it: it has no container engine.
#   docker buildx build --platform linux/amd64,linux/arm64 -t REGISTRY/norikae:VERSION --build-arg VERSION=VERSION .
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH VERSION
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags="-s -w -X main.version=$VERSION" -o /norikae ./cmd/norikae

# CA certificates, a user and /tmp; no shell.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /norikae /usr/local/bin/norikae
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/norikae"]
