package ec2

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// maxInstances bounds one RunInstances call.
const maxInstances = 1000

// networkInterface belongs to an instance or a NAT gateway.
type networkInterface struct {
	head

	subnet      *subnet
	groups      []*securityGroup
	ip, mac     string
	description string
	typ         string   // interface | nat_gateway
	instance    string   // identifier; "" for none
	auto        string   // public address that the subnet gave; "" for none
	address     *address // Elastic IP; nil for none
}

func (n *networkInterface) publicIP() string {
	if n.address != nil {
		return n.address.ip
	}
	return n.auto
}

func (n *networkInterface) field(name string) ([]string, bool) {
	switch name {
	case "network-interface-id", "subnet-id", "vpc-id", "availability-zone", "private-ip-address", "addresses.private-ip-address", "status",
		"description", "interface-type", "group-id", "group-name", "attachment.instance-id", "owner-id", "mac-address":
	default:
		return nil, false
	}
	if n == nil {
		return nil, true
	}
	var out []string
	for _, g := range n.groups {
		out = append(out, map[string]string{"group-id": g.id, "group-name": g.name}[name])
	}
	out = append(out, map[string]string{
		"network-interface-id": n.id, "subnet-id": n.subnet.id, "vpc-id": n.subnet.vpc.id, "availability-zone": n.subnet.zone,
		"private-ip-address": n.ip, "addresses.private-ip-address": n.ip, "status": "in-use", "description": n.description,
		"interface-type": n.typ, "attachment.instance-id": n.instance, "owner-id": n.subnet.owner, "mac-address": n.mac,
	}[name])
	return slices.DeleteFunc(out, func(v string) bool { return v == "" }), true
}

func describeGroups(groups []*securityGroup) wire.List {
	return wire.ListOf(groups, func(g *securityGroup) wire.Struct { return wire.Struct{kv("groupId", g.id), kv("groupName", g.name)} })
}

func (n *networkInterface) describe() wire.Struct {
	out := wire.Struct{
		kv("networkInterfaceId", n.id), kv("subnetId", n.subnet.id), kv("vpcId", n.subnet.vpc.id), kv("availabilityZone", n.subnet.zone),
		kv("description", n.description), kv("ownerId", n.subnet.owner), kv("status", "in-use"), kv("macAddress", n.mac),
		kv("privateIpAddress", n.ip), kv("sourceDestCheck", n.typ == "interface"), kv("interfaceType", n.typ), kv("groupSet", describeGroups(n.groups)),
		kv("privateIpAddressesSet", wire.List{wire.Struct{kv("privateIpAddress", n.ip), kv("primary", true)}}), n.tagSet(),
	}
	if n.instance != "" {
		out = append(out, kv("attachment", wire.Struct{
			kv("attachmentId", "eni-attach-"+n.id[len("eni-"):]), kv("instanceId", n.instance), kv("deviceIndex", 0), kv("status", "attached"),
			kv("deleteOnTermination", true),
		}))
	}
	if ip := n.publicIP(); ip != "" {
		out = append(out, kv("association", wire.Struct{kv("publicIp", ip), kv("ipOwnerId", "amazon")}))
	}
	return out
}

func (c *call) newInterface(s *subnet, groups []*securityGroup, description string) *networkInterface {
	n := &networkInterface{head: c.newHead(kindInterface(), nil), subnet: s, groups: groups, description: description, typ: "interface"}
	m := c.s.rand.Uint32()
	n.mac = fmt.Sprintf("02:00:%02x:%02x:%02x:%02x", m>>24, m>>16&0xff, m>>8&0xff, m&0xff)
	n.ip = c.nextAddress(s)
	c.interfaces = append(c.interfaces, n)
	return n
}

func (c *call) dropInterface(n *networkInterface) {
	if n.address != nil {
		n.address.user, n.address.link = nil, ""
		n.address = nil
	}
	c.interfaces = remove(c.interfaces, n)
}

func (c *call) describeNetworkInterfaces() (wire.Struct, error) {
	return describe(c, "NetworkInterfaceId", "networkInterfaceSet", c.interfaces, kindInterface(), (*networkInterface).describe)
}

type instance struct {
	head

	reservation string
	index       int // among those of its reservation
	image, typ  string
	key         string
	profile     string // of IAM, by ARN or name
	iface       *networkInterface
	endedAt     time.Time // zero: it lives
	delay       time.Duration
	now         func() time.Time
}

type state struct {
	code int
	name string
}

func (i *instance) state() state {
	now := i.now()
	switch {
	case !i.endedAt.IsZero() && now.Sub(i.endedAt) >= i.delay:
		return state{48, "terminated"}
	case !i.endedAt.IsZero():
		return state{32, "shutting-down"}
	case now.Sub(i.created) < i.delay:
		return state{0, "pending"}
	}
	return state{16, "running"}
}

func (s state) member(name string) wire.Member {
	return kv(name, wire.Struct{kv("code", s.code), kv("name", s.name)})
}

func (i *instance) field(name string) ([]string, bool) {
	switch name {
	case "instance-id", "instance-state-name", "instance-state-code", "instance-type", "image-id", "vpc-id", "subnet-id", "availability-zone",
		"private-ip-address", "private-dns-name", "reservation-id", "key-name", "instance.group-id", "instance.group-name", "owner-id",
		"network-interface.subnet-id", "network-interface.vpc-id":
	default:
		return nil, false
	}
	if i == nil {
		return nil, true
	}
	if strings.HasPrefix(name, "instance.group") {
		return i.iface.field(strings.TrimPrefix(name, "instance."))
	}
	s := i.state()
	out := map[string]string{
		"instance-id": i.id, "instance-state-name": s.name, "instance-state-code": fmt.Sprint(s.code), "instance-type": i.typ, "image-id": i.image,
		"vpc-id": i.iface.subnet.vpc.id, "subnet-id": i.iface.subnet.id, "availability-zone": i.iface.subnet.zone,
		"private-ip-address": i.iface.ip, "private-dns-name": i.dns(), "reservation-id": i.reservation, "key-name": i.key,
		"owner-id": i.iface.subnet.owner, "network-interface.subnet-id": i.iface.subnet.id, "network-interface.vpc-id": i.iface.subnet.vpc.id,
	}[name]
	return []string{out}, true
}

func (i *instance) dns() string {
	zone := i.iface.subnet.zone
	region := zone[:len(zone)-1]
	domain := region + ".compute.internal"
	if region == "us-east-1" {
		domain = "ec2.internal"
	}
	return "ip-" + strings.ReplaceAll(i.iface.ip, ".", "-") + "." + domain
}

func (i *instance) describe(s state) wire.Struct {
	n := i.iface
	image, _ := imageNamed(i.image)
	out := wire.Struct{
		kv("instanceId", i.id), kv("imageId", i.image), s.member("instanceState"), kv("instanceType", i.typ), kv("launchTime", i.created),
		kv("amiLaunchIndex", i.index), kv("architecture", image.architecture), kv("keyName", wire.Opt(i.key)), kv("ebsOptimized", false),
		kv("hypervisor", "nitro"), kv("virtualizationType", "hvm"), kv("rootDeviceType", "ebs"), kv("rootDeviceName", "/dev/xvda"),
		kv("placement", wire.Struct{kv("availabilityZone", n.subnet.zone), kv("tenancy", "default")}),
		kv("monitoring", wire.Struct{kv("state", "disabled")}), i.tagSet(),
	}
	if i.profile != "" {
		out = append(out, kv("iamInstanceProfile", wire.Struct{kv("arn", i.profile), kv("id", "AIPALAB")}))
	}
	if s.name == "terminated" {
		return append(out, kv("groupSet", wire.List{}), kv("networkInterfaceSet", wire.List{}))
	}
	out = append(out, kv("privateIpAddress", n.ip), kv("privateDnsName", i.dns()), kv("subnetId", n.subnet.id), kv("vpcId", n.subnet.vpc.id),
		kv("sourceDestCheck", true), kv("groupSet", describeGroups(n.groups)), kv("networkInterfaceSet", wire.List{n.describe()}))
	if ip := n.publicIP(); ip != "" {
		out = append(out, kv("ipAddress", ip), kv("dnsName", "ec2-"+strings.ReplaceAll(ip, ".", "-")+".compute-1.amazonaws.com"))
	}
	return out
}

func noAddresses(s *subnet, n int) error {
	return wire.Errorf("InsufficientFreeAddressesInSubnet", "The specified subnet %s does not have %d free addresses to satisfy the request.", s.id, n)
}

// launch is what RunInstances asks for, a launch template's data behind its own.
type launch struct {
	image, typ, key, profile string
	subnet                   *subnet
	groups                   []*securityGroup
	count                    int
	public                   bool
	tags                     map[string]string
}

func (c *call) launch() (launch, error) {
	var l launch
	data, err := c.templateData()
	if err != nil {
		return l, err
	}
	first := func(name string) string {
		if v := c.p.Str(name); v != "" {
			return v
		}
		return data.Str(name)
	}
	l.image, l.typ, l.key = first("ImageId"), first("InstanceType"), first("KeyName")
	if l.typ == "" {
		l.typ = "m5.large"
	}
	if l.image == "" {
		return l, wire.Errorf("MissingParameter", "The request must contain the parameter ImageId")
	}
	if _, ok := imageNamed(l.image); !ok {
		return l, wire.Errorf("InvalidAMIID.NotFound", "The image id '[%s]' does not exist", l.image)
	}
	if !knownType(l.typ) {
		return l, invalidValue("instanceType", l.typ)
	}
	profile := c.p.Struct("IamInstanceProfile")
	if profile == nil {
		profile = data.Struct("IamInstanceProfile")
	}
	if l.profile = profile.Str("Arn"); l.profile == "" && profile.Str("Name") != "" {
		l.profile = fmt.Sprintf("arn:%s:iam::%s:instance-profile/%s", wire.Partition(c.region), c.account, profile.Str("Name"))
	}
	if err := c.launchCount(&l); err != nil {
		return l, err
	}
	return l, c.launchNetwork(&l, data)
}

func (c *call) launchCount(l *launch) error {
	least, ok, err := c.p.Int("MinCount")
	if err != nil || !ok {
		return wire.Errorf("MissingParameter", "The request must contain the parameter MinCount")
	}
	most, ok, err := c.p.Int("MaxCount")
	switch {
	case err != nil || !ok:
		return wire.Errorf("MissingParameter", "The request must contain the parameter MaxCount")
	case least < 1 || most < least:
		return wire.Errorf("InvalidParameterValue", "Value (%d) for parameter minCount is invalid, with maxCount %d.", least, most)
	case most > maxInstances:
		return wire.Errorf("InstanceLimitExceeded", "You have requested more instances (%d) than your current instance limit of %d allows.", most, maxInstances)
	}
	l.count = most
	l.tags, err = c.newTags("instance")
	return err
}

func (c *call) launchNetwork(l *launch, data wire.Params) error {
	id, groups := c.p.Str("SubnetId"), c.p.Strings("SecurityGroupId")
	for _, p := range []wire.Params{c.p, data} {
		if nics := p.List("NetworkInterface"); len(nics) > 0 {
			if id == "" {
				id = nics[0].Str("SubnetId")
			}
			if len(groups) == 0 {
				groups = nics[0].Strings("SecurityGroupId")
			}
		}
	}
	if len(groups) == 0 {
		groups = data.Strings("SecurityGroupId")
	}
	if id == "" {
		return wire.Errorf("MissingInput", "No subnets found for the default VPC '': this account has none. Please specify a subnet.")
	}
	var err error
	if l.subnet, err = find(c.subnets, kindSubnet(), id); err != nil {
		return err
	}
	for _, id := range groups {
		g, err := find(c.groups, kindGroup(), id)
		if err != nil {
			return err
		}
		if g.vpc != l.subnet.vpc {
			return wire.Errorf("InvalidParameter", "Security group %s and subnet %s belong to different networks.", g.id, l.subnet.id)
		}
		l.groups = append(l.groups, g)
	}
	if len(l.groups) == 0 {
		i := slices.IndexFunc(c.groups, func(g *securityGroup) bool { return g.vpc == l.subnet.vpc && g.name == "default" })
		l.groups = []*securityGroup{c.groups[i]}
	}
	if c.free(l.subnet) < l.count {
		return noAddresses(l.subnet, l.count)
	}
	l.public = l.subnet.public
	return nil
}

func (c *call) runInstances() (wire.Struct, error) {
	l, err := c.launch()
	if err != nil {
		return nil, err
	}
	reservation := c.newID(kind{prefix: "r"})
	var made []*instance
	for n := range l.count {
		i := &instance{
			head: c.newHead(kindInstance(), l.tags), reservation: reservation, index: n, image: l.image, typ: l.typ, key: l.key, profile: l.profile,
			delay: c.s.cfg.Delay, now: c.s.clock,
		}
		i.iface = c.newInterface(l.subnet, l.groups, "")
		i.iface.instance = i.id
		if l.public {
			m := c.s.rand.Uint32()
			i.iface.auto = fmt.Sprintf("198.19.%d.%d", m>>8&0xff, m&0xff)
		}
		made = append(made, i)
	}
	c.instances = append(c.instances, made...)
	return c.describeReservation(made, func(*instance) state { return state{0, "pending"} }), nil
}

func (c *call) describeReservation(items []*instance, s func(*instance) state) wire.Struct {
	return wire.Struct{
		kv("reservationId", items[0].reservation), kv("ownerId", c.account), kv("groupSet", wire.List{}),
		kv("instancesSet", wire.ListOf(items, func(i *instance) wire.Struct { return i.describe(s(i)) })),
	}
}

func (c *call) describeInstances() (wire.Struct, error) {
	items, err := chosen(c, "InstanceId", c.instances, kindInstance())
	if err != nil {
		return nil, err
	}
	items, next, err := page(c, items)
	if err != nil {
		return nil, err
	}
	reservations := wire.List{}
	for len(items) > 0 {
		n := 1
		for n < len(items) && items[n].reservation == items[0].reservation {
			n++
		}
		reservations = append(reservations, c.describeReservation(items[:n], (*instance).state))
		items = items[n:]
	}
	return wire.Struct{kv("reservationSet", reservations), next}, nil
}

func (c *call) terminateInstances() (wire.Struct, error) {
	var ending []*instance
	for _, id := range c.p.Strings("InstanceId") {
		i, err := find(c.instances, kindInstance(), id)
		if err != nil {
			return nil, err
		}
		ending = append(ending, i)
	}
	if len(ending) == 0 {
		return nil, wire.Errorf("MissingParameter", "The request must contain the parameter InstanceId")
	}
	out := wire.List{}
	for _, i := range ending {
		before := i.state()
		now := state{32, "shutting-down"}
		if i.endedAt.IsZero() {
			i.endedAt = c.now
		} else {
			now = before
		}
		out = append(out, wire.Struct{kv("instanceId", i.id), now.member("currentState"), before.member("previousState")})
	}
	c.forget()
	return wire.Struct{kv("instancesSet", out)}, nil
}

// PrivateIP of an instance of any account and region that has not ended.
func (s *Service) PrivateIP(id string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.worlds {
		for _, i := range w.instances {
			if i.id == id && i.endedAt.IsZero() && i.iface != nil {
				return i.iface.ip, true
			}
		}
	}
	return "", false
}
