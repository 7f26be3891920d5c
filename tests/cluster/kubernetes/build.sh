#!/bin/bash
# Builds one program of the test cluster into a folder: Kubernetes with etcd, Helm or CoreDNS, which
# take about 23, 4 and 5 minutes of processor time from nothing.
#   build.sh hyperkube|helm|coredns FOLDER
set -eu
program=$1
folder=$(cd "$2" && pwd)
cd "$(dirname "$0")"
helm=helm.sh/helm/v4/cmd/helm@v4.3.1
coredns=github.com/coredns/coredns@v1.15.0
export CGO_ENABLED=0 GOFLAGS=-trimpath

case $program in
hyperkube)
  # Without these the programs call themselves v0.0.0-master, and nodes and charts believe it.
  version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
  flags="-s -w"
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    flags="$flags -X $package.gitVersion=$version -X $package.gitMajor=1"
    flags="$flags -X $package.gitMinor=$(echo "$version" | cut -d. -f2)"
    flags="$flags -X $package.gitTreeState=clean -X $package.buildDate=1970-01-01T00:00:00Z"
    flags="$flags -X $package.gitCommit=0000000000000000000000000000000000000000"
  done
  go build -ldflags "$flags" -o "$folder/hyperkube" .
  ;;
helm) GOBIN=$folder go install -ldflags "-s -w" "$helm" ;;
coredns) GOBIN=$folder go install -ldflags "-s -w" "$coredns" ;;
*)
  echo "build.sh hyperkube|helm|coredns FOLDER" >&2
  exit 2
  ;;
esac
