package metrics

import "github.com/prometheus/client_golang/prometheus"

// Cluster is what a server knows of the nodes it belongs to; all of it is zero for
// one that is alone.
type Cluster struct {
	Nodes     int  // that it hears, itself included
	Connected bool // to the bus
	People    int  // on other nodes
	Chats     int  // with them

	Offers   [OfferResults]uint64
	Meetings uint64
	Words    [Directions]uint64
	Bytes    [Directions]uint64
	Refused  [RefusedWords]uint64
	Stalls   uint64 // a credit was used up
	Losses   uint64 // words were missing
}

// OfferResult is what has come of an offer of somebody to another node.
type OfferResult uint8

const (
	OfferAccepted OfferResult = iota
	OfferDeclined             // nobody there suits them any more
	OfferExpired              // no answer in time
	OfferAborted              // one of the two was gone by then
	OfferResults
)

var offerResultLabels = [OfferResults]string{"accepted", "declined", "expired", "aborted"}

// Direction is that of what goes over the bus.
type Direction uint8

const (
	In Direction = iota
	Out
	Directions
)

var directionLabels = [Directions]string{"in", "out"}

// RefusedWord is why a word from the bus was dropped.
type RefusedWord uint8

const (
	WordMalformed RefusedWord = iota
	WordStrange               // of another world, another version, or a node that is not known
	WordStale                 // of a chat or an offer that is over
	WordRepeated              // heard before
	RefusedWords
)

var refusedWordLabels = [RefusedWords]string{"malformed", "strange", "stale", "repeated"}

// clusterFamilies are the metrics of several nodes.
func clusterFamilies() []family {
	return []family{
		gauge("cluster_nodes", "Nodes that this one hears, itself included; 0 for a server that is alone.",
			func(s *scrape) float64 { return float64(s.status.Cluster.Nodes) }),
		gauge("cluster_connected", "1 while the bus of the cluster is there.",
			func(s *scrape) float64 { return oneIf(s.status.Cluster.Connected) }),
		gauge("cluster_people", "People on the other nodes.",
			func(s *scrape) float64 { return float64(s.status.Cluster.People) }),
		gauge("cluster_chats", "Pairs of which one is on another node.",
			func(s *scrape) float64 { return float64(s.status.Cluster.Chats) }),
		totals("cluster_offers_total", "Offers of somebody who waits to another node, by what came of them.",
			"result", offerResultLabels[:], func(c *Cluster) []uint64 { return c.Offers[:] }),
		total("cluster_meetings_total", "Pairs that have begun of which one is on another node.",
			func(c *Cluster) uint64 { return c.Meetings }),
		totals("cluster_words_total", "Messages of the bus.",
			"direction", directionLabels[:], func(c *Cluster) []uint64 { return c.Words[:] }),
		totals("cluster_bytes_total", "Bytes of the messages of the bus.",
			"direction", directionLabels[:], func(c *Cluster) []uint64 { return c.Bytes[:] }),
		totals("cluster_refused_words_total", "Messages of the bus that were dropped, by reason.",
			"reason", refusedWordLabels[:], func(c *Cluster) []uint64 { return c.Refused[:] }),
		total("cluster_credit_stalls_total", "Times a sender was paused because the other node had not taken what it was sent.",
			func(c *Cluster) uint64 { return c.Stalls }),
		total("cluster_losses_total", "Times the bus was gone or had lost something, so that chats between nodes ended.",
			func(c *Cluster) uint64 { return c.Losses }),
	}
}

// total is one count of the cluster's.
func total(name, help string, value func(*Cluster) uint64) family {
	return family{describe(name, help), func(ch chan<- prometheus.Metric, desc *prometheus.Desc, s *scrape) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(value(&s.status.Cluster)))
	}}
}

// totals is one count of the cluster's for each value of a label.
func totals(name, help, label string, labelValues []string, values func(*Cluster) []uint64) family {
	return family{describe(name, help, label), func(ch chan<- prometheus.Metric, desc *prometheus.Desc, s *scrape) {
		for i, v := range values(&s.status.Cluster) {
			ch <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(v), labelValues[i])
		}
	}}
}
