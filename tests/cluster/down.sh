#!/bin/bash
# Ends the cluster and removes every trace: processes, namespaces, bridge, routes, cgroups, files.
# Works on what a crash left as well, and says nothing when there is nothing.
set -u
. "$(dirname "$0")/env.sh"
for node in node1 node2 node3 node4; do "$here/node.sh" stop "$node"; done
cgroup_end "$name-control"
ip link delete "$bridge" 2>/dev/null
rm -rf --one-file-system "$dir"
exit 0
