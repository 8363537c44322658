package main

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// waitReady waits for /readyz, which needs a credential because anonymous access is off.
func waitReady(ctx context.Context, kubeconfig string) error {
	client, err := newClient(kubeconfig)
	if err != nil {
		return err
	}
	return poll(ctx, time.Minute, func(ctx context.Context) error {
		return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
}

// waitUsable waits until Pods can be created: the admission plugin ServiceAccount refuses them
// until the controller manager has made the "default" account.
func waitUsable(ctx context.Context, kubeconfig string, components []string) error {
	if !slices.Contains(components, "kube-controller-manager") {
		return nil
	}
	client, err := newClient(kubeconfig)
	if err != nil {
		return err
	}
	return poll(ctx, time.Minute, func(ctx context.Context) error {
		_, err := client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

func createCRDs(ctx context.Context, kubeconfig, path string) error {
	if path == "" {
		return nil
	}
	for _, args := range [][]string{
		{"apply", "--server-side", "-f", path},
		{"wait", "--for=condition=Established", "--timeout=30s", "-f", path},
	} {
		args = append([]string{"kubectl", "--kubeconfig", kubeconfig}, args...)
		if out, err := exec.CommandContext(ctx, "/proc/self/exe", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("kubectl %s: %w: %s", args[3], err, out)
		}
	}
	return nil
}

func newClient(kubeconfig string) (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1 // no client-side throttling
	return kubernetes.NewForConfig(config)
}

func poll(ctx context.Context, timeout time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var last error
	for ctx.Err() == nil {
		if last = f(ctx); last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(25 * time.Millisecond):
		}
	}
	return fmt.Errorf("%w (last error: %v)", context.Cause(ctx), last)
}
