package lawtest

// readsMark follows what a caller is told about the lease.
func (j *judge) readsMark(marks []mark) {
	if !j.x.OK() {
		j.c.markFailed = true
		return
	}
	for _, m := range marks {
		if m.owner != "" && m.owner == j.c.owner {
			j.c.owns, j.c.ownsAt = true, j.x.Begun
		}
		if m.owner != "" && m.owner != j.c.owner {
			j.c.owns = false
		}
		if j.leaseOdd && !j.x.Begun.Before(j.tagged) {
			j.shift, j.owner, j.expires, j.leaseOdd = m.shift, m.owner, m.expires, false
		}
	}
}

// writesMark judges a caller's own changes of the mark.
func (j *judge) writesMark(m *marking) {
	x := j.x
	if m.unconditional {
		j.violate(LawLease, "%s writes the mark over whatever is there: that is no lock", x.Operation)
	}
	if j.settled && j.shift == "" && m.adds {
		j.violate(LawSettled, "the route was as declared, and a mark was written")
	}
	if !x.OK() && !x.Unknown() {
		return
	}
	if !m.adds && m.shift {
		j.finishes()
	}
	j.marked(m)
}

// marked follows a change of the mark, whoever made it.
func (j *judge) marked(m *marking) {
	if m.adds {
		j.setMark(m.mark)
		return
	}
	if m.lease {
		j.owner = ""
	}
	if m.shift {
		j.shift, j.back = "", false
	}
}

// setMark follows a mark or a renewed lease.
func (j *judge) setMark(m mark) {
	if m.hasFrom {
		j.fromOf(m)
	}
	if m.shift != "" {
		j.shift = m.shift
	}
	if m.owner != "" && !(j.x.Caller == Operator && m.owner == j.owner) { // a person's word leaves the lease as it is
		j.owner, j.expires = m.owner, m.expires
		if j.back && j.backBy != j.x.Caller {
			// Whoever starts the declaration again after the way back had landed may begin
			// anew, as a moment later, when the mark is gone.
			j.back = false
		}
		if c := j.c; c != nil && j.x.Caller != Operator {
			if c.owner == "" { // it drives from now on, and judges what comes after
				c.since = j.x.Done
			}
			c.owner = m.owner
		}
		j.leaseOdd = j.x.Unknown() || j.x.Begun.Before(j.tagged)
		if j.x.Done.After(j.tagged) {
			j.tagged = j.x.Done
		}
	}
}

// fromOf judges what a mark says that the shift started from.
func (j *judge) fromOf(m mark) {
	switch {
	case j.alien && j.d.OnDrift == AdoptDrift && j.live != nil && m.from.equal(j.live.split):
		j.from, j.step, j.alien = m.from, -1, false
	case j.from == nil:
		j.from = m.from
	case j.shift == "" && j.live != nil && !m.from.equal(j.live.split):
		j.violate(LawSettled, "the mark says that the shift started from %s, live was %s", m.from, j.live.split)
	case j.shift == "" && j.live != nil: // a new shift
		j.from, j.step = m.from, -1
	case !m.from.equal(j.from):
		j.violate(LawResume, "the mark says that the shift started from %s, it was %s", m.from, j.from)
	}
}

// finishes judges the removal of the mark: the shift is over, one way or the other.
func (j *judge) finishes() {
	if j.live == nil || j.d.Replace || j.from == nil || j.shift == "" {
		return
	}
	if s := j.live.split; !s.equal(j.d.To) && !s.equal(j.from) {
		j.violate(LawDeclared, "the mark was removed at %s, which is neither the goal (%s) nor From (%s)", s, j.d.To, j.from)
	}
	if j.live.split.equal(j.d.To) && j.forward > 0 && !j.alien && !j.from.sameShares(j.d.To) && j.from.sum() > 0 {
		j.ends()
	}
}

// ends judges that a shift which reached its goal is over: somebody was told that the last
// weights pass, too.
func (j *judge) ends() {
	passed, forced := false, false
	for _, c := range j.callers {
		at, ok := j.forcedAt(c)
		forced = forced || ok && j.x.Begun.Sub(at) >= j.live.ttl
		passed = passed || j.d.Unjudged && c.healthy || !j.d.Unjudged && c.passed
	}
	if !forced {
		j.violate(LawForce, "the shift was ended before %s was in force, and answers had changed", j.live.split)
	}
	if !passed {
		j.violate(LawVerdict, "the shift was ended without good data of %s", j.live.split)
	}
}
