package route53

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// Write gives the name's weighted records of all types these weights, in one batch that
// takes effect as a whole or not at all. Records that are not in the split get weight 0;
// those whose weight stays are not touched. It returns fault.ErrConflict, and nothing has
// changed, when somebody changed a record since it was read.
func (n *Name) Write(ctx context.Context, split traffic.Split) error {
	op := "writing weights to " + n.String()
	if err := split.Validate(Limits()); err != nil {
		return fault.Terminal("InvalidSplit", fmt.Errorf("%s: %w", op, err))
	}
	rd, err := n.recent(ctx)
	if err != nil {
		return err
	}
	if err := n.checkWritable(rd, split); err != nil {
		return err
	}
	batch := reweigh(rd, split)
	if len(batch) == 0 {
		return nil
	}
	n.forget()
	if err = n.submit(ctx, op, batch, true); errors.Is(err, fault.ErrConflict) {
		return n.refused(ctx, rd, split, err)
	}
	return err
}

// checkWritable makes sure that each record which is to get traffic is there, in every
// type: answers of one type that had another split would be half a shift.
func (n *Name) checkWritable(rd *reading, split traffic.Split) error {
	if len(rd.parts) == 0 {
		return fmt.Errorf("writing weights: there are no weighted records at %s: %w", n, fault.ErrNotFound)
	}
	for _, w := range split {
		for _, p := range rd.parts {
			if w.Weight > 0 && !p.split().Has(w.ID) {
				return fault.Terminal("DestinationNotFound", fmt.Errorf(
					"writing weights to %s: there is no weighted %s record with the set identifier %q, which is to get the weight %d; somebody removed it: create it again (there are %s)", n, p.typ, w.ID, w.Weight, describeSets(rd.all)))
			}
		}
	}
	return nil
}

// reweigh makes the changes from what was read to a split.
func reweigh(rd *reading, split traffic.Split) []types.Change {
	var batch []types.Change
	for _, p := range rd.parts {
		for _, old := range p.sets {
			weight := int64(split.Weight(aws.ToString(old.SetIdentifier)))
			if aws.ToInt64(old.Weight) == weight {
				continue
			}
			changed := old
			changed.Weight = aws.Int64(weight)
			batch = append(batch,
				types.Change{Action: types.ChangeActionDelete, ResourceRecordSet: &old},
				types.Change{Action: types.ChangeActionCreate, ResourceRecordSet: &changed})
		}
	}
	return batch
}

// refused finds out why a batch was: an attempt before this one took effect and its
// answer was lost; somebody else changed the records; or Route 53 does not want it.
func (n *Name) refused(ctx context.Context, basis *reading, split traffic.Split, refusal error) error {
	rd, err := n.read(ctx)
	switch {
	case err != nil:
		return refusal // that it was refused is what counts
	case len(rd.parts) > 0 && len(reweigh(rd, split)) == 0:
		return nil
	case !mismatch(refusal) && reflect.DeepEqual(rd.all, basis.all):
		return fault.Terminal("ChangeRefused", errors.New(refusal.Error()+"; the records are as they were: set the weight of one by hand to see what Route 53 dislikes about it"))
	}
	return fmt.Errorf("somebody changed the records meanwhile, nothing was written: %w", refusal)
}

// Create is not for this route: whose records serve where is not norikae's to decide.
func (n *Name) Create(context.Context, traffic.Split, shift.Mark) error {
	return fault.Terminal("RouteNotFound", fmt.Errorf("creating %s: norikae shifts weighted records that exist; create them first, each destination's with its set identifier: %w", n, fault.ErrNotFound))
}

// describeSets lists what there is, for messages: "blue (A, AAAA), green (A)".
func describeSets(all []types.ResourceRecordSet) string {
	var ids []string
	typesOf := map[string][]string{}
	for _, s := range all {
		id := aws.ToString(s.SetIdentifier)
		if policyOf(s) != weighted || isRegistry(s) {
			id = strings.TrimSpace(fmt.Sprintf("%s %s record", policyOf(s), id))
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
		typesOf[id] = append(typesOf[id], string(s.Type))
	}
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = fmt.Sprintf("%s (%s)", id, strings.Join(typesOf[id], ", "))
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ", ")
}
