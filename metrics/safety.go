package metrics

import "github.com/prometheus/client_golang/prometheus"

// ReportResult is what has come of a report.
type ReportResult uint8

const (
	ReportTaken   ReportResult = iota // it was true, and is with the moderators
	ReportUntrue                      // these messages were not relayed so
	ReportLate                        // they were relayed too long ago
	ReportTwice                       // the chat was reported before
	ReportTooMany                     // the reporter has made more than their share
	ReportLost                        // it was true, and could not be taken
	reportResults
)

var reportResultLabels = [reportResults]string{"taken", "untrue", "late", "twice", "too_many", "lost"}

func (r ReportResult) String() string { return reportResultLabels[r] }

// ProofResult is what has come of a proof of work.
type ProofResult uint8

const (
	ProofAsked   ProofResult = iota // a client was asked for one
	ProofRight                      // and has given it
	ProofWrong                      // its answers were none
	ProofForeign                    // it was not of this client, too old, or not the first
	ProofBusy                       // too many were to be looked at
	proofResults
)

var proofResultLabels = [proofResults]string{"asked", "right", "wrong", "foreign", "busy"}

// SafetyRules are the rules by which something is done about people without anybody
// deciding.
var SafetyRules = [...]string{"reported", "reported_often", "speaks_at_once", "left_at_once", "network_speaks_at_once", "client_speaks_at_once"}

// safetyFamilies are the metrics of the safety of strangers.
func safetyFamilies() []family {
	return []family{
		gauge("safety_bans", "Networks that are banned.",
			func(s *scrape) float64 { return float64(s.status.Bans) }),
		gauge("safety_people_banned", "People whom moderators have banned.",
			func(s *scrape) float64 { return float64(s.status.PeopleBanned) }),
		gauge("safety_people_shadowed", "People whom moderators let meet only each other.",
			func(s *scrape) float64 { return float64(s.status.PeopleShadowed) }),
		family{describe("safety_rules_acted_total", "How often a rule has acted, or with --safety observe would have.", "rule"),
			func(ch chan<- prometheus.Metric, desc *prometheus.Desc, s *scrape) {
				for i, rule := range SafetyRules {
					n := uint64(0)
					if i < len(s.status.RulesActed) {
						n = s.status.RulesActed[i]
					}
					ch <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n), rule)
				}
			}},
		gauge("safety_reports_undecided", "Reports that wait for a moderator.",
			func(s *scrape) float64 { return float64(s.status.ReportsUndecided) }),
		gauge("safety_oldest_report_timestamp_seconds", "When the report was made that has waited longest for a moderator; 0 if none waits.",
			func(s *scrape) float64 { return unixSeconds(s.status.OldestUndecided) }),
		counters("safety_reports_total", "Reports of people, by what came of them.",
			"result", reportResultLabels[:], func(c *Counters) []uint64 { return c.Reports[:] }),
		counter("safety_blocks_total", "Partners that people have blocked.",
			func(c *Counters) uint64 { return c.Blocks }),
		counters("safety_proofs_total", "Proofs of work that newcomers were asked for, by what came of them.",
			"result", proofResultLabels[:], func(c *Counters) []uint64 { return c.Proofs[:] }),
		gauge("safety_proof_difficulty", "How many bits hard the proof of work is that newcomers are asked for; 0 if they are asked for none.",
			func(s *scrape) float64 { return float64(s.status.ProofBits) }),
		gauge("state_free_bytes", "Bytes that are free where decisions, reports and keys are kept; NaN without a state folder.",
			func(s *scrape) float64 { return s.status.StateFree }),
		gauge("safety_people", "People whom the server knows, those who have left lately included.",
			func(s *scrape) float64 { return float64(s.status.People) }),
	}
}
