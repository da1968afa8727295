package iam

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// provider is an OpenID Connect provider.
type provider struct {
	arn, url    string // url without https://
	clientIDs   []string
	thumbprints []string
	created     time.Time
	tags        tags
}

func (c *call) provider() (*provider, error) {
	arn, err := c.required("OpenIDConnectProviderArn")
	if err != nil {
		return nil, err
	}
	p := c.providers[arn]
	if p == nil {
		return nil, noSuchEntity("OpenIDConnect Provider not found for arn %s", arn)
	}
	return p, nil
}

func providerTags(c *call) (*tags, error) {
	p, err := c.provider()
	if err != nil {
		return nil, err
	}
	return &p.tags, nil
}

func (c *call) createProvider() (wire.Struct, error) {
	text, err := c.required("Url")
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || len(text) > 255 {
		return nil, wire.Errorf("ValidationError", "Invalid Open ID Connect Provider URL: %.255q is not https://HOST[/PATH]", text)
	}
	p := &provider{url: strings.TrimSuffix(strings.TrimPrefix(text, "https://"), "/"), created: c.now()}
	if p.clientIDs, err = c.clientIDs(); err != nil {
		return nil, err
	}
	if p.thumbprints, err = c.thumbprints(); err != nil {
		return nil, err
	}
	if len(p.thumbprints) == 0 {
		// AWS takes the issuer's own when none is given; nobody verifies it here.
		p.thumbprints = []string{strings.Repeat("0", 40)}
	}
	if p.tags, err = c.newTags(nil); err != nil {
		return nil, err
	}
	p.arn = c.arn("oidc-provider", "/", p.url)
	if c.providers[p.arn] != nil {
		return nil, exists("Provider with url %s already exists.", text)
	}
	if len(c.providers) >= maxProviders {
		return nil, limitExceeded("Cannot exceed quota for OpenIdConnectProvidersPerAccount: %d", maxProviders)
	}
	c.providers[p.arn] = p
	return wire.Struct{kv("OpenIDConnectProviderArn", p.arn), kv("Tags", p.tags.list())}, nil
}

func (c *call) clientIDs() ([]string, error) {
	ids := c.p.Strings("ClientIDList")
	if len(ids) > maxClientIDs {
		return nil, limitExceeded("Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: %d", maxClientIDs)
	}
	for _, id := range ids {
		if id == "" || len(id) > 255 {
			return nil, violation(id, "ClientIDList", "have members of 1 to 255 characters")
		}
	}
	return ids, nil
}

func (c *call) thumbprints() ([]string, error) {
	list := c.p.Strings("ThumbprintList")
	if len(list) > maxThumbprints {
		return nil, wire.Errorf("InvalidInput", "Thumbprint list must contain fewer than %d entries.", maxThumbprints+1)
	}
	form := regexp.MustCompile(`^[0-9A-Fa-f]{40}$`)
	for _, t := range list {
		if !form.MatchString(t) {
			return nil, violation(t, "ThumbprintList", "have members of 40 hexadecimal digits")
		}
	}
	return list, nil
}

func (c *call) getProvider() (wire.Struct, error) {
	p, err := c.provider()
	if err != nil {
		return nil, err
	}
	return wire.Struct{
		kv("Url", p.url), kv("ClientIDList", wire.Texts(p.clientIDs)), kv("ThumbprintList", wire.Texts(p.thumbprints)),
		kv("CreateDate", p.created), kv("Tags", p.tags.list()),
	}, nil
}

func (c *call) listProviders() (wire.Struct, error) {
	list := wire.List{}
	for _, arn := range sortedKeys(c.providers) {
		list = append(list, wire.Struct{kv("Arn", arn)})
	}
	return wire.Struct{kv("OpenIDConnectProviderList", list)}, nil
}

func (c *call) deleteProvider() (wire.Struct, error) {
	p, err := c.provider()
	if err != nil {
		return nil, err
	}
	delete(c.providers, p.arn)
	return wire.Struct{}, nil
}

func (c *call) updateThumbprints() (wire.Struct, error) {
	p, err := c.provider()
	if err != nil {
		return nil, err
	}
	list, err := c.thumbprints()
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, violation(nil, "ThumbprintList", "not be null")
	}
	p.thumbprints = list
	return wire.Struct{}, nil
}

func (c *call) addClientID() (wire.Struct, error) {
	p, err := c.provider()
	if err != nil {
		return nil, err
	}
	id, err := c.required("ClientID")
	switch {
	case err != nil:
		return nil, err
	case len(id) > 255:
		return nil, violation(id, "ClientID", fmt.Sprintf("have length less than or equal to %d", 255))
	case slices.Contains(p.clientIDs, id):
		return wire.Struct{}, nil
	case len(p.clientIDs) >= maxClientIDs:
		return nil, limitExceeded("Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: %d", maxClientIDs)
	}
	p.clientIDs = append(slices.Clone(p.clientIDs), id)
	return wire.Struct{}, nil
}

func (c *call) removeClientID() (wire.Struct, error) {
	p, err := c.provider()
	if err != nil {
		return nil, err
	}
	id, err := c.required("ClientID")
	if err != nil {
		return nil, err
	}
	p.clientIDs = slices.DeleteFunc(slices.Clone(p.clientIDs), func(x string) bool { return x == id })
	return wire.Struct{}, nil
}
