package route53

import (
	"net/http"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// Operations lists all operations of the API, sorted by name.
func Operations() []wire.Operation {
	return operations().Operations(
		"ActivateKeySigningKey", "AssociateVPCWithHostedZone", "ChangeCidrCollection", "CreateCidrCollection", "CreateKeySigningKey",
		"CreateQueryLoggingConfig", "CreateReusableDelegationSet", "CreateTrafficPolicy", "CreateTrafficPolicyInstance",
		"CreateTrafficPolicyVersion", "CreateVPCAssociationAuthorization", "DeactivateKeySigningKey", "DeleteCidrCollection",
		"DeleteKeySigningKey", "DeleteQueryLoggingConfig", "DeleteReusableDelegationSet", "DeleteTrafficPolicy",
		"DeleteTrafficPolicyInstance", "DeleteVPCAssociationAuthorization", "DisableHostedZoneDNSSEC", "DisassociateVPCFromHostedZone",
		"EnableHostedZoneDNSSEC", "GetCheckerIpRanges", "GetDNSSEC", "GetGeoLocation", "GetQueryLoggingConfig",
		"GetReusableDelegationSet", "GetReusableDelegationSetLimit", "GetTrafficPolicy", "GetTrafficPolicyInstance",
		"GetTrafficPolicyInstanceCount", "ListCidrBlocks", "ListCidrCollections", "ListCidrLocations", "ListGeoLocations",
		"ListHostedZonesByVPC", "ListQueryLoggingConfigs", "ListReusableDelegationSets", "ListTrafficPolicies",
		"ListTrafficPolicyInstances", "ListTrafficPolicyInstancesByHostedZone", "ListTrafficPolicyInstancesByPolicy",
		"ListTrafficPolicyVersions", "ListVPCAssociationAuthorizations", "UpdateHostedZoneFeatures", "UpdateTrafficPolicyComment",
		"UpdateTrafficPolicyInstance",
	)
}

// Registration of s with a wire.Mux.
func (s *Service) Registration() wire.Registration {
	return wire.Registration{
		Name: "route53", Namespace: "https://route53.amazonaws.com/doc/2013-04-01/", Service: s,
		ListNames: map[string]string{
			"Changes": "Change", "ResourceRecords": "ResourceRecord", "ResourceRecordSets": "ResourceRecordSet",
			"HostedZones": "HostedZone", "NameServers": "NameServer", "VPCs": "VPC", "HealthChecks": "HealthCheck",
			"HealthCheckObservations": "HealthCheckObservation", "ChildHealthChecks": "ChildHealthCheck", "Regions": "Region",
			"ResetElements": "ResettableElementName", "Tags": "Tag", "AddTags": "Tag", "RemoveTagKeys": "Key",
			"ResourceIds": "ResourceId", "ResourceTagSets": "ResourceTagSet", "RecordData": "RecordDataEntry",
		},
		Routes: operations().Routes(),
	}
}

// route of an operation; query renames the parameters of the URL's query.
func route(method, path string, query map[string]string) wire.Route {
	return wire.Route{Method: method, Path: "/2013-04-01/" + path, Query: query}
}

// operations is the table of what the service answers.
func operations() wire.Table[*call] {
	full := func(name string, r wire.Route, h handler) wire.Entry[*call] { return wire.Full(name, h).At(r) }
	partly := func(name, how string, r wire.Route, h handler) wire.Entry[*call] { return full(name, r, h).But(how) }
	const (
		get, post, del = http.MethodGet, http.MethodPost, http.MethodDelete

		zone   = "hostedzone/{Id}"
		rrset  = "hostedzone/{HostedZoneId}/rrset"
		check  = "healthcheck/{HealthCheckId}"
		tagged = "tags/{ResourceType}/{ResourceId}"

		policies = "geoproximity, CIDR and traffic policy records are absent; latency and geolocation records are kept, " +
			"and the first by set identifier is answered; alias targets are looked for in the zone and among the lab's load balancers"
		probes = "only loopback addresses are probed, by one prober, and others count as healthy; " +
			"CloudWatch and recovery control checks are healthy until the lab is told otherwise"
	)
	paged := map[string]string{"marker": "Marker", "maxitems": "MaxItems"}
	created := func(path string) wire.Route {
		r := route(post, path, nil)
		r.Status, r.Headers = http.StatusCreated, map[string]string{"Location": "Location"}
		return r
	}
	return wire.Table[*call]{
		partly("CreateHostedZone", "VPCs of private zones need not exist; their records are answered to everybody; no delegation sets",
			created("hostedzone"), (*call).createHostedZone),
		full("GetHostedZone", route(get, zone, nil), (*call).getHostedZone),
		partly("ListHostedZones", "in the order of creation; no delegation sets",
			route(get, "hostedzone", map[string]string{"marker": "Marker", "maxitems": "MaxItems", "hostedzonetype": "HostedZoneType"}),
			(*call).listHostedZones),
		full("ListHostedZonesByName",
			route(get, "hostedzonesbyname", map[string]string{"dnsname": "DNSName", "hostedzoneid": "HostedZoneId", "maxitems": "MaxItems"}),
			(*call).listHostedZonesByName),
		full("GetHostedZoneCount", route(get, "hostedzonecount", nil), (*call).getHostedZoneCount),
		full("UpdateHostedZoneComment", route(post, zone, nil), (*call).updateHostedZoneComment),
		full("DeleteHostedZone", route(del, zone, nil), (*call).deleteHostedZone),
		partly("GetHostedZoneLimit", "AWS's default quotas", route(get, "hostedzonelimit/{HostedZoneId}/{Type}", nil), (*call).getHostedZoneLimit),
		partly("GetAccountLimit", "AWS's default quotas", route(get, "accountlimit/{Type}", nil), (*call).getAccountLimit),

		partly("ChangeResourceRecordSets", policies, route(post, rrset, nil), (*call).changeResourceRecordSets),
		full("ListResourceRecordSets", route(get, rrset, map[string]string{
			"name": "StartRecordName", "type": "StartRecordType", "identifier": "StartRecordIdentifier", "maxitems": "MaxItems",
		}), (*call).listResourceRecordSets),
		full("GetChange", route(get, "change/{Id}", nil), (*call).getChange),
		partly("TestDNSAnswer", "the resolver's address and its client's subnet play no part", route(get, "testdnsanswer", map[string]string{
			"hostedzoneid": "HostedZoneId", "recordname": "RecordName", "recordtype": "RecordType", "resolverip": "ResolverIP",
			"edns0clientsubnetip": "EDNS0ClientSubnetIP", "edns0clientsubnetmask": "EDNS0ClientSubnetMask",
		}), (*call).testDNSAnswer),

		partly("CreateHealthCheck", probes, created("healthcheck"), (*call).createHealthCheck),
		full("GetHealthCheck", route(get, check, nil), (*call).getHealthCheck),
		full("ListHealthChecks", route(get, "healthcheck", paged), (*call).listHealthChecks),
		full("GetHealthCheckCount", route(get, "healthcheckcount", nil), (*call).getHealthCheckCount),
		partly("UpdateHealthCheck", probes, route(post, check, nil), (*call).updateHealthCheck),
		full("DeleteHealthCheck", route(del, check, nil), (*call).deleteHealthCheck),
		partly("GetHealthCheckStatus", "all regions see the same", route(get, check+"/status", nil), (*call).getHealthCheckStatus),
		partly("GetHealthCheckLastFailureReason", "all regions see the same", route(get, check+"/lastfailurereason", nil),
			(*call).getHealthCheckLastFailureReason),

		full("ChangeTagsForResource", route(post, tagged, nil), (*call).changeTagsForResource),
		full("ListTagsForResource", route(get, tagged, nil), (*call).listTagsForResource),
		full("ListTagsForResources", route(post, "tags/{ResourceType}", nil), (*call).listTagsForResources),
	}
}
