package admin

import "time"

// Report is how a server is, for the operator's page and as JSON. Times are in
// seconds, sizes in bytes.
type Report struct {
	Version  string    `json:"version"`
	Revision string    `json:"revision"`
	Go       string    `json:"go"`
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`
	Uptime   float64   `json:"uptime_seconds"`

	TookOver *TookOver `json:"took_over,omitempty"` // nil: it began with nobody

	State string `json:"state"` // ready, or why it is not
	Drain *Drain `json:"drain,omitempty"`

	Connections      int              `json:"connections"`
	ConnectionsLimit int              `json:"connections_limit"`
	ByState          map[string]int64 `json:"connections_by_state"`
	Addresses        int              `json:"addresses"` // that limits per address are counted for
	Refused          []Refusal        `json:"refused"`   // since the start, those that there were
	Bans             int              `json:"bans"`      // networks
	Pairs            int              `json:"pairs"`
	Away             int              `json:"away"`     // people whose seat is kept, without a connection
	Returned         uint64           `json:"returned"` // since the start
	Waits            Waits            `json:"waits"`
	Cluster          *Cluster         `json:"cluster,omitempty"` // nil: the server is alone
	Backlog          Backlog          `json:"backlog"`
	Workers          []Worker         `json:"workers"`

	Descriptors      int    `json:"descriptors"`
	DescriptorsLimit int    `json:"descriptors_limit"`
	Memory           Memory `json:"memory"`

	Settings []Setting `json:"settings"`
	History  []Point   `json:"history"` // of ten minutes, the oldest first

	// Filled in by this package.
	Moderated bool     `json:"moderated"` // reports are kept
	LogLevel  string   `json:"log_level"`
	Actions   []Action `json:"actions"`                  // newest first
	LastLines []string `json:"last_warnings_and_errors"` // likewise
}

// TookOver is how a server has come to what it serves by a live upgrade.
type TookOver struct {
	From   string    `json:"from"` // its predecessor's version
	At     time.Time `json:"at"`
	Frozen float64   `json:"frozen_seconds"` // in which nobody was served
}

// Refusal is how many were refused for a reason.
type Refusal struct {
	Reason string `json:"reason"`
	Number uint64 `json:"number"`
}

// Drain is how far everybody has been sent away.
type Drain struct {
	SentAway int     `json:"sent_away"`
	Of       int     `json:"of"`
	Spread   float64 `json:"spread_seconds"`
}

// Cluster is what one node knows of the others.
type Cluster struct {
	World     string `json:"world"`
	Name      string `json:"name"`      // of this node
	Connected bool   `json:"connected"` // to the bus
	Nodes     []Node `json:"nodes"`     // the others
}

// Node is another server of the cluster, by what it says of itself.
type Node struct {
	Name      string  `json:"name"`
	Version   string  `json:"version"`
	People    int     `json:"people"`
	Waiting   bool    `json:"waiting"` // somebody does
	Draining  bool    `json:"draining"`
	Foreign   bool    `json:"foreign"`            // of another major version of the words: not talked to
	Chats     int     `json:"chats"`              // with people here
	RoundTrip float64 `json:"round_trip_seconds"` // 0: not known yet
	Silent    float64 `json:"silent_seconds"`     // since it was last heard
}

// Waits are about those who wait for a partner.
type Waits struct {
	Waiting int     `json:"waiting"`
	Oldest  float64 `json:"oldest_seconds"`
	Ended   uint64  `json:"ended"`       // waits of the last ten minutes that ended with a partner
	P50     float64 `json:"p50_seconds"` // of those
	P95     float64 `json:"p95_seconds"`
}

// Backlog is what waits for clients that are slow to read.
type Backlog struct {
	Connections int64 `json:"connections"`
	Bytes       int64 `json:"bytes"`
}

// Worker is how one of the workers is.
type Worker struct {
	Index       int     `json:"index"`
	Answers     bool    `json:"answers"` // else the rest is not known
	Connections int     `json:"connections"`
	Busy        float64 `json:"busy"` // share of the last minute
	Events      uint64  `json:"events"`
}

// Memory is that of the process.
type Memory struct {
	RSS   int64  `json:"rss_bytes"`
	Heap  uint64 `json:"heap_bytes"`
	Limit uint64 `json:"gomemlimit_bytes"` // 0: none
}

// Setting is one of those in force, as a person would write it.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}
