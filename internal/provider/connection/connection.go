// Package connection is how Terraform resources say where AWS is and as whom to call it:
// region, profile, address and the block assume_role, on the provider or on a resource.
package connection

import (
	"cmp"
	"time"
)

// Connection says where AWS is and as whom it is called. What is empty is the
// environment's.
type Connection struct {
	Region  string
	Profile string // of the shared AWS configuration files
	Address string // URL of every AWS service, for a lab; "": AWS's own
	// AssumeRole is a role to assume, whose credentials are refreshed as long as needed; nil: none.
	AssumeRole *AssumeRole
}

// AssumeRole is what sts:AssumeRole is asked for.
// Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
type AssumeRole struct {
	RoleARN           string
	SessionName       string        // 2–64 characters
	ExternalID        string        // 2–1224 characters
	Duration          time.Duration // 15m–12h; 0: one hour
	Policy            string        // JSON; what the session may do at most
	PolicyARNs        []string      // of managed policies; at most 10
	Tags              map[string]string
	TransitiveTagKeys []string // of Tags
}

// Or fills in what is empty from another one, such as the provider's.
func (c Connection) Or(o Connection) Connection {
	out := Connection{
		Region: cmp.Or(c.Region, o.Region), Profile: cmp.Or(c.Profile, o.Profile), Address: cmp.Or(c.Address, o.Address),
		AssumeRole: c.AssumeRole,
	}
	if out.AssumeRole == nil {
		out.AssumeRole = o.AssumeRole
	}
	return out
}
