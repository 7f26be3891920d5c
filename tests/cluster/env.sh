# Where the test cluster's things are and what they are called. Sourced by every script here.
# Clusters live side by side as long as their index differs: 0 is a developer's, 1 the tests', 2 the bench's.

: "${GRYT_CLUSTER_INDEX:=0}"
: "${GRYT_CLUSTER_BIN:?names the folder with hyperkube, helm and coredns}"
: "${GRYT_CLUSTER_DIR:=/var/lib/gryt-cluster-$GRYT_CLUSTER_INDEX}" # short: sockets live in it
: "${GRYT_CLUSTER_CONTROLLERS:=}"                                # the program of that name
: "${GRYT_CLUSTER_IMAGES:=$GRYT_CLUSTER_DIR/images}"               # loaded before a node starts
: "${GRYT_CLUSTER_CONTROLLED:=yes}"                               # no: etcd and the API server alone

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
name=gryt$GRYT_CLUSTER_INDEX # begins the name of every bridge, namespace and cgroup
dir=$GRYT_CLUSTER_DIR
pki=$dir/pki
log=$dir/log

bridge=$name-br
network=10.199.$GRYT_CLUSTER_INDEX     # /24: .1 is the host, .11 and .12 the nodes
pods=10.$((240 + GRYT_CLUSTER_INDEX))  # /16, of which each node has a /24
services=10.$((96 + GRYT_CLUSTER_INDEX)) # /16
node_ports=30000-32767 # as Kubernetes has it
[ "$GRYT_CLUSTER_CONTROLLED" = yes ] || node_ports=10000-65535 # two for each of many servers
api=$network.1:6443
etcd_port=$((23790 + 2 * GRYT_CLUSTER_INDEX)) # and the next one, for peers

hyperkube=$GRYT_CLUSTER_BIN/hyperkube
export KUBECONFIG=$dir/admin.kubeconfig

node_address() { echo "$network.1${1#node}"; }
node_pods() { echo "$pods.${1#node}.0/24"; }
kubectl() { "$hyperkube" kubectl "$@"; }

# Starts a program of the control plane in the cluster's own cgroup, detached from the terminal.
start() { # NAME COMMAND...
  local program=$1
  shift
  (
    cgroup_enter "$name-control"
    echo "$BASHPID" >"$dir/$program.pid"
    exec setsid "$@" >>"$log/$program.log" 2>&1 </dev/null
  ) &
}

# Kills such a program and waits for its end.
stop() { # NAME
  local pid
  pid=$(cat "$dir/$1.pid")
  rm "$dir/$1.pid"
  kill -KILL "$pid" 2>/dev/null || return 0
  while grep -qs '^State:.[^Z]' "/proc/$pid/status"; do sleep 0.05; done
}

. "$here/cgroups.sh"
