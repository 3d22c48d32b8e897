#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Builds each overlay with kustomize, alone and with the monitoring component, and checks it
# (validate.py); then breaks it on purpose, and starts sluice with each overlay's sluice.ini as a
# pod would. Fetches kustomize and the schemas (Go modules) and kubernetes-validate (PyPI) below
# build/kubernetes; needs go and python3. Not part of `make test`.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
here=$top/docker/kubernetes
work=$top/build/kubernetes
sluice=${SLUICE:-$top/build/sluice}
passed=0
failed=0

check() { # NAME COMMAND...
    local name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        echo "ok   $name"
    else
        failed=$((failed + 1))
        echo "FAIL $name"
    fi
}

not() {
    ! "$@"
}

pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true' EXIT

module() { # MODULE@VERSION: prints its folder
    go mod download -json "$1" | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p'
}

mkdir -p "$work"
cd "$work"
[ -x bin/kustomize ] || GOBIN=$work/bin go install sigs.k8s.io/kustomize/kustomize/v5@v5.8.1
[ -x python/bin/kubernetes-validate ] || { python3 -m venv python &&
    python/bin/pip install --quiet kubernetes-validate==1.37.0; }
gateway=$(module sigs.k8s.io/gateway-api@v1.6.0)/config/crd/standard/gateway.networking.k8s.io_
operator=$(module github.com/prometheus-operator/prometheus-operator@v0.85.0)
operator=$operator/example/prometheus-operator-crd/monitoring.coreos.com_

validate() { # FILE
    python/bin/python "$here/validate.py" "$gateway"{gateways,tlsroutes,httproutes}.yaml \
        "$operator"{servicemonitors,prometheusrules}.yaml <"$1"
}

# Edits FILE; the test is wrong if nothing changed. Then it must be refused.
refuses() { # FILE SED_PROGRAM
    sed "$2" "$1" >broken.yaml
    ! cmp -s "$1" broken.yaml && not validate broken.yaml >broken.out && [ -s broken.out ]
}

# The ini of a built overlay, with this machine's paths and free ports.
ini_of() { # FILE
    python/bin/python -c '
import sys, yaml
for r in yaml.safe_load_all(sys.stdin):
    if r["kind"] == "ConfigMap":
        print(r["data"]["sluice.ini"])' <"$1" |
        sed -e "s|/run/sluice/tls/|$work/pod/tls/|" -e "s|0.0.0.0:8443|127.0.0.1:$port|" \
            -e "s|0.0.0.0:9090|127.0.0.1:$health_port|" -e 's|tcp://redis:|tcp://127.0.0.1:|' \
            -e 's|^drain_timeout = .*|drain_timeout = 1s|' -e 's|^pre_drain = .*|pre_drain = 0|'
}

free_port() {
    python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# Waits until a command succeeds while sluice runs; else shows the log.
until_so() { # COMMAND...
    local tries=0
    until "$@" 2>/dev/null; do
        tries=$((tries + 1))
        if [ "$tries" -gt 400 ] || ! kill -0 "$pid" 2>/dev/null; then
            cat "$work/pod/log"
            return 1
        fi
        sleep 0.05
    done
}

answers() { # PATH: prints what the port for health says
    curl -fsS "http://127.0.0.1:$health_port$1"
}

# Starts it as a pod's user does, and waits until it is ready.
start() { # INI
    "${as_pod[@]}" "$sluice" -c "$1" >"$work/pod/log" 2>&1 &
    pid=$!
    until_so answers /readyz >"$work/pod/ready" || { stop; return 1; }
}

stop() {
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid"
}

serves() { # INI
    start "$1" && stop
}

# Puts a pair into pod/mounted, as the kubelet does: a new folder, and one symbolic link to it.
mount_secret() { # NAME CERTIFICATE KEY
    mkdir -p "$work/pod/mounted/..$1"
    cp "$2" "$work/pod/mounted/..$1/tls.crt"
    cp -p "$3" "$work/pod/mounted/..$1/tls.key"
    ln -sfn "..$1" "$work/pod/mounted/..new"
    mv -T "$work/pod/mounted/..new" "$work/pod/mounted/..data"
    ln -sfn ..data/tls.crt "$work/pod/mounted/tls.crt"
    ln -sfn ..data/tls.key "$work/pod/mounted/tls.key"
}

logged() { # EVENT
    grep -q "event=$1" "$work/pod/log"
}

# What the alert SluiceReloadFailed looks at.
last_reload_is() { # 0 or 1
    answers /metrics >"$work/pod/metrics" &&
        grep -qx "sluice_config_last_reload_successful $1" "$work/pod/metrics"
}

# A bad certificate in the secret of a running pod: the log says so, the old one stays in force.
keeps_the_old() {
    logged config.error && answers /readyz >"$work/pod/ready" && last_reload_is 0
}

# How a container starts it: as user 990, without any right.
as_pod=()
[ "$(id -u)" != 0 ] ||
    as_pod=(setpriv --reuid 990 --regid 990 --clear-groups --no-new-privs --bounding-set=-all)

# Ends with 1, says why with the line of the file, and nobody answers for readiness.
says_why() { # INI PATTERN
    local status=0
    "${as_pod[@]}" timeout 20 "$sluice" -c "$1" >"$work/pod/log" 2>&1 || status=$?
    if [ "$status" != 1 ] || ! grep -q "sluice.ini:[0-9]*: .*$2" "$work/pod/log"; then
        cat "$work/pod/log"
        return 1
    fi
}

rm -rf pod
mkdir -p pod/tls
port=$(free_port)
health_port=$(free_port)
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -keyout pod/tls/tls.key -out pod/tls/tls.crt 2>pod/openssl
# As the kubelet mounts a secret with defaultMode 0440 and fsGroup 990.
chmod 440 pod/tls/tls.key
[ "$(id -u)" != 0 ] || chown 0:990 pod/tls/tls.key

for overlay in "$here"/base "$here"/overlays/*; do
    name=$(basename "$overlay")
    bin/kustomize build "$overlay" >"$name.yaml"
    check "$name: the manifests hold" validate "$name.yaml"
    # A component is asked for by a kustomization beside the checkout's, as users write theirs.
    mkdir -p with
    printf '%s\n' 'apiVersion: kustomize.config.k8s.io/v1beta1' 'kind: Kustomization' \
        "resources: [$(realpath --relative-to with "$overlay")]" \
        "components: [$(realpath --relative-to with "$here/components/monitoring")]" \
        'images: [{name: registry.example.com/sluice, newName: registry.test/sluice}]' \
        >with/kustomization.yaml
    bin/kustomize build with >"$name-monitored.yaml"
    check "$name: with monitoring they hold too" validate "$name-monitored.yaml"
    check "$name: an overlay of one's own names the image" \
        grep -q 'image: registry.test/sluice:' "$name-monitored.yaml"
    ini_of "$name.yaml" >pod/sluice.ini
    check "$name: sluice serves with its sluice.ini" serves "$work/pod/sluice.ini"
done

# The alerts as README.md makes a resource of them.
sed -n '/^    { printf .*PrometheusRule/,/kubectl/p' "$here/../README.md" |
    sed -e 's/ | kubectl apply -f -$//' -e "s|config/prometheus|$top/&|" >rule.sh
{ cat base-monitored.yaml; echo ---; sh -e rule.sh; } >rule.yaml
check 'there are alerts' grep -q 'alert: SluiceReloadFailed' rule.yaml
check 'the alerts hold' validate rule.yaml
check 'an alert of the wrong form is refused' refuses rule.yaml 's/for: 2m/for: often/'

check 'an unknown field is refused' refuses loadbalancer.yaml 's/minReadySeconds/minReadySecond/'
check 'a value of the wrong type is refused' refuses loadbalancer.yaml 's/maxSurge: 1/maxSurge: {}/'
check 'a route of the wrong form is refused' \
    refuses gateway-passthrough.yaml 's/sectionName: wss/section: wss/'
check 'a monitor of the wrong form is refused' \
    refuses loadbalancer-monitored.yaml 's/interval: 15s/interval: often/'
check 'a short grace period is refused' \
    refuses loadbalancer.yaml 's/\(GracePeriodSeconds:\) 200/\1 190/'
check 'a secret that may be missing is refused' \
    refuses loadbalancer.yaml 's/^\( *\)secretName: sluice-tls/&\n\1optional: true/'
check 'too little memory is refused' refuses loadbalancer.yaml 's/memory: 1Gi/memory: 800Mi/'
check 'a balancer that may not ask for health is refused' \
    refuses loadbalancer.yaml 's|cidr: 10.0.0.0/8|cidr: 10.1.0.0/16|'
check 'a balancer that notices too late is refused' \
    refuses loadbalancer.yaml 's|healthcheck-interval: "5"|healthcheck-interval: "60"|'
check 'a selector of other pods is refused' \
    refuses base.yaml '/^  template:/,/^    spec:/s/name: sluice/name: other/'

ini_of loadbalancer.yaml >pod/sluice.ini
sed 's|^drain_timeout = .*|drain_timeout = soon|' pod/sluice.ini >pod/wrong.sluice.ini
check 'a wrong value: the log has its line' says_why "$work/pod/wrong.sluice.ini" drain_timeout
sed "s|tls/tls.crt|tls/none.crt|" pod/sluice.ini >pod/missing.sluice.ini
check 'a missing certificate: the log has its line' says_why "$work/pod/missing.sluice.ini" none.crt

# One that was good when the pod started: watch finds the new content through the symbolic links.
mount_secret first pod/tls/tls.crt pod/tls/tls.key
sed -e "s|/pod/tls/|/pod/mounted/|" -e 's|^workers = .*|&\nwatch = 1s|' \
    pod/sluice.ini >pod/watched.ini
check 'with a mounted secret it is ready' start "$work/pod/watched.ini"
echo 'no certificate' >pod/garbage
mount_secret second pod/garbage pod/tls/tls.key
check 'a certificate that goes bad: the log says so' until_so logged reload.failed
check 'and the pod is ready with the old one' keeps_the_old
mount_secret third pod/tls/tls.crt pod/tls/tls.key
check 'the good one again ends that' until_so last_reload_is 1
check 'it stops with status 0' stop
pid=

if [ "$(id -u)" = 0 ]; then
    chmod 400 pod/tls/tls.key
    check 'a key nobody may read: the log has its line' says_why "$work/pod/sluice.ini" tls.key
fi
check 'after each of these nobody says that it is ready' \
    not curl -fs -o pod/none "http://127.0.0.1:$health_port/readyz"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
