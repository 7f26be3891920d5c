#!/bin/bash
# Prints a kubeconfig with exactly the rights of a ServiceAccount, good for a day.
#   service-account.sh NAMESPACE NAME
set -eu
. "$(dirname "$0")/env.sh"
token=$(kubectl --namespace "$1" create token "$2" --duration=24h)
cat <<YAML
apiVersion: v1
kind: Config
clusters: [{name: gryt, cluster: {server: "https://$api", certificate-authority: "$pki/ca.crt"}}]
users: [{name: "$2", user: {token: "$token"}}]
contexts: [{name: gryt, context: {cluster: gryt, user: "$2"}}]
current-context: gryt
YAML
