#!/bin/bash
# The whole cluster: control plane, two nodes, DNS. What a run before left behind is removed first.
# Prints the milliseconds of each part. Needs root.
set -eu
. "$(dirname "$0")/env.sh"
"$here/down.sh"
mkdir -p "$dir" "$log"
since=$(date +%s%3N)
took() { # PART
  local now
  now=$(date +%s%3N)
  echo "  $1: $((now - since)) ms"
  since=$now
}

"$here/pki.sh" node1 node2
took certificates
"$here/control-plane.sh" start
took "control plane"
for node in node1 node2; do "$here/node.sh" start "$node"; done
for manifest in coredns storage-class; do
  sed "s/SERVICES/$services/" "$here/manifests/$manifest.yaml"
  echo ---
done | kubectl apply -f - >"$log/manifests.log"
ready() { [ "$(kubectl get nodes --no-headers 2>/dev/null | grep -cw Ready)" = 2 ]; }
for _ in $(seq 1 300); do
  ready && break
  sleep 0.2
done
if ! ready; then
  echo "the nodes did not get ready; the end of a kubelet's log:" >&2
  tail -20 "$log/node1-kubelet.log" >&2
  exit 1
fi
took "nodes ready"
kubectl -n kube-system rollout status deployment/coredns --timeout=120s >/dev/null
took DNS
if [ -n "$GRYT_CLUSTER_CONTROLLERS" ]; then
  KUBECONFIG=$dir/controllers.kubeconfig start controllers "$GRYT_CLUSTER_CONTROLLERS" \
    --folder "$dir/volumes" --first-address "$network.100" --last-address "$network.199"
fi
