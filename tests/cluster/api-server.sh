#!/bin/bash
# etcd and the API server alone, for measuring: without nodes, scheduler and controllers nobody
# writes but who is measured. What a run before left behind is removed first. Needs root.
set -eu
. "$(dirname "$0")/env.sh"
"$here/down.sh"
mkdir -p "$dir" "$log"
"$here/pki.sh"
GRYT_CLUSTER_CONTROLLED=no "$here/control-plane.sh" start
