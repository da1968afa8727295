package app

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/cli"
	"github.com/norikae/norikae/internal/events"
	"github.com/norikae/norikae/internal/manifest"
	"github.com/norikae/norikae/internal/register/argocd"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// awsPasses are those of the real thing: AWS, load balancers, API servers and Argo CD.
func awsPasses(env Environment) newPasses {
	return func(ctx context.Context, o cli.ControllerOptions, reader client.Reader, writer client.Writer) (passes, error) {
		e, err := newEyes(env, o.Log)
		if err != nil {
			return passes{}, err
		}
		registrars := map[string]*registrar.Registrar{}
		for _, ns := range o.ArgoCDNamespaces {
			secrets, err := argocd.New(argocd.Config{Reader: reader, Writer: writer, Namespace: ns})
			if err != nil {
				return passes{}, err
			}
			registrars[ns] = registrar.New(registrar.Config{
				Discoverer: e.discoverer, Secrets: secrets, Preview: secrets.WithDryRun(), Traffic: e.traffic, Prober: e.prober, Log: o.Log,
			})
		}
		p := passes{
			compile:  manifest.CompileClusterSet,
			awsCalls: e.calls.all,
			pass: func(ctx context.Context, set *registry.Set, argocdNamespace string) (registrar.Result, error) {
				r, ok := registrars[argocdNamespace]
				if !ok {
					return registrar.Result{}, fmt.Errorf("the Argo CD of namespace %q is not served", argocdNamespace)
				}
				return r.Pass(ctx, set, registrar.Options{})
			},
		}
		if o.EventsQueueURL != "" {
			if err := p.listen(ctx, env, o, e.calls); err != nil {
				return passes{}, err
			}
		}
		return p, nil
	}
}

// listen to the queue of events, in the account of the process's own credentials.
func (p *passes) listen(ctx context.Context, env Environment, o cli.ControllerOptions, calls *callCounter) error {
	cfg, err := awsconf.Load(ctx, awsconf.Options{
		Region:        events.Region(o.EventsQueueURL),
		DefaultRegion: "us-east-1", // of a lab's queue, whose host names none
		Version:       env.Version, HTTPClient: env.HTTPClient, Endpoint: env.Endpoint, Credentials: env.Credentials, Wait: events.Poll,
	})
	if err != nil {
		return fmt.Errorf("--events-queue-url: %w", err)
	}
	cfg.APIOptions = append(slices.Clip(cfg.APIOptions), calls.middleware)
	changes := make(chan event.TypedGenericEvent[registry.ID])
	receiver, err := events.New(events.Config{
		API: sqs.NewFromConfig(cfg), QueueURL: o.EventsQueueURL, Log: o.Log,
		Changed: func(ctx context.Context, ids []registry.ID) error {
			for _, id := range ids {
				select {
				case changes <- event.TypedGenericEvent[registry.ID]{Object: id}:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		},
	})
	if err != nil {
		return fmt.Errorf("--events-queue-url: %w", err)
	}
	p.changes, p.background = changes, []manager.RunnableFunc{receiver.Run}
	return nil
}
