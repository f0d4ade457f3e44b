package metrics

import (
	"time"
)

// cacheLine is the unit in which processors share memory, or a multiple of it.
const cacheLine = 64

// Counters is everything one worker counts. Make it with [NewCounters], or call
// Init once on one that lies inside another struct. All of it is owned by the
// worker; a plain copy, made by the worker, is a snapshot.
//
// The padding at both ends keeps two workers' Counters off each other's cache
// lines wherever they are allocated, also as neighbours in a slice.
type Counters struct {
	_ [cacheLine]byte

	// Relay, on the byte path. All are counted by the worker that does the work,
	// which is the sender's.
	RelayedMessages      [opcodes]uint64
	RelayedBytes         uint64 // payload
	UndeliveredMessages  uint64
	NetworkReceiveBytes  uint64 // all that read(2) brought
	NetworkTransmitBytes uint64 // all that write(2) took
	RelayLatency         Histogram

	// The worker's own loop; see SetLoad.
	Wakeups         uint64
	Events          uint64
	BusyNanoseconds uint64
	EventsPerWakeup Histogram

	// Backpressure.
	ReadPauses     uint64
	WriteStalls    [stallResults]uint64
	LimitsExceeded [limits]uint64
	// Gauges. Whoever makes a change counts it, whichever worker owns the
	// connection, so only the sum over all workers means something.
	BacklogBytes       int64
	BacklogConnections int64

	// Connections. The gauge is like those above: a step from one state to
	// another takes one off here and adds one there.
	Connections        [connectionStates]int64
	Accepted           uint64
	Rejected           [rejectReasons]uint64
	Closed             [closeCodes][initiators]uint64
	AcceptErrors       [acceptErrors]uint64
	Handshakes         [handshakeResults]uint64
	ConnectionDuration Histogram
	HandshakeDuration  Histogram

	// TLS.
	TLSHandshakes        [tlsResults]uint64
	TLSHandshakeDuration Histogram
	TLSKeysFound         uint64 // records whose expanded key was there
	TLSKeysMade          uint64 // those whose key had to be expanded

	// Pairing. A pair is counted once, not once per side.
	PairsCreated uint64
	PairsEnded   [endReasons]uint64
	PairsSkipped uint64 // by next, within 5 s
	WaitsGivenUp uint64
	PairingWait  Histogram // one value per client paired, that is two per pair
	PairDuration Histogram

	// Safety.
	Reports [reportResults]uint64
	Blocks  uint64
	Proofs  [proofResults]uint64

	// Resume.
	Breaks       uint64
	Returns      [returnResults]uint64
	AwayDuration Histogram

	_ [cacheLine]byte
}

// NewCounters returns counters at zero.
func NewCounters() *Counters {
	c := new(Counters)
	c.Init()
	return c
}

// Init readies zero counters. It forgets nothing that was counted.
func (c *Counters) Init() {
	c.RelayLatency.layout = relayLatencyLayout
	c.EventsPerWakeup.layout = eventsPerWakeupLayout
	c.ConnectionDuration.layout = connectionDurationLayout
	c.HandshakeDuration.layout = handshakeDurationLayout
	c.TLSHandshakeDuration.layout = handshakeDurationLayout
	c.PairingWait.layout = pairingWaitLayout
	c.PairDuration.layout = pairDurationLayout
	c.AwayDuration.layout = awayDurationLayout
}

// SetLoad replaces what is known of the worker's own loop: how many events
// epoll_wait has returned, how long the worker served them, and how many returns
// there were, by their events: one, two, up to 4, up to 8, …, up to 1024, more.
func (c *Counters) SetLoad(events uint64, busy time.Duration, wakeups []float64) {
	c.Events = events
	c.BusyNanoseconds = uint64(busy)
	c.EventsPerWakeup.set(wakeups, float64(events))
	c.Wakeups = c.EventsPerWakeup.Count()
}

// Add adds every field of other.
func (c *Counters) Add(other *Counters) {
	addAll(c.RelayedMessages[:], other.RelayedMessages[:])
	c.RelayedBytes += other.RelayedBytes
	c.UndeliveredMessages += other.UndeliveredMessages
	c.NetworkReceiveBytes += other.NetworkReceiveBytes
	c.NetworkTransmitBytes += other.NetworkTransmitBytes
	c.RelayLatency.Add(&other.RelayLatency)

	c.Wakeups += other.Wakeups
	c.Events += other.Events
	c.BusyNanoseconds += other.BusyNanoseconds
	c.EventsPerWakeup.Add(&other.EventsPerWakeup)

	c.ReadPauses += other.ReadPauses
	addAll(c.WriteStalls[:], other.WriteStalls[:])
	addAll(c.LimitsExceeded[:], other.LimitsExceeded[:])
	c.BacklogBytes += other.BacklogBytes
	c.BacklogConnections += other.BacklogConnections

	addAll(c.Connections[:], other.Connections[:])
	c.Accepted += other.Accepted
	addAll(c.Rejected[:], other.Rejected[:])
	for code := range c.Closed {
		addAll(c.Closed[code][:], other.Closed[code][:])
	}
	addAll(c.AcceptErrors[:], other.AcceptErrors[:])
	addAll(c.Handshakes[:], other.Handshakes[:])
	c.ConnectionDuration.Add(&other.ConnectionDuration)
	c.HandshakeDuration.Add(&other.HandshakeDuration)

	addAll(c.TLSHandshakes[:], other.TLSHandshakes[:])
	c.TLSHandshakeDuration.Add(&other.TLSHandshakeDuration)
	c.TLSKeysFound += other.TLSKeysFound
	c.TLSKeysMade += other.TLSKeysMade

	c.PairsCreated += other.PairsCreated
	addAll(c.PairsEnded[:], other.PairsEnded[:])
	c.PairsSkipped += other.PairsSkipped
	c.WaitsGivenUp += other.WaitsGivenUp
	c.PairingWait.Add(&other.PairingWait)
	c.PairDuration.Add(&other.PairDuration)

	addAll(c.Reports[:], other.Reports[:])
	c.Blocks += other.Blocks
	addAll(c.Proofs[:], other.Proofs[:])

	c.Breaks += other.Breaks
	addAll(c.Returns[:], other.Returns[:])
	c.AwayDuration.Add(&other.AwayDuration)
}

func addAll[T int64 | uint64](dst, src []T) {
	for i, v := range src {
		dst[i] += v
	}
}
