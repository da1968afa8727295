package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// clusterConfig is what of eksctl.io/v1alpha5 tests use. What is any is not looked into.
// Source: https://eksctl.io/usage/schema/
type clusterConfig struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Name        string            `yaml:"name"`
		Region      string            `yaml:"region"`
		Version     string            `yaml:"version"`
		Tags        map[string]string `yaml:"tags"`
		Annotations map[string]string `yaml:"annotations"`
	} `yaml:"metadata"`
	VPC               vpc            `yaml:"vpc"`
	IAM               iam            `yaml:"iam"`
	NodeGroups        []nodeGroup    `yaml:"nodeGroups"`
	ManagedNodeGroups []nodeGroup    `yaml:"managedNodeGroups"`
	FargateProfiles   []fargate      `yaml:"fargateProfiles"`
	AvailabilityZones []string       `yaml:"availabilityZones"`
	AccessConfig      accessConfig   `yaml:"accessConfig"`
	Addons            []addon        `yaml:"addons"`
	AddonsConfig      map[string]any `yaml:"addonsConfig"`
	CloudWatch        struct {
		ClusterLogging struct {
			EnableTypes        []string `yaml:"enableTypes"`
			LogRetentionInDays int      `yaml:"logRetentionInDays"`
		} `yaml:"clusterLogging"`
	} `yaml:"cloudWatch"`
	SecretsEncryption struct {
		KeyARN string `yaml:"keyARN"`
	} `yaml:"secretsEncryption"`
	KubernetesNetworkConfig struct {
		IPFamily        string `yaml:"ipFamily"`
		ServiceIPv4CIDR string `yaml:"serviceIPv4CIDR"`
	} `yaml:"kubernetesNetworkConfig"`
	PrivateCluster      map[string]any   `yaml:"privateCluster"`
	GitOps              map[string]any   `yaml:"gitops"`
	Karpenter           map[string]any   `yaml:"karpenter"`
	AutoModeConfig      map[string]any   `yaml:"autoModeConfig"`
	UpgradePolicy       map[string]any   `yaml:"upgradePolicy"`
	ZonalShiftConfig    map[string]any   `yaml:"zonalShiftConfig"`
	IdentityProviders   []map[string]any `yaml:"identityProviders"`
	IAMIdentityMappings []map[string]any `yaml:"iamIdentityMappings"`
}

type vpc struct {
	ID            string `yaml:"id"`
	CIDR          string `yaml:"cidr"`
	SecurityGroup string `yaml:"securityGroup"`
	Subnets       struct {
		Private map[string]subnet `yaml:"private"`
		Public  map[string]subnet `yaml:"public"`
	} `yaml:"subnets"`
	SharedNodeSecurityGroup            string   `yaml:"sharedNodeSecurityGroup"`
	ManageSharedNodeSecurityGroupRules *bool    `yaml:"manageSharedNodeSecurityGroupRules"`
	ControlPlaneSubnetIDs              []string `yaml:"controlPlaneSubnetIDs"`
	ControlPlaneSecurityGroupIDs       []string `yaml:"controlPlaneSecurityGroupIDs"`
	PublicAccessCIDRs                  []string `yaml:"publicAccessCIDRs"`
	AutoAllocateIPv6                   bool     `yaml:"autoAllocateIPv6"`
	NAT                                struct {
		Gateway string `yaml:"gateway"`
	} `yaml:"nat"`
	ClusterEndpoints struct {
		PrivateAccess *bool `yaml:"privateAccess"`
		PublicAccess  *bool `yaml:"publicAccess"`
	} `yaml:"clusterEndpoints"`
}

type subnet struct {
	ID   string `yaml:"id"`
	AZ   string `yaml:"az"`
	CIDR string `yaml:"cidr"`
}

type iam struct {
	ServiceRoleARN              string        `yaml:"serviceRoleARN"`
	WithOIDC                    *bool         `yaml:"withOIDC"`
	VPCResourceControllerPolicy *bool         `yaml:"vpcResourceControllerPolicy"`
	PodIdentityAssociations     []podIdentity `yaml:"podIdentityAssociations"`
	ServiceAccounts             []struct {
		Metadata struct {
			Name      string            `yaml:"name"`
			Namespace string            `yaml:"namespace"`
			Labels    map[string]string `yaml:"labels"`
		} `yaml:"metadata"`
		AttachPolicyARNs  []string          `yaml:"attachPolicyARNs"`
		AttachPolicy      map[string]any    `yaml:"attachPolicy"`
		AttachRoleARN     string            `yaml:"attachRoleARN"`
		WellKnownPolicies map[string]bool   `yaml:"wellKnownPolicies"`
		RoleName          string            `yaml:"roleName"`
		RoleOnly          bool              `yaml:"roleOnly"`
		Tags              map[string]string `yaml:"tags"`
	} `yaml:"serviceAccounts"`
}

type podIdentity struct {
	Namespace            string            `yaml:"namespace"`
	ServiceAccountName   string            `yaml:"serviceAccountName"`
	CreateServiceAccount bool              `yaml:"createServiceAccount"`
	RoleARN              string            `yaml:"roleARN"`
	Tags                 map[string]string `yaml:"tags"`
}

type nodeGroup struct {
	Name                   string            `yaml:"name"`
	AMI                    string            `yaml:"ami"`
	AMIFamily              string            `yaml:"amiFamily"`
	InstanceType           string            `yaml:"instanceType"`
	InstanceTypes          []string          `yaml:"instanceTypes"`
	InstancesDistribution  map[string]any    `yaml:"instancesDistribution"`
	InstanceName           string            `yaml:"instanceName"`
	InstancePrefix         string            `yaml:"instancePrefix"`
	DesiredCapacity        *int32            `yaml:"desiredCapacity"`
	MinSize                *int32            `yaml:"minSize"`
	MaxSize                *int32            `yaml:"maxSize"`
	VolumeSize             int               `yaml:"volumeSize"`
	VolumeType             string            `yaml:"volumeType"`
	VolumeEncrypted        *bool             `yaml:"volumeEncrypted"`
	Labels                 map[string]string `yaml:"labels"`
	Taints                 any               `yaml:"taints"`
	Tags                   map[string]string `yaml:"tags"`
	AvailabilityZones      []string          `yaml:"availabilityZones"`
	Subnets                []string          `yaml:"subnets"`
	PrivateNetworking      bool              `yaml:"privateNetworking"`
	Spot                   bool              `yaml:"spot"`
	DisableIMDSv1          *bool             `yaml:"disableIMDSv1"`
	DisablePodIMDS         *bool             `yaml:"disablePodIMDS"`
	MaxPodsPerNode         int               `yaml:"maxPodsPerNode"`
	PreBootstrapCommands   []string          `yaml:"preBootstrapCommands"`
	OverrideBootstrap      string            `yaml:"overrideBootstrapCommand"`
	TargetGroupARNs        []string          `yaml:"targetGroupARNs"`
	ClassicLoadBalancers   []string          `yaml:"classicLoadBalancerNames"`
	SSH                    map[string]any    `yaml:"ssh"`
	SecurityGroups         securityGroups    `yaml:"securityGroups"`
	IAM                    map[string]any    `yaml:"iam"`
	LaunchTemplate         map[string]any    `yaml:"launchTemplate"`
	UpdateConfig           map[string]any    `yaml:"updateConfig"`
	PropagateASGTags       *bool             `yaml:"propagateASGTags"`
	EnableDetailedMonitors *bool             `yaml:"enableDetailedMonitoring"`
}

type securityGroups struct {
	AttachIDs  []string `yaml:"attachIDs"`
	WithShared *bool    `yaml:"withShared"`
	WithLocal  *bool    `yaml:"withLocal"`
}

type fargate struct {
	Name                string `yaml:"name"`
	PodExecutionRoleARN string `yaml:"podExecutionRoleARN"`
	Selectors           []struct {
		Namespace string            `yaml:"namespace"`
		Labels    map[string]string `yaml:"labels"`
	} `yaml:"selectors"`
	Subnets []string          `yaml:"subnets"`
	Tags    map[string]string `yaml:"tags"`
}

type accessConfig struct {
	AuthenticationMode string           `yaml:"authenticationMode"`
	BootstrapAdmin     *bool            `yaml:"bootstrapClusterCreatorAdminPermissions"`
	AccessEntries      []map[string]any `yaml:"accessEntries"`
}

type addon struct {
	Name                string            `yaml:"name"`
	Version             string            `yaml:"version"`
	ConfigurationValues string            `yaml:"configurationValues"`
	ResolveConflicts    string            `yaml:"resolveConflicts"`
	ServiceAccountRole  string            `yaml:"serviceAccountRoleARN"`
	AttachPolicyARNs    []string          `yaml:"attachPolicyARNs"`
	WellKnownPolicies   map[string]bool   `yaml:"wellKnownPolicies"`
	Tags                map[string]string `yaml:"tags"`
}

// parse a ClusterConfig strictly.
func parse(doc []byte) (*clusterConfig, error) {
	d := yaml.NewDecoder(bytes.NewReader(doc))
	d.KnownFields(true)
	var c clusterConfig
	if err := d.Decode(&c); err != nil {
		return nil, fmt.Errorf("reading the ClusterConfig: %w", err)
	}
	if err := d.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, errors.New("reading the ClusterConfig: there is more than one document")
	}
	switch {
	case c.APIVersion != "eksctl.io/v1alpha5" || c.Kind != "ClusterConfig":
		return nil, fmt.Errorf("no ClusterConfig of eksctl.io/v1alpha5: apiVersion %q, kind %q", c.APIVersion, c.Kind)
	case c.Metadata.Name == "" || c.Metadata.Region == "":
		return nil, errors.New("metadata.name and metadata.region must be set")
	}
	seen := map[string]bool{}
	for _, n := range append(append([]nodeGroup{}, c.NodeGroups...), c.ManagedNodeGroups...) {
		if n.Name == "" || seen[n.Name] {
			return nil, fmt.Errorf("node groups need names of their own: %q", n.Name)
		}
		seen[n.Name] = true
	}
	return &c, nil
}
