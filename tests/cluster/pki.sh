#!/bin/bash
# One authority, a certificate and a kubeconfig for each program. Also the authority of the gateway,
# which browsers under test trust. Takes about a second.
#   pki.sh NODE...
set -eu
. "$(dirname "$0")/env.sh"
mkdir -p "$pki"
cd "$pki"

authority() { # NAME COMMON-NAME
  openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"
  openssl req -x509 -new -key "$1.key" -subj "/CN=$2" -days 30 -out "$1.crt" \
    -addext keyUsage=critical,keyCertSign,digitalSignature 2>/dev/null
}

certificate() { # NAME SUBJECT AUTHORITY [EXTENSION]
  openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"
  openssl req -new -key "$1.key" -subj "$2" -out "$1.csr" 2>/dev/null
  printf '%s\n' basicConstraints=CA:FALSE keyUsage=digitalSignature \
    extendedKeyUsage=clientAuth,serverAuth "${4:-}" >"$1.extensions"
  openssl x509 -req -in "$1.csr" -CA "$3.crt" -CAkey "$3.key" -days 30 -out "$1.crt" \
    -set_serial "0x$(openssl rand -hex 8)" -extfile "$1.extensions" 2>/dev/null
  rm "$1.csr" "$1.extensions"
}

kubeconfig() { # USER
  cat >"$dir/$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters: [{name: gryt, cluster: {server: "https://$api", certificate-authority-data: $(base64 -w0 ca.crt)}}]
users: [{name: $1, user: {client-certificate-data: $(base64 -w0 "$1.crt"), client-key-data: $(base64 -w0 "$1.key")}}]
contexts: [{name: gryt, context: {cluster: gryt, user: $1}}]
current-context: gryt
YAML
}

authority ca test-cluster
openssl genrsa -out service-accounts.key 2048 2>/dev/null
openssl rsa -in service-accounts.key -pubout -out service-accounts.pub 2>/dev/null

cluster=kubernetes.default.svc.cluster.local
certificate apiserver /CN=kube-apiserver ca "subjectAltName=DNS:kubernetes,DNS:kubernetes.default,\
DNS:kubernetes.default.svc,DNS:$cluster,IP:$network.1,IP:$services.0.1"
certificate apiserver-kubelet /O=system:masters/CN=kube-apiserver-kubelet-client ca
certificate front-proxy /CN=front-proxy-client ca
user() { # NAME SUBJECT [EXTENSION]
  certificate "$1" "$2" ca "${3:-}"
  kubeconfig "$1"
}
user admin /O=system:masters/CN=admin
user controller-manager /CN=system:kube-controller-manager
user scheduler /CN=system:kube-scheduler
user controllers /O=system:masters/CN=test-controllers
user netpol /O=system:masters/CN=netpol
user kube-proxy /CN=system:kube-proxy
for node in "$@"; do
  user "$node" "/O=system:nodes/CN=system:node:$node" \
    "subjectAltName=DNS:$node,IP:$(node_address "$node"),IP:127.0.0.1"
done

authority gateway-ca "Gryt test authority"
certificate gateway "/CN=*.gryt.test" gateway-ca "subjectAltName=DNS:*.gryt.test,DNS:gryt.test"
