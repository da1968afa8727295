package route53

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/router/marktext"
	"github.com/norikae/norikae/internal/shift"
)

// The items of the record set besides those of the mark, each a quoted string.
const (
	keyVersion = "norikae" // what makes the record set ours; its value is markVersion
	keyRecord  = "record"  // the name that is shifted
	keyOwner   = "owner"   // metadata.name of the manifest
	keyTypes   = "types"   // the types that are shifted, sorted; none: all that have weights
)

const (
	markVersion = "1"
	// markTTL in seconds: people look at the mark with dig; norikae reads it by the API.
	markTTL = 10
)

// markText is how the record set holds a mark.
func markText() marktext.Format {
	return marktext.Format{
		Limits: Limits(), Shown: "%s=%q",
		Destination: "set identifier", DestinationID: "SET-IDENTIFIER",
		IsID: func(id string) bool { return id != "" },
	}
}

// mark is a mark as it stands in the zone.
type mark struct {
	shift.Mark
	owner  string // metadata.name of the manifest that it was written for
	types  string // the item's text
	signal string // the item's text, a slip of the pen included; "": none
	// set is the record set as read or written: what a change of it has to name.
	set types.ResourceRecordSet
}

// sameButSignal tells whether both are one mark; that a person's word came or went between them
// does not matter.
func (m *mark) sameButSignal(o *mark) bool {
	a, b := *m, *o
	a.signal, b.signal = "", ""
	return slices.Equal(valuesOf(a.encode("")), valuesOf(b.encode("")))
}

// encode makes the record set of a mark at a name.
func (m *mark) encode(record fqdn) types.ResourceRecordSet {
	items := append([]marktext.Item{
		{Key: keyVersion, Value: markVersion},
		{Key: keyRecord, Value: string(record)},
		{Key: keyOwner, Value: m.owner},
	}, markText().Encode(m.Mark)...)
	if m.types != "" {
		items = append(items, marktext.Item{Key: keyTypes, Value: m.types})
	}
	if m.signal != "" {
		items = append(items, marktext.Item{Key: marktext.KeySignal, Value: m.signal})
	}
	set := types.ResourceRecordSet{Type: types.RRTypeTxt, TTL: aws.Int64(markTTL)}
	for _, v := range encodeItems(items) {
		set.ResourceRecords = append(set.ResourceRecords, types.ResourceRecord{Value: aws.String(v)})
	}
	return set
}

// compose makes the record set at the mark's name, and checks that it can be read again:
// if it could not, From would be lost.
func (n *Name) compose(m *mark) error {
	if !n.looks {
		m.types = n.declaredTypes()
	}
	m.set = m.encode(n.name)
	m.set.Name = aws.String(string(n.markAt))
	back, err := n.decode(m.set)
	if err == nil && !back.sameButSignal(m) {
		err = errors.New("it would not be read as it is written")
	}
	if err == nil {
		err = checkBatch([]types.Change{{Action: types.ChangeActionDelete, ResourceRecordSet: &m.set}, {Action: types.ChangeActionCreate, ResourceRecordSet: &m.set}})
	}
	if err != nil {
		return fault.Terminal("UnwritableMark", fmt.Errorf("the shift's mark does not fit into the TXT record %s: %w", n.markAt, err))
	}
	return nil
}

func valuesOf(set types.ResourceRecordSet) []string {
	out := make([]string, len(set.ResourceRecords))
	for i, r := range set.ResourceRecords {
		out[i] = aws.ToString(r.Value)
	}
	return out
}

// decode reads the mark of a record set at the mark's name.
func (n *Name) decode(set types.ResourceRecordSet) (*mark, error) {
	if set.Type != types.RRTypeTxt || !claimsMark(valuesOf(set)) || policyOf(set) != simple {
		return nil, fault.Terminal("ForeignRecord", fmt.Errorf(
			"at %s, where norikae leaves the mark of a shift of %s, there is a %s record of somebody else (%s): it is left alone; rename or remove it, then run this again",
			n.markAt, n.name, set.Type, strings.Join(valuesOf(set), ", ")))
	}
	items, err := decodeItems(valuesOf(set))
	if err != nil {
		return nil, n.unreadable(err)
	}
	if v := items[keyVersion]; v != markVersion {
		return nil, fault.Terminal("UnreadableMark", fmt.Errorf(
			"the mark in the TXT record %s has version %q, this norikae knows %s: another version of norikae shifts this name; use that one", n.markAt, v, markVersion))
	}
	if r := items[keyRecord]; r != string(n.name) {
		return nil, fault.Terminal("ForeignMark", fmt.Errorf("the mark in the TXT record %s is that of a shift of %q, not of %s: two names share it; shift them one after the other", n.markAt, r, n.name))
	}
	m, err := markFrom(items)
	if err != nil {
		return nil, n.unreadable(err)
	}
	if of := n.declaredTypes(); m.types != of && !n.looks {
		return nil, fault.Terminal("OtherTypes", fmt.Errorf(
			"route.route53.types: %s; the unfinished shift of %s (TXT record %s) has %s: with other types a part of its records would stay where they are for good; declare the same, until it is done",
			inWords(of), n.name, n.markAt, inWords(m.types)))
	}
	m.set = set
	return m, nil
}

// declaredTypes as a mark has them.
func (n *Name) declaredTypes() string {
	declared := slices.Sorted(slices.Values(n.cfg.Types))
	return strings.Join(declared, ",")
}

func inWords(declaredTypes string) string { return cmp.Or(declaredTypes, "none, which means all") }

func (n *Name) unreadable(err error) error {
	return fault.Terminal("UnreadableMark", fmt.Errorf(
		"the mark of an unfinished shift in the TXT record %s cannot be read: %w; something has changed it: restore it, or look at the weights of %s, set them right, and remove that TXT record", n.markAt, err, n.name))
}

// markFrom items. All are ours, so that one which means nothing is a sign of damage.
func markFrom(items map[string]string) (*mark, error) {
	owner, ok := items[keyOwner]
	if !ok {
		return nil, fmt.Errorf(`%s="": it is missing`, keyOwner)
	}
	m, err := markText().Decode(items)
	if err != nil {
		return nil, err
	}
	known := append(markText().Keys(len(m.From)), keyVersion, keyRecord, keyOwner, keyTypes)
	for _, key := range slices.Sorted(maps.Keys(items)) {
		if !slices.Contains(known, key) {
			return nil, fmt.Errorf("%s=%q: no item of a mark that starts from %d destinations", key, items[key], len(m.From))
		}
	}
	return &mark{Mark: m, owner: owner, types: items[keyTypes], signal: items[marktext.KeySignal]}, nil
}
