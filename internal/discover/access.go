package discover

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsarn "github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	tagapi "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/norikae/norikae/internal/arn"
	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/registry"
)

const taggingServiceID = tagapi.ServiceID

// access is a way into an account: a role and an external ID, or the caller's own
// credentials. Whose account it is in is asked once: a "not found" of a wrong account must
// never be taken for a cluster that is gone.
type access struct {
	registry.Account

	turn chan struct{} // held while asking
	mu   sync.Mutex    // of who
	who  identity
	// What failed in a pass: where it failed for all regions alike, nobody asks again.
	failed *pass
	alike  bool
	err    error
	slow   time.Duration // that failures of that pass took
	// That the own credentials are of the same account still is asked once in a pass, when
	// something makes it doubtful.
	doubt    atomic.Bool
	checked  *pass
	checkErr error
}

// maxSlow is how long the regions of an account may fail one by one to say whose
// credentials these are, before that is taken for a failure of all of them.
const maxSlow = 30 * time.Second

// identity is who AWS says that the caller is; zero: not known.
type identity struct{ partition, account, arn string }

func (d *Discoverer) access(account registry.Account) *access {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.accesses[account]
	if a == nil {
		a = &access{Account: account, turn: make(chan struct{}, 1)}
		d.accesses[account] = a
	}
	return a
}

// identity as far as it is known.
func (a *access) identity() identity {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.who
}

// named is the account that the role's ARN names; "" without a role.
func (a *access) named() string {
	n, err := arn.Parse(a.RoleARN)
	if err != nil {
		return ""
	}
	return n.Account
}

// account that clusters are in which are found this way; "": not known.
func (a *access) account() string {
	if who := a.identity(); who.account != "" {
		return who.account
	}
	return a.named()
}

// enter makes sure that the account is the right one.
func (a *access) enter(ctx context.Context, p *pass, cfg aws.Config) error {
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if a.identity().account != "" {
		return nil
	}
	if a.failed == p && a.alike {
		return a.err
	}
	began := time.Now()
	who, err := a.ask(ctx, cfg)
	if err != nil {
		a.fail(p, err, time.Since(began))
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.who = who
	return nil
}

// fail notes why it is not known whose credentials these are. A region that is not enabled
// or does not exist fails by itself; credentials that cannot be had, and those of a wrong
// account, are the same in all regions. The caller holds a.turn.
func (a *access) fail(p *pass, err error, took time.Duration) {
	if a.failed != p {
		a.failed, a.slow = p, 0
	}
	a.slow += took
	_, wrong := errors.AsType[*fault.TerminalError](err)
	a.err, a.alike = err, wrong || awsconf.NoCredentials(err) || a.slow >= maxSlow
}

// check that the own credentials are of the same account still, when a cluster is not there
// or another account's is: they may be replaced while the process runs. A role's ARN names
// its account.
func (a *access) check(ctx context.Context, p *pass, cfg aws.Config) error {
	if a.RoleARN != "" {
		return nil
	}
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if a.checked == p {
		return a.checkErr
	}
	now, err := a.ask(ctx, cfg)
	if was := a.identity(); err == nil && now.account != was.account {
		p.d.leave(a)
		err = fault.Terminal("WrongAccount", fmt.Errorf(
			"the caller's own credentials are of account %s now, and were of %s: what they do not see says nothing of clusters there", now.account, was.account))
	}
	a.checked, a.checkErr = p, err
	return err
}

// leave an account: the next pass enters it anew.
func (d *Discoverer) leave(a *access) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.accesses[a.Account] == a {
		delete(d.accesses, a.Account)
	}
	maps.DeleteFunc(d.places, func(_ placeKey, pl *place) bool { return pl.access == a })
}

func (a *access) ask(ctx context.Context, cfg aws.Config) (identity, error) {
	out, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return identity{}, explain("asking whose credentials these are", "", a.Account, err)
	}
	caller, err := awsarn.Parse(aws.ToString(out.Arn))
	if err != nil || aws.ToString(out.Account) == "" {
		return identity{}, fmt.Errorf("asking whose credentials these are: STS answered with the ARN %q and the account %q", aws.ToString(out.Arn), aws.ToString(out.Account))
	}
	who := identity{partition: caller.Partition, account: *out.Account, arn: *out.Arn}
	if want := a.named(); want != "" && want != who.account {
		return identity{}, fault.Terminal("WrongAccount", fmt.Errorf(
			"the credentials for %s are of account %s, not of %s: nothing that they see is believed; check what answers for STS, and the role", a.RoleARN, who.account, want))
	}
	return who, nil
}

type placeKey struct {
	account registry.Account
	region  string
}

// place is a region of an account, as one role sees it. What it remembers is its own: a
// set must not learn of clusters that its role may not describe.
type place struct {
	placeKey

	access *access
	cfg    aws.Config
	eks    eksAPI
	tags   tagAPI
	// turns of describing, for all sets together: who waits for AWS's rate limit has little
	// time, who waits for a turn has all the time of its pass.
	turns chan struct{}

	mu       sync.Mutex
	clusters map[string]*entry // ACTIVE ones, by name
	// untagged is until when the index of tags is not asked, because that is not allowed.
	untagged time.Time
	told     bool // about that
}

// eksAPI is the part of the EKS client that is needed.
type eksAPI interface {
	eks.ListClustersAPIClient
	DescribeCluster(context.Context, *eks.DescribeClusterInput, ...func(*eks.Options)) (*eks.DescribeClusterOutput, error)
}

// tagAPI is the part of the tagging API's client that is needed.
type tagAPI interface {
	GetResources(context.Context, *tagapi.GetResourcesInput, ...func(*tagapi.Options)) (*tagapi.GetResourcesOutput, error)
}

// enter a region of an account: its place, once it is known to be the right one.
func (d *Discoverer) enter(ctx context.Context, p *pass, key placeKey) (*place, error) {
	d.mu.Lock()
	pl := d.places[key]
	d.mu.Unlock()
	if pl != nil {
		return pl, nil
	}
	cfg, err := d.cfg.AWS(ctx, key.region, key.account)
	if err != nil {
		return nil, fmt.Errorf("entering %s: %w", key, err)
	}
	if cfg.HTTPClient == nil {
		return nil, errors.New("discover: the configuration of AWS has no HTTP client")
	}
	cfg.HTTPClient = d.meter.over(cfg.HTTPClient)
	a := d.access(key.account)
	if err := a.enter(ctx, p, cfg); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if pl = d.places[key]; pl == nil {
		pl = &place{
			placeKey: key, access: a, cfg: cfg, eks: eks.NewFromConfig(cfg), tags: tagapi.NewFromConfig(cfg), turns: make(chan struct{}, describesAtOnce), clusters: map[string]*entry{},
		}
		d.places[key] = pl
	}
	return pl, nil
}

// String names the place for a person.
func (k placeKey) String() string { return k.region + " as " + by(k.account) }

// by names whose credentials are used.
func by(a registry.Account) string {
	if a.RoleARN == "" {
		return "the caller itself"
	}
	return a.RoleARN
}

func (pl *place) id(name string) registry.ID {
	who := pl.access.identity()
	return registry.ID{Partition: who.partition, Account: who.account, Region: pl.region, Name: name}
}

func (pl *place) size() int {
	pl.mu.Lock()
	defer pl.mu.Unlock()
	return len(pl.clusters)
}
