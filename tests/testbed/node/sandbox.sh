# The node's init, process 1 of `unshare --net --mount --pid`: it lives until one of its daemons ends,
# and with it, everything does. In the environment: STATE CONTROLPLANE PYTHON HERE ADDRESS NODE CRDS.
set -euo pipefail
cd "$STATE"
mount --make-rprivate /

# What the daemons write to fixed places must not reach the host.
mount -t tmpfs tmpfs /run
for place in /var/lib /var/log; do
    mkdir -p "upper$place" "scratch$place"
    mount -t overlay overlay -o "lowerdir=$place,upperdir=$STATE/upper$place,workdir=$STATE/scratch$place" "$place" ||
        mount -t tmpfs tmpfs "$place"
done
# The kubelet sets these for the whole host where they differ from what it wants; it shall find them so.
mkdir sysctl
while read -r name value; do
    echo "$value" > "sysctl/${name//\//.}"
    mount --bind "sysctl/${name//\//.}" "/proc/sys/$name"
done <<PINNED
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
PINNED

# A bridge, because not every kernel has the dummy device; it has no ports.
ip link set lo up
ip link add node0 type bridge
ip addr add "$ADDRESS/24" dev node0
ip link set node0 up
ip route add default dev node0
echo 1 > /proc/sys/net/ipv4/ip_forward

containerd --config containerd.toml > log/containerd.log 2>&1 &
"$CONTROLPLANE" up --dir k8s --address "$ADDRESS" --node "$NODE" ${CRDS:+--crds "$CRDS"} \
    --components kube-controller-manager,kube-scheduler > log/controlplane.log 2>&1 &
up=$!
until grep -q ^ready log/controlplane.log; do kill -0 "$up"; sleep 0.05; done
"$PYTHON" "$HERE/dns.py" "$ADDRESS" k8s/pki "$(sed -n 's/^ready.* server=\([^ ]*\).*/\1/p' log/controlplane.log)" \
    > log/dns.log 2>&1 &
# Pods of one node meet over routes (CNI ptp), so their answers pass the rules that kube-proxy sets.
"$CONTROLPLANE" kube-proxy --kubeconfig k8s/pki/admin.kubeconfig --proxy-mode nftables \
    --cluster-cidr 10.244.0.0/16 --hostname-override "$NODE" --bind-address "$ADDRESS" \
    --healthz-bind-address "$ADDRESS:10256" --oom-score-adj 0 --conntrack-max-per-core 0 \
    --conntrack-tcp-timeout-established 0s --conntrack-tcp-timeout-close-wait 0s > log/kube-proxy.log 2>&1 &
until [ -S run/containerd.sock ]; do sleep 0.05; done
"$CONTROLPLANE" kubelet --config kubelet.yaml --kubeconfig k8s/pki/kubelet.kubeconfig \
    --hostname-override "$NODE" --node-ip "$ADDRESS" --root-dir "$STATE/kubelet" \
    --cert-dir "$STATE/kubelet/pki" > log/kubelet.log 2>&1 &
wait -n
