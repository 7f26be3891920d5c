#!/bin/bash
# Builds the programs of the test cluster into a folder: Kubernetes with etcd as `hyperkube`, Helm
# and CoreDNS. About 33 minutes of processor time from nothing.
#   build.sh FOLDER
set -eu
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")"
helm=helm.sh/helm/v4/cmd/helm@v4.3.1
coredns=github.com/coredns/coredns@v1.15.0
export CGO_ENABLED=0 GOFLAGS=-trimpath

# Without these the programs call themselves v0.0.0-master, and nodes and charts believe it.
version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
flags="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  flags="$flags -X $package.gitVersion=$version -X $package.gitMajor=1"
  flags="$flags -X $package.gitMinor=$(echo "$version" | cut -d. -f2)"
  flags="$flags -X $package.gitTreeState=clean -X $package.buildDate=1970-01-01T00:00:00Z"
  flags="$flags -X $package.gitCommit=0000000000000000000000000000000000000000"
done
[ -x "$folder/hyperkube" ] || go build -ldflags "$flags" -o "$folder/hyperkube" .
[ -x "$folder/helm" ] || GOBIN=$folder go install -ldflags "-s -w" "$helm"
[ -x "$folder/coredns" ] || GOBIN=$folder go install -ldflags "-s -w" "$coredns"
