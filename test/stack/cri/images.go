package cri

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	api "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Images implements the CRI's ImageManagerService. All images that the lab knows are there.
type Images struct{ *Runtime }

// imageID of a reference.
func imageID(ref string) string {
	sum := sha256.Sum256([]byte(ref))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// ListImages implements the CRI: there is nothing to collect.
func (i Images) ListImages(context.Context, *api.ImageFilter) ([]*api.Image, error) { return nil, nil }

// ImageStatus implements the CRI.
func (i Images) ImageStatus(_ context.Context, ref *api.ImageSpec, _ bool) (*api.ImageStatusResponse, error) {
	img, err := i.cfg.Images.Find(ref.GetImage())
	if err != nil {
		return &api.ImageStatusResponse{}, nil //nolint:nilerr // it is not there; PullImage says why
	}
	return &api.ImageStatusResponse{Image: &api.Image{Id: imageID(ref.GetImage()), RepoTags: []string{ref.GetImage()}, Spec: ref, Size: 1, Uid: &api.Int64Value{Value: img.User}}}, nil
}

// PullImage implements the CRI.
func (i Images) PullImage(_ context.Context, ref *api.ImageSpec, _ *api.AuthConfig, _ *api.PodSandboxConfig) (string, error) {
	if _, err := i.cfg.Images.Find(ref.GetImage()); err != nil {
		return "", status.Error(codes.NotFound, err.Error())
	}
	return imageID(ref.GetImage()), nil
}

// RemoveImage implements the CRI.
func (i Images) RemoveImage(context.Context, *api.ImageSpec) error { return nil }

// ImageFsInfo implements the CRI.
func (i Images) ImageFsInfo(context.Context) (*api.ImageFsInfoResponse, error) {
	usage := []*api.FilesystemUsage{{
		Timestamp: time.Now().UnixNano(), FsId: &api.FilesystemIdentifier{Mountpoint: i.cfg.Dir},
		UsedBytes: &api.UInt64Value{}, InodesUsed: &api.UInt64Value{},
	}}
	return &api.ImageFsInfoResponse{ImageFilesystems: usage, ContainerFilesystems: usage}, nil
}
