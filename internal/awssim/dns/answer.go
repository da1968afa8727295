package dns

import (
	"fmt"
	"strings"

	mdns "github.com/miekg/dns"

	"github.com/norikae/norikae/internal/awssim/route53"
)

func (s *Server) handle(w mdns.ResponseWriter, q *mdns.Msg, udp bool) {
	reply, choices := s.answer(q)
	size := mdns.MaxMsgSize
	if udp {
		size = minUDP
	}
	if opt := q.IsEdns0(); opt != nil {
		reply.SetEdns0(maxUDP, opt.Do())
		if opt.Version() != 0 {
			reply.Answer, reply.Ns, choices = nil, nil, nil
			reply.Rcode = mdns.RcodeBadVers
		}
		if udp {
			size = min(max(int(opt.UDPSize()), minUDP), maxUDP)
		}
	}
	reply.Truncate(size)
	s.count(q, choices, reply.Truncated)
	if err := w.WriteMsg(reply); err != nil {
		s.cfg.Logger.Debug("an answer could not be sent", "error", err)
	}
}

func (s *Server) count(q *mdns.Msg, choices []route53.Choice, truncated bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(q.Question) == 1 {
		s.asked[Question{canonical(q.Question[0].Name), typeName(q.Question[0].Qtype)}]++
	}
	if truncated {
		return
	}
	for _, c := range choices {
		s.counts[c]++
	}
}

// answer makes the reply to a question, and tells what it was taken from.
func (s *Server) answer(q *mdns.Msg) (*mdns.Msg, []route53.Choice) {
	reply := new(mdns.Msg)
	switch {
	case q.Opcode != mdns.OpcodeQuery:
		return reply.SetRcode(q, mdns.RcodeNotImplemented), nil
	case len(q.Question) != 1:
		return reply.SetRcode(q, mdns.RcodeFormatError), nil
	}
	asked := q.Question[0]
	reply.SetReply(q)
	reply.Compress = true
	if asked.Qclass != mdns.ClassINET || asked.Qtype == mdns.TypeAXFR || asked.Qtype == mdns.TypeIXFR {
		return reply.SetRcode(q, mdns.RcodeRefused), nil
	}
	name := canonical(asked.Name)
	a := s.cfg.Zones.Answer(name, typeName(asked.Qtype))
	reply.Rcode = mdns.StringToRcode[a.RCode]
	reply.Authoritative = a.Authoritative
	var err error
	if reply.Answer, err = records(a.Records, name, asked.Name); err == nil {
		reply.Ns, err = records(a.Authority, name, asked.Name)
	}
	if err != nil {
		s.cfg.Logger.Error("a record does not fit on the wire", "error", err)
		return reply.SetRcode(q, mdns.RcodeServerFailure), nil
	}
	return reply, a.Choices
}

// records puts records into the form of the wire. Those of the name that was asked for
// spell it as the question did: resolvers check that, to make forging harder.
func records(in []route53.Record, name, spelled string) ([]mdns.RR, error) {
	out := make([]mdns.RR, 0, len(in))
	for _, r := range in {
		rr, err := mdns.NewRR(fmt.Sprintf(". %d IN %s %s", r.TTL, r.Type, data(r.Type, r.Value)))
		if err != nil {
			return nil, fmt.Errorf("record %s %s %q: %w", r.Name, r.Type, r.Value, err)
		}
		rr.Header().Name = spelled
		if r.Name != name {
			rr.Header().Name = decimal(r.Name)
		}
		out = append(out, rr)
	}
	return out, nil
}

// data is a value as a zone file has it. Names in it are escaped first: to Route 53 a
// semicolon is a character, to a zone file the beginning of a comment.
func data(typ, value string) string {
	names := map[string][]int{"CNAME": {0}, "NS": {0}, "PTR": {0}, "MX": {1}, "SRV": {3}, "SOA": {0, 1}}[typ]
	if names == nil {
		return decimal(value)
	}
	fields := strings.Fields(value)
	for _, i := range names {
		if i < len(fields) {
			if name, err := route53.Canonical(fields[i]); err == nil {
				fields[i] = decimal(name)
			}
		}
	}
	return strings.Join(fields, " ")
}

func typeName(t uint16) string { return mdns.Type(t).String() }

// canonical is a name of the wire as Route 53 spells it.
func canonical(name string) string {
	var labels []string
	for _, label := range mdns.SplitDomainName(name) {
		var raw []byte
		for i := 0; i < len(label); i++ {
			if label[i] != '\\' {
				raw = append(raw, label[i])
				continue
			}
			if i+3 < len(label) && digits(label[i+1:i+4]) {
				raw = append(raw, (label[i+1]-'0')*100+(label[i+2]-'0')*10+label[i+3]-'0')
				i += 3
			} else if i+1 < len(label) {
				i++
				raw = append(raw, label[i])
			}
		}
		labels = append(labels, string(raw))
	}
	return route53.FormatName(labels)
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// decimal rewrites Route 53's escapes, which are octal, into those of zone files.
func decimal(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\' || i+1 == len(s):
			b.WriteByte(s[i])
		case i+3 < len(s) && strings.Trim(s[i+1:i+4], "01234567") == "" && s[i+1] < '4':
			fmt.Fprintf(&b, `\%03d`, int(s[i+1]-'0')*64+int(s[i+2]-'0')*8+int(s[i+3]-'0'))
			i += 3
		default: // an escaped character
			b.WriteString(s[i : i+2])
			i++
		}
	}
	return b.String()
}
