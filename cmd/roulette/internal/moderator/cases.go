package moderator

import (
	"cmp"
	"io"
	"slices"
	"time"

	"filippo.io/age"

	"roulette/cmd/roulette/internal/safety"
)

// Side is the admin side of a server, as far as moderators need it.
type Side interface {
	Reports() ([]Filed, error)
	Open(id string) (io.ReadCloser, error)
	Decide(v safety.Verdict) error
}

// Filed is a report that was not opened yet, and what was decided about it.
type Filed struct {
	safety.Filed
	Decided string `json:"decided"` // empty: nothing
}

// Case is a report at the desk.
type Case struct {
	Filed
	Report safety.Report
	Closed error // why it cannot be read; else nil
}

// maxSealed is more than a report has when it is encrypted (I4).
const maxSealed = 1 << 20

// Load reads all reports that there are. Those of before are not fetched again.
func Load(side Side, identities []age.Identity, before []*Case) ([]*Case, error) {
	known := make(map[string]*Case)
	for _, c := range before {
		known[c.ID] = c
	}
	filed, err := side.Reports()
	if err != nil {
		return nil, err
	}
	all := make([]*Case, 0, len(filed))
	for _, f := range filed {
		c := &Case{Filed: f}
		if had := known[f.ID]; had != nil && had.Closed == nil {
			c.Report = had.Report
		} else if sealed, err := side.Open(f.ID); err != nil {
			c.Closed = err
		} else {
			c.Report, c.Closed = safety.Unseal(io.LimitReader(sealed, maxSealed), identities)
			sealed.Close()
		}
		all = append(all, c)
	}
	sortCases(all)
	return all, nil
}

// sortCases puts what waits in front; of that, what weighs more, and then the oldest.
func sortCases(all []*Case) {
	of := recordsOf(all)
	slices.SortStableFunc(all, func(a, b *Case) int {
		waits := func(c *Case) int {
			if c.Decided != "" {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(waits(a), waits(b)),
			cmp.Compare(of[b.Report.Reporter].weight(), of[a.Report.Reporter].weight()),
			cmp.Compare(a.ID, b.ID))
	})
}

// track is what somebody has reported so far.
type track struct{ made, right, wrong int }

// weight is how much a report of theirs counts (S3): from 0, all were false, to 2, all
// were right; 1 for whoever has made none before.
func (t track) weight() float64 {
	return 2 * float64(1+t.right) / float64(2+t.right+t.wrong)
}

func recordsOf(all []*Case) map[safety.Person]track {
	of := make(map[safety.Person]track)
	for _, c := range all {
		if c.Closed != nil {
			continue
		}
		t := of[c.Report.Reporter]
		t.made++
		switch c.Decided {
		case "ban", "shadow":
			t.right++
		case "false":
			t.wrong++
		}
		of[c.Report.Reporter] = t
	}
	return of
}

// numbers are the statistics of a desk.
type numbers struct {
	waiting  int
	oldest   time.Time // that waits
	closed   int       // that cannot be read
	decided  map[string]int
	reasons  map[string]int
	reported map[safety.Person]int
}

func count(all []*Case) numbers {
	n := numbers{decided: map[string]int{}, reasons: map[string]int{}, reported: map[safety.Person]int{}}
	for _, c := range all {
		if c.Decided != "" {
			n.decided[c.Decided]++
		} else if n.waiting++; n.oldest.IsZero() || c.At.Before(n.oldest) {
			n.oldest = c.At
		}
		if c.Closed != nil {
			n.closed++
			continue
		}
		n.reasons[c.Report.Reason]++
		n.reported[c.Report.Reported]++
	}
	return n
}

// most are the keys of m with the largest numbers, at most n of them.
func most[K comparable](m map[K]int, n int, name func(K) string) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b K) int { return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(name(a), name(b))) })
	return keys[:min(n, len(keys))]
}
