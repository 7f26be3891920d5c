#!/bin/bash
# One node: a network, mount and UTS namespace and a cgroup tree of its own, in it containerd,
# kubelet, kube-proxy and the enforcer of network policies.
#   node.sh start NAME     NAME is node1, node2, ...
#   node.sh stop NAME      kills it as a power cut would, and removes its namespaces and files
#   node.sh exec NAME COMMAND...   runs a command in the node's network
set -eu
. "$(dirname "$0")/env.sh"
action=$1 node=$2
shift 2
namespace=$name-$node
address=$(node_address "$node")
own=$dir/$node

connect() {
  ip netns add "$namespace"
  ip link add "$namespace" type veth peer name eth0 netns "$namespace"
  ip link set "$namespace" master "$bridge" up
  ip -n "$namespace" address add "$address/24" dev eth0
  ip -n "$namespace" link set lo up
  ip -n "$namespace" link set eth0 up
  ip -n "$namespace" route add default via "$network.1"
  for other in node1 node2 node3 node4; do
    [ "$other" = "$node" ] ||
      ip -n "$namespace" route add "$(node_pods "$other")" via "$(node_address "$other")"
  done
  ip route replace "$(node_pods "$node")" via "$address" # tests on the host reach pods
  nsenter --net="/run/netns/$namespace" \
    sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0
}

configure() {
  mkdir -p "$own/cni" "$own/kubelet" "$own/run/shims"
  # ptp routes every packet of a pod, so that the policies of the node see it.
  cat >"$own/cni/10-ptp.conflist" <<JSON
{"cniVersion": "0.4.0", "name": "gryt", "plugins": [
  {"type": "ptp", "ipMasq": false, "ipam": {"type": "host-local", "dataDir": "$own/ipam",
   "ranges": [[{"subnet": "$(node_pods "$node")"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
JSON
  cat >"$own/containerd.toml" <<TOML
version = 2
root = "$own/containerd"
state = "$own/run/containerd"
[grpc]
  address = "$own/run/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:test"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$own/cni"
TOML
  echo "nameserver 127.0.0.1" >"$own/resolv.conf" # no name outside the cluster is anybody's business
  cat >"$own/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $address
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $pki/$node.crt
tlsPrivateKeyFile: $pki/$node.key
cgroupDriver: cgroupfs
cgroupRoot: /$namespace
failCgroupV1: false
failSwapOn: false
containerRuntimeEndpoint: unix://$own/run/containerd.sock
clusterDNS: [$services.0.10]
clusterDomain: cluster.local
resolvConf: $own/resolv.conf
enforceNodeAllocatable: [pods]
systemReserved: {cpu: 100m}
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
nodeStatusUpdateFrequency: 4s
nodeStatusReportFrequency: 1m
kubeAPIQPS: 100
kubeAPIBurst: 200
eventRecordQPS: 0
YAML
  cat >"$own/kube-proxy.yaml" <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
hostnameOverride: $node
clusterCIDR: $pods.0.0/16
clientConnection: {kubeconfig: $dir/kube-proxy.kubeconfig}
conntrack: {maxPerCore: 0}
nftables: {minSyncPeriod: 100ms}
YAML
}

# Runs inside the node's namespaces and becomes the parent of its programs.
programs() {
  cgroup_enter "$namespace"
  hostname "$node"
  mount --make-rshared /
  # The kubelet sets these flags for the whole machine; it finds files that hold what it wants.
  local flag count=0
  for flag in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
    kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
    count=$((count + 1))
    echo "${flag#*=}" >"$own/run/flag$count"
    mount --bind "$own/run/flag$count" "/proc/sys/${flag%%=*}"
  done
  mkdir -p /run/containerd /run/netns /var/log/pods /var/log/containers
  mount --bind "$own/run/shims" /run/containerd
  mount -t tmpfs tmpfs /run/netns # the namespaces of pods end with the node
  mount -t tmpfs tmpfs /var/log/pods
  mount -t tmpfs tmpfs /var/log/containers

  containerd --config "$own/containerd.toml" >"$log/$node-containerd.log" 2>&1 &
  for _ in $(seq 1 200); do
    ctr -a "$own/run/containerd.sock" version >/dev/null 2>&1 && break
    sleep 0.05
  done
  local image
  for image in "$GRYT_CLUSTER_IMAGES"/*.tar; do
    [ -e "$image" ] || continue
    ctr -a "$own/run/containerd.sock" -n k8s.io images import "$image" >>"$log/$node-images.log" 2>&1
  done
  "$hyperkube" kube-proxy --config "$own/kube-proxy.yaml" >"$log/$node-kube-proxy.log" 2>&1 &
  "$hyperkube" netpol --node "$node" --kubeconfig "$dir/netpol.kubeconfig" >"$log/$node-netpol.log" 2>&1 &
  "$hyperkube" kubelet --config "$own/kubelet.yaml" --kubeconfig "$dir/$node.kubeconfig" \
    --hostname-override "$node" --node-ip "$address" --root-dir "$own/kubelet" \
    --cert-dir "$own/kubelet/pki" >"$log/$node-kubelet.log" 2>&1 &
  wait
}

case $action in
start)
  connect
  configure
  cgroup_make "$namespace"
  # Not `ip netns exec`: it mounts /sys anew, without the cgroups.
  setsid nsenter --net="/run/netns/$namespace" unshare --mount --uts --propagation private \
    "$0" programs "$node" >"$log/$node.log" 2>&1 </dev/null &
  ;;
programs) programs ;;
stop)
  cgroup_end "$namespace"
  ip netns delete "$namespace" 2>/dev/null || true
  ip link delete "$namespace" 2>/dev/null || true
  rm -rf --one-file-system "$own"
  ;;
exec) exec nsenter --net="/run/netns/$namespace" "$@" ;;
*)
  echo "node.sh start|stop|exec NAME" >&2
  exit 2
  ;;
esac
