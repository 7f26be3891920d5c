#!/bin/bash
# The way in from outside: the kinds of the Gateway API, Traefik on node1 for Gateway and Ingress,
# and a certificate for *.gryt.test. Its image is loaded before.
#   gateway.sh FOLDER-OF-KINDS
set -eu
. "$(dirname "$0")/env.sh"
kubectl apply --server-side --filename "$1" >"$log/gateway.log"
kubectl create namespace gateway --dry-run=client -o yaml | kubectl apply -f - >>"$log/gateway.log"
kubectl -n gateway create secret tls gateway --cert "$pki/gateway.crt" --key "$pki/gateway.key" \
  --dry-run=client -o yaml | kubectl apply -f - >>"$log/gateway.log"
sed "s/ADDRESS/$(node_address node1)/" "$here/manifests/gateway.yaml" |
  kubectl apply -f - >>"$log/gateway.log"
kubectl -n gateway rollout status deployment/traefik --timeout=120s
kubectl -n gateway wait gateway/gateway --for=condition=Programmed --timeout=60s
