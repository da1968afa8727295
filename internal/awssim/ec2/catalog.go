package ec2

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// zone is an availability zone. Every region has three here.
type zone struct {
	head

	name, zoneID, region string
}

func (w *world) zones() []*zone {
	var out []*zone
	for i, letter := range []string{"a", "b", "c"} {
		name := w.region + letter
		out = append(out, &zone{head: head{id: name}, name: name, zoneID: fmt.Sprintf("%s-az%d", short(w.region), i+1), region: w.region})
	}
	return out
}

// short is a region as identifiers of zones spell it: use1 for us-east-1, apne1 for
// ap-northeast-1.
func short(region string) string {
	parts := strings.Split(region, "-")
	var out strings.Builder
	out.WriteString(parts[0])
	for _, p := range parts[1 : len(parts)-1] {
		out.WriteString(p[:1])
		for _, second := range []string{"east", "west"} {
			if p != second && strings.HasSuffix(p, second) {
				out.WriteString(second[:1])
			}
		}
	}
	return out.String() + parts[len(parts)-1]
}

func (z *zone) field(name string) ([]string, bool) {
	switch name {
	case "zone-name", "zone-id", "region-name", "group-name", "state", "zone-type", "opt-in-status":
	default:
		return nil, false
	}
	if z == nil {
		return nil, true
	}
	return []string{map[string]string{
		"zone-name": z.name, "zone-id": z.zoneID, "region-name": z.region, "group-name": z.region, "state": "available",
		"zone-type": "availability-zone", "opt-in-status": "opt-in-not-required",
	}[name]}, true
}

// zone is the one that CreateSubnet asks for, or else the first.
func (c *call) zone() (*zone, error) {
	name, id := c.p.Str("AvailabilityZone"), c.p.Str("AvailabilityZoneId")
	var names []string
	for _, z := range c.zones() {
		if (name == "" || name == z.name) && (id == "" || id == z.zoneID) {
			return z, nil
		}
		names = append(names, z.name)
	}
	return nil, wire.Errorf("InvalidParameterValue",
		"Value (%s) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: %s.",
		name+id, strings.Join(names, ", "))
}

func (c *call) describeZones() (wire.Struct, error) {
	zones := c.zones()
	for _, member := range []string{"ZoneName", "ZoneId"} {
		wanted := c.p.Strings(member)
		for _, w := range wanted {
			if !slices.ContainsFunc(zones, func(z *zone) bool { return z.name == w || z.zoneID == w }) {
				return nil, wire.Errorf("InvalidParameterValue", "Invalid availability zone: [%s]", w)
			}
		}
		zones = slices.DeleteFunc(zones, func(z *zone) bool {
			return len(wanted) > 0 && !slices.Contains(wanted, z.name) && !slices.Contains(wanted, z.zoneID)
		})
	}
	zones, err := filtered(c, zones)
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv("availabilityZoneInfo", wire.ListOf(zones, func(z *zone) wire.Struct {
		return wire.Struct{
			kv("zoneName", z.name), kv("zoneId", z.zoneID), kv("zoneState", "available"), kv("regionName", z.region), kv("groupName", z.region),
			kv("networkBorderGroup", z.region), kv("zoneType", "availability-zone"), kv("optInStatus", "opt-in-not-required"), kv("messageSet", wire.List{}),
		}
	}))}, nil
}

// regionInfo is a region that the account can use.
type regionInfo struct{ head }

func (r *regionInfo) field(name string) ([]string, bool) {
	switch name {
	case "region-name", "opt-in-status", "endpoint":
	default:
		return nil, false
	}
	if r == nil {
		return nil, true
	}
	return []string{map[string]string{"region-name": r.id, "opt-in-status": "opt-in-not-required", "endpoint": r.endpoint()}[name]}, true
}

func (r *regionInfo) endpoint() string { return "ec2." + r.id + ".amazonaws.com" }

func (c *call) describeRegions() (wire.Struct, error) {
	var all []*regionInfo
	for _, name := range []string{
		"ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ca-central-1", "eu-central-1",
		"eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2",
	} {
		all = append(all, &regionInfo{head{id: name}})
	}
	wanted := c.p.Strings("RegionName")
	for _, name := range wanted {
		if !slices.ContainsFunc(all, func(r *regionInfo) bool { return r.id == name }) {
			return nil, wire.Errorf("InvalidParameterValue", "Invalid region provided: [%s]", name)
		}
	}
	all = slices.DeleteFunc(all, func(r *regionInfo) bool { return len(wanted) > 0 && !slices.Contains(wanted, r.id) })
	all, err := filtered(c, all)
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv("regionInfo", wire.ListOf(all, func(r *regionInfo) wire.Struct {
		return wire.Struct{kv("regionName", r.id), kv("regionEndpoint", r.endpoint()), kv("optInStatus", "opt-in-not-required")}
	}))}, nil
}

func (c *call) describeAccountAttributes() (wire.Struct, error) {
	out := wire.List{}
	wanted := c.p.Strings("AttributeName")
	for _, a := range [][2]string{
		{"default-vpc", "none"},
		{"max-elastic-ips", "5"},
		{"max-instances", fmt.Sprint(maxInstances)},
		{"supported-platforms", "VPC"},
		{"vpc-max-elastic-ips", "5"},
		{"vpc-max-security-groups-per-interface", "5"},
	} {
		if len(wanted) == 0 || slices.Contains(wanted, a[0]) {
			out = append(out, wire.Struct{kv("attributeName", a[0]), kv("attributeValueSet", wire.List{wire.Struct{kv("attributeValue", a[1])}})})
		}
	}
	return wire.Struct{kv("accountAttributeSet", out)}, nil
}

// instanceType is a selection of what AWS says of one.
type instanceType struct {
	head

	cpus, memory       int // memory in MiB
	architecture       string
	interfaces, perNIC int // network interfaces, and addresses on each
}

func instanceTypes() []*instanceType {
	var out []*instanceType
	for _, t := range []struct {
		name                             string
		cpus, memory, interfaces, perNIC int
		arch                             string
	}{
		{"c5.large", 2, 4096, 3, 10, "x86_64"},
		{"c5.xlarge", 4, 8192, 4, 15, "x86_64"},
		{"c6g.large", 2, 4096, 3, 10, "arm64"},
		{"m5.large", 2, 8192, 3, 10, "x86_64"},
		{"m5.xlarge", 4, 16_384, 4, 15, "x86_64"},
		{"m5.2xlarge", 8, 32_768, 4, 15, "x86_64"},
		{"m6g.large", 2, 8192, 3, 10, "arm64"},
		{"m6i.large", 2, 8192, 3, 10, "x86_64"},
		{"m6i.xlarge", 4, 16_384, 4, 15, "x86_64"},
		{"m7g.large", 2, 8192, 3, 10, "arm64"},
		{"r5.large", 2, 16_384, 3, 10, "x86_64"},
		{"t3.micro", 2, 1024, 2, 2, "x86_64"},
		{"t3.medium", 2, 4096, 3, 6, "x86_64"},
		{"t3.large", 2, 8192, 3, 12, "x86_64"},
		{"t4g.medium", 2, 4096, 3, 6, "arm64"},
	} {
		out = append(out, &instanceType{head{id: t.name}, t.cpus, t.memory, t.arch, t.interfaces, t.perNIC})
	}
	return out
}

func knownType(name string) bool {
	return slices.ContainsFunc(instanceTypes(), func(t *instanceType) bool { return t.id == name })
}

func (t *instanceType) field(name string) ([]string, bool) {
	switch name {
	case "instance-type", "processor-info.supported-architecture", "current-generation", "vcpu-info.default-vcpus", "memory-info.size-in-mib", "bare-metal":
	default:
		return nil, false
	}
	if t == nil {
		return nil, true
	}
	return []string{map[string]string{
		"instance-type": t.id, "processor-info.supported-architecture": t.architecture, "current-generation": "true", "bare-metal": "false",
		"vcpu-info.default-vcpus": fmt.Sprint(t.cpus), "memory-info.size-in-mib": fmt.Sprint(t.memory),
	}[name]}, true
}

func (c *call) describeInstanceTypes() (wire.Struct, error) {
	types := instanceTypes()
	if wanted := c.p.Strings("InstanceType"); len(wanted) > 0 {
		for _, w := range wanted {
			if !knownType(w) {
				return nil, wire.Errorf("InvalidInstanceType", "The following supplied instance types do not exist: [%s]", w)
			}
		}
		types = slices.DeleteFunc(types, func(t *instanceType) bool { return !slices.Contains(wanted, t.id) })
	}
	return describe(c, "", "instanceTypeSet", types, kind{}, func(t *instanceType) wire.Struct {
		return wire.Struct{
			kv("instanceType", t.id), kv("currentGeneration", true), kv("freeTierEligible", t.id == "t3.micro"), kv("bareMetal", false), kv("hypervisor", "nitro"),
			kv("supportedUsageClasses", wire.List{"on-demand", "spot"}), kv("supportedRootDeviceTypes", wire.List{"ebs"}),
			kv("supportedVirtualizationTypes", wire.List{"hvm"}), kv("processorInfo", wire.Struct{kv("supportedArchitectures", wire.List{t.architecture})}),
			kv("vCpuInfo", wire.Struct{kv("defaultVCpus", t.cpus), kv("defaultCores", t.cpus/2), kv("defaultThreadsPerCore", 2)}),
			kv("memoryInfo", wire.Struct{kv("sizeInMiB", t.memory)}), kv("instanceStorageSupported", false),
			kv("networkInfo", wire.Struct{
				kv("maximumNetworkInterfaces", t.interfaces), kv("ipv4AddressesPerInterface", t.perNIC), kv("ipv6Supported", true),
			}),
		}
	})
}

// machineImage is an AMI.
type machineImage struct {
	head

	name, architecture, description string
}

func images() []*machineImage {
	var out []*machineImage
	for i, m := range []machineImage{
		{name: "al2023-ami-2023.6.20250101.0-kernel-6.1-x86_64", architecture: "x86_64", description: "Amazon Linux 2023"},
		{name: "al2023-ami-2023.6.20250101.0-kernel-6.1-arm64", architecture: "arm64", description: "Amazon Linux 2023"},
		{name: "amazon-eks-node-al2023-x86_64-standard-1.33-v20250801", architecture: "x86_64", description: "EKS-optimized Kubernetes node, Kubernetes 1.33"},
		{name: "amazon-eks-node-al2023-arm64-standard-1.33-v20250801", architecture: "arm64", description: "EKS-optimized Kubernetes node, Kubernetes 1.33"},
		{name: "amazon-eks-node-al2023-x86_64-standard-1.34-v20251101", architecture: "x86_64", description: "EKS-optimized Kubernetes node, Kubernetes 1.34"},
		{name: "amazon-eks-node-al2023-arm64-standard-1.34-v20251101", architecture: "arm64", description: "EKS-optimized Kubernetes node, Kubernetes 1.34"},
	} {
		m.head = head{id: fmt.Sprintf("ami-0000000000000a%03d", i+1), created: time.Date(2025, 11, 1, 0, 0, 0, 0, time.UTC)}
		out = append(out, &m)
	}
	return out
}

func imageNamed(id string) (machineImage, bool) {
	for _, m := range images() {
		if m.id == id {
			return *m, true
		}
	}
	return machineImage{}, false
}

// imageOwner is the account that owns the images of EKS.
const imageOwner = "602401143452"

func (m *machineImage) field(name string) ([]string, bool) {
	switch name {
	case "image-id", "name", "architecture", "state", "owner-id", "owner-alias", "is-public", "virtualization-type", "root-device-type", "image-type":
	default:
		return nil, false
	}
	if m == nil {
		return nil, true
	}
	return []string{map[string]string{
		"image-id": m.id, "name": m.name, "architecture": m.architecture, "state": "available", "owner-id": imageOwner, "owner-alias": "amazon",
		"is-public": "true", "virtualization-type": "hvm", "root-device-type": "ebs", "image-type": "machine",
	}[name]}, true
}

func (c *call) describeImages() (wire.Struct, error) {
	all := images()
	if owners := c.p.Strings("Owner"); len(owners) > 0 && !slices.Contains(owners, "amazon") && !slices.Contains(owners, imageOwner) {
		all = nil
	}
	for _, id := range c.p.Strings("ImageId") {
		if _, ok := imageNamed(id); !ok {
			return nil, wire.Errorf("InvalidAMIID.NotFound", "The image id '[%s]' does not exist", id)
		}
	}
	return describe(c, "ImageId", "imagesSet", all, kind{prefix: "ami", code: "InvalidAMIID", word: "image id"}, func(m *machineImage) wire.Struct {
		return wire.Struct{
			kv("imageId", m.id), kv("name", m.name), kv("description", m.description), kv("imageState", "available"), kv("imageOwnerId", imageOwner),
			kv("imageOwnerAlias", "amazon"), kv("isPublic", true), kv("architecture", m.architecture), kv("imageType", "machine"),
			kv("rootDeviceType", "ebs"), kv("rootDeviceName", "/dev/xvda"), kv("virtualizationType", "hvm"), kv("hypervisor", "xen"),
			kv("enaSupport", true), kv("creationDate", m.created), m.tagSet(),
		}
	})
}
