#!/bin/bash
# etcd, kube-apiserver, kube-controller-manager and kube-scheduler, in the host's own network; and
# the bridge that joins the host with the nodes.
#   control-plane.sh start   returns when the API server serves; what it knew before, it knows again
#   control-plane.sh stop    kills the four as a power cut would; bridge and nodes stay
set -eu
. "$(dirname "$0")/env.sh"

case $1 in
stop)
  for program in kube-scheduler kube-controller-manager kube-apiserver etcd; do stop $program; done
  exit 0
  ;;
start) ;;
*)
  echo "control-plane.sh start|stop" >&2
  exit 2
  ;;
esac

if ! ip link show "$bridge" >/dev/null 2>&1; then
  ip link add "$bridge" type bridge
  ip address add "$network.1/24" dev "$bridge"
  ip link set "$bridge" up
  # Pods of one node reach a load balancer's address through the host.
  sysctl -qw "net.ipv4.conf.$bridge.forwarding=1"
fi
cgroup_make "$name-control"
etcd=http://127.0.0.1:$etcd_port
etcd_peer=http://127.0.0.1:$((etcd_port + 1))
start etcd "$hyperkube" etcd --name gryt --data-dir "$dir/etcd" --unsafe-no-fsync --log-level warn \
  --listen-client-urls "$etcd" --advertise-client-urls "$etcd" \
  --listen-peer-urls "$etcd_peer" --initial-advertise-peer-urls "$etcd_peer" \
  --initial-cluster "gryt=$etcd_peer"
start kube-apiserver "$hyperkube" kube-apiserver \
  --etcd-servers "$etcd" --bind-address "$network.1" --advertise-address "$network.1" \
  --secure-port 6443 --service-cluster-ip-range "$services.0.0/16" \
  --service-node-port-range "$node_ports" \
  --client-ca-file "$pki/ca.crt" \
  --tls-cert-file "$pki/apiserver.crt" --tls-private-key-file "$pki/apiserver.key" \
  --kubelet-certificate-authority "$pki/ca.crt" \
  --kubelet-client-certificate "$pki/apiserver-kubelet.crt" \
  --kubelet-client-key "$pki/apiserver-kubelet.key" --kubelet-preferred-address-types InternalIP \
  --service-account-issuer https://kubernetes.default.svc.cluster.local \
  --service-account-key-file "$pki/service-accounts.pub" \
  --service-account-signing-key-file "$pki/service-accounts.key" \
  --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction \
  --requestheader-client-ca-file "$pki/ca.crt" \
  --requestheader-allowed-names front-proxy-client \
  --requestheader-extra-headers-prefix X-Remote-Extra- \
  --requestheader-group-headers X-Remote-Group \
  --requestheader-username-headers X-Remote-User \
  --proxy-client-cert-file "$pki/front-proxy.crt" --proxy-client-key-file "$pki/front-proxy.key" \
  --enable-aggregator-routing=true --profiling=false --allow-privileged=true \
  --audit-policy-file "$here/manifests/audit-policy.yaml" --audit-log-path "$log/audit.log"

fail() { # WHAT PROGRAM
  echo "$1; the end of its log:" >&2
  tail -20 "$log/$2.log" >&2
  exit 1
}
serving() {
  curl -s --cacert "$pki/ca.crt" "https://$api/readyz" 2>/dev/null | grep -q '^ok'
}
for _ in $(seq 1 1200); do
  serving && break
  sleep 0.1
done
serving || fail "the API server did not come up" kube-apiserver
[ "$GRYT_CLUSTER_CONTROLLED" = yes ] || exit 0

# These two give up when the API server is not there within seconds. The client limits of a real
# cluster would be most of the time of a test at scale.
start kube-controller-manager "$hyperkube" kube-controller-manager \
  --kubeconfig "$dir/controller-manager.kubeconfig" --leader-elect=false \
  --use-service-account-credentials=true --root-ca-file "$pki/ca.crt" \
  --service-account-private-key-file "$pki/service-accounts.key" \
  --cluster-signing-cert-file "$pki/ca.crt" --cluster-signing-key-file "$pki/ca.key" \
  --bind-address 127.0.0.1 --secure-port $((10257 + 100 * GRYT_CLUSTER_INDEX)) \
  --kube-api-qps=300 --kube-api-burst=600 \
  --node-monitor-grace-period=20s --node-monitor-period=2s
start kube-scheduler "$hyperkube" kube-scheduler --kubeconfig "$dir/scheduler.kubeconfig" \
  --leader-elect=false --bind-address 127.0.0.1 \
  --secure-port $((10259 + 100 * GRYT_CLUSTER_INDEX))

for _ in $(seq 1 600); do
  kubectl get serviceaccount default >/dev/null 2>&1 && exit 0
  sleep 0.2
done
fail "the controller manager made no service account" kube-controller-manager
