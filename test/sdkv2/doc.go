// Package sdkv2 shows that state written by the providers that ours replace is read by
// ours. Its fixtures are written by Terraform itself, with skeletons of the old ones.
package sdkv2

//go:generate go test -count=1 -run=^TestFixturesAreWhatTheOldProvidersWrite$ . -update
