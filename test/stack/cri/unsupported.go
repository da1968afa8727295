package cri

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	api "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// unsupported are the CRI's calls that a runtime of processes has no answer to.
type unsupported struct{}

func no(what string) error {
	return status.Error(codes.Unimplemented, "the lab's nodes know no "+what)
}

// CheckpointContainer implements the CRI.
func (unsupported) CheckpointContainer(context.Context, *api.CheckpointContainerRequest) error {
	return no("checkpoints")
}

// CheckpointPod implements the CRI.
func (unsupported) CheckpointPod(context.Context, *api.CheckpointPodRequest) error {
	return no("checkpoints")
}

// RestorePod implements the CRI.
func (unsupported) RestorePod(context.Context, *api.RestorePodRequest) (*api.RestorePodResponse, error) {
	return nil, no("checkpoints")
}

// GetContainerEvents implements the CRI; the kubelet asks again and again instead.
func (unsupported) GetContainerEvents(context.Context, chan *api.ContainerEventResponse, func(api.RuntimeService_GetContainerEventsClient)) error {
	return no("events")
}

// UpdateContainerResources implements the CRI: there are no limits.
func (unsupported) UpdateContainerResources(context.Context, string, *api.ContainerResources) error {
	return nil
}

// UpdatePodSandboxResources implements the CRI: there are no limits.
func (unsupported) UpdatePodSandboxResources(context.Context, *api.UpdatePodSandboxResourcesRequest) (*api.UpdatePodSandboxResourcesResponse, error) {
	return &api.UpdatePodSandboxResourcesResponse{}, nil
}

// ContainerStats implements the CRI.
func (unsupported) ContainerStats(context.Context, string) (*api.ContainerStats, error) {
	return nil, no("statistics")
}

// ListContainerStats implements the CRI.
func (unsupported) ListContainerStats(context.Context, *api.ContainerStatsFilter) ([]*api.ContainerStats, error) {
	return nil, nil
}

// PodSandboxStats implements the CRI.
func (unsupported) PodSandboxStats(context.Context, string) (*api.PodSandboxStats, error) {
	return nil, no("statistics")
}

// ListPodSandboxStats implements the CRI.
func (unsupported) ListPodSandboxStats(context.Context, *api.PodSandboxStatsFilter) ([]*api.PodSandboxStats, error) {
	return nil, nil
}

// ListMetricDescriptors implements the CRI.
func (unsupported) ListMetricDescriptors(context.Context) ([]*api.MetricDescriptor, error) {
	return nil, nil
}

// ListPodSandboxMetrics implements the CRI.
func (unsupported) ListPodSandboxMetrics(context.Context) ([]*api.PodSandboxMetrics, error) {
	return nil, nil
}
