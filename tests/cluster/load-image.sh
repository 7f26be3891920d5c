#!/bin/bash
# Puts image archives into both nodes: what a registry would be for.
#   load-image.sh FILE.tar...
set -eu
. "$(dirname "$0")/env.sh"
for archive in "$@"; do
  for socket in "$dir"/node*/run/containerd.sock; do
    ctr -a "$socket" -n k8s.io images import "$archive" >/dev/null &
  done
done
wait
