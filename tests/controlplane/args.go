package main

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
)

// arguments are each component's command line, keyed by the component's name.
type arguments map[string][]string

func newArguments(o *upOptions, certs *pki, port int) (arguments, error) {
	args := arguments{
		"etcd":                    {"--dir=" + o.dir, fmt.Sprintf("--fsync=%t", o.fsync)},
		"kube-apiserver":          apiserverArguments(o, certs, port),
		"kube-controller-manager": controllerManagerArguments(certs),
		"kube-scheduler": {
			"--kubeconfig=" + certs.path("kube-scheduler.kubeconfig"),
			"--leader-elect=false",
			"--secure-port=0",
			"--kube-api-qps=1000",
			"--kube-api-burst=1000",
		},
		"kwok": { // plays the kubelet for Nodes that carry this annotation
			"--kubeconfig=" + certs.path("admin.kubeconfig"),
			"--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
			"--node-lease-duration-seconds=40",
			"--cidr=" + o.podCIDR,
			"--node-ip=10.0.0.254", // outside the Pods' and the Services' ranges in use; nothing listens there
			"--config=" + filepath.Join(o.dir, "stages.yaml"),
		},
	}
	return args, args.add(o.flags)
}

// add appends further flags, each written COMPONENT:--FLAG=VALUE.
func (a arguments) add(flags []string) error {
	for _, f := range flags {
		name, flag, _ := strings.Cut(f, ":")
		if a[name] == nil {
			return fmt.Errorf("--flag %s: no component %q", f, name)
		}
		a[name] = append(a[name], flag)
	}
	return nil
}

func apiserverArguments(o *upOptions, certs *pki, port int) []string {
	return []string{
		"--etcd-servers=unix://" + filepath.Join(o.dir, "etcd.sock"),
		"--bind-address=" + o.address.String(),
		"--advertise-address=" + o.address.String(),
		fmt.Sprintf("--secure-port=%d", port),
		"--endpoint-reconciler-type=" + endpointReconciler(o.address),
		"--service-cluster-ip-range=10.0.0.0/24",
		"--tls-cert-file=" + certs.path("kube-apiserver.crt"),
		"--tls-private-key-file=" + certs.path("kube-apiserver.key"),
		"--client-ca-file=" + certs.path("ca.crt"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + certs.path("sa.key"),
		"--service-account-signing-key-file=" + certs.path("sa.key"),
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--anonymous-auth=false",
		"--allow-privileged=true",
		"--profiling=false",
		// For kubectl logs and exec on a real kubelet.
		"--kubelet-client-certificate=" + certs.path("admin.crt"),
		"--kubelet-client-key=" + certs.path("admin.key"),
		"--kubelet-certificate-authority=" + certs.path("ca.crt"),
		"--kubelet-preferred-address-types=InternalIP",
	}
}

func controllerManagerArguments(certs *pki) []string {
	return []string{
		"--kubeconfig=" + certs.path("kube-controller-manager.kubeconfig"),
		"--use-service-account-credentials",
		"--service-account-private-key-file=" + certs.path("sa.key"),
		"--root-ca-file=" + certs.path("ca.crt"),
		"--cluster-signing-cert-file=" + certs.path("ca.crt"),
		"--cluster-signing-key-file=" + certs.path("ca.key"),
		"--leader-elect=false",
		"--secure-port=0",
		"--kube-api-qps=1000", // with the default, 20, its controllers take seconds to start
		"--kube-api-burst=1000",
	}
}

// endpointReconciler keeps the API server from publishing itself as a Service's endpoint at a
// loopback address, which no endpoint may have.
func endpointReconciler(ip net.IP) string {
	if ip.IsLoopback() {
		return "none"
	}
	return "lease"
}
