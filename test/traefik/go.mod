// Traefik, the data plane of the Gateway API in the lab's full stack. A module of its own: the product needs none of it.
// It is built by build.sh, elsewhere: the folder lego is made there.
module github.com/norikae/norikae/test/traefik

go 1.26.0

tool github.com/traefik/traefik/v3/cmd/traefik

require (
	github.com/go-acme/lego/v5 v5.4.1
	github.com/traefik/traefik/v3 v3.7.13
)

replace (
	github.com/go-acme/lego/v5 => ./lego
	github.com/traefik/traefik/dynamic/ext => ./ext
	// As Traefik's own go.mod has them, as far as they can be had.
	github.com/abbot/go-http-auth => github.com/containous/go-http-auth v0.4.1-0.20200324110947-a37a7636d23e
	github.com/gorilla/mux => github.com/containous/mux v0.0.0-20250523120546-41b6ec3aed59
)

exclude github.com/tencentcloud/tencentcloud-sdk-go v3.0.83+incompatible
