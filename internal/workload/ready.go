package workload

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/norikae/norikae/internal/fault"
)

// maxNamed is how many pods a message names.
const maxNamed = 5

// WaitReady waits until there is a pod with these labels in the namespace, and all of them
// are ready; pods that have ended well or are being deleted do not count. A cluster that
// cannot be reached yet, or lets nobody in yet, is waited for, too. progress is told what
// is missing, each time that it is something else; it may be nil.
func (c *Client) WaitReady(ctx context.Context, namespace string, with map[string]string, timeout time.Duration, progress func(string)) error {
	selector, err := labels.ValidatedSelectorFromSet(with)
	if err != nil {
		return fault.Terminal("InvalidLabels", fmt.Errorf("the labels %v: %w", with, err))
	}
	if namespace == "" {
		return fault.Terminal("InvalidNamespace", errors.New("the namespace of the pods is empty"))
	}
	missing := "nobody was asked"
	var last error
	return c.until(ctx, timeout, func(ctx context.Context) (bool, error) {
		list, err := c.dynamic.Resource(corev1.SchemeGroupVersion.WithResource("pods")).Namespace(namespace).
			List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
		now := ""
		if err != nil {
			if ctx.Err() != nil {
				return false, nil //nolint:nilerr // the time is up: what was seen before says more
			}
			now = "the cluster cannot be asked: " + err.Error()
		} else {
			pods := make([]corev1.Pod, len(list.Items))
			for i, item := range list.Items {
				if err := runtime.DefaultUnstructuredConverter.FromUnstructured(item.Object, &pods[i]); err != nil {
					return false, fmt.Errorf("reading the pod %s: %w", item.GetName(), err)
				}
			}
			now = unready(pods)
		}
		last = err
		if now != missing && now != "" {
			tell(progress, "%s", now)
		}
		missing = now
		return now == "", nil
	}, func() error {
		err := fmt.Errorf("the pods in %s with labels %q are not ready after %s: %s", namespace, selector, timeout, missing)
		if last != nil {
			err = errors.Join(err, last)
		}
		return err
	})
}

// unready says what is missing; "": nothing is.
func unready(pods []corev1.Pod) string {
	ready, all := 0, 0
	var not []string
	for _, p := range pods {
		if p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodSucceeded {
			continue
		}
		all++
		i := slices.IndexFunc(p.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady })
		if i >= 0 && p.Status.Conditions[i].Status == corev1.ConditionTrue {
			ready++
			continue
		}
		not = append(not, p.Name+" is "+why(p))
	}
	switch {
	case all == 0:
		return "there are none"
	case ready == all:
		return ""
	}
	slices.Sort(not)
	if n := len(not) - maxNamed; n > 0 {
		not = append(not[:maxNamed], fmt.Sprintf("and %d more", n))
	}
	return fmt.Sprintf("%d of %d are ready; %s", ready, all, strings.Join(not, ", "))
}

// why a pod is not ready: what its containers wait for, or what holds it up.
func why(p corev1.Pod) string {
	out := strings.TrimSpace(string(p.Status.Phase))
	if out == "" {
		out = "new"
	}
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if w := s.State.Waiting; w != nil && w.Reason != "" {
			return fmt.Sprintf("%s (%s: %s)", out, s.Name, w.Reason)
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Status == corev1.ConditionFalse && c.Message != "" {
			return fmt.Sprintf("%s (%.200s)", out, c.Message)
		}
	}
	return out
}
