package resume

// Exchange is the server's half of a return: how far the two sides of a pair have
// come in the current generation. It exists from the first break of a pair on. In
// its zero value both sides are here, and nothing has been broken.
type Exchange struct {
	generation uint64
	sides      [2]progress
}

// progress is how far one side has come.
type progress struct {
	have    uint64 // messages of the partner that it has shown
	try     uint32 // of its newest connection
	counted bool   // have is of this generation
	away    bool   // it has no connection
	muted   bool   // its chat is thrown away until its resend
	over    bool   // so is the pair
}

// Generation is that of the latest break or return.
func (x *Exchange) Generation() uint64 { return x.generation }

// Away reports whether side has no connection.
func (x *Exchange) Away(side int) bool { return x.sides[side].away }

// End notes that the pair is over: nobody comes back to it.
func (x *Exchange) End() {
	for i := range x.sides {
		x.sides[i].over = true
	}
}

// Over reports whether the pair is.
func (x *Exchange) Over() bool { return x.sides[0].over }

// Relays reports whether what side sends may reach its partner.
func (x *Exchange) Relays(side int) bool { return !x.sides[side].muted }

// Settled reports whether the return is over.
func (x *Exchange) Settled() bool {
	return x.Relays(0) && x.Relays(1)
}

// Break notes that side has lost its connection. Nothing of either side is
// relayed from here on.
func (x *Exchange) Break(side int) {
	x.sides[side].away = true
	x.begin()
}

// begin begins a generation, and forgets what the sides have said of the one before.
func (x *Exchange) begin() {
	x.generation++
	for i := range x.sides {
		x.sides[i].muted, x.sides[i].counted = true, false
	}
}

// Return notes that side has come back on a new connection, its try-th, having
// shown have messages. False: a newer connection of that
// side was here already, and this one is to be closed (R3). The caller then asks
// the other side, if that is here, for its count.
func (x *Exchange) Return(side int, try uint32, have uint64) bool {
	s := &x.sides[side]
	if try <= s.try {
		return false
	}
	x.begin()
	s.try, s.away, s.have, s.counted = try, false, have, true
	return true
}

// Newer reports whether a connection that is side's try-th would be its newest.
func (x *Exchange) Newer(side int, try uint32) bool { return try > x.sides[side].try }

// Try is that of side's newest connection.
func (x *Exchange) Try(side int) uint32 { return x.sides[side].try }

// Tried notes that side has come to another server on its try-th connection.
func (x *Exchange) Tried(side int, try uint32) {
	x.sides[side].try = max(x.sides[side].try, try)
}

// Raise notes that the pair has come to a generation in another server.
func (x *Exchange) Raise(generation uint64) { x.generation = max(x.generation, generation) }

// Rejoin notes that side, which was away, is here again on its try-th connection, and
// has not said how many messages it has shown: both sides are to be asked.
func (x *Exchange) Rejoin(side int, try uint32) {
	x.begin()
	x.sides[side].try, x.sides[side].away = max(x.sides[side].try, try), false
}

// Have notes side's answer to the question of a generation: it has shown n
// messages. True: now both counts are known, and both sides are to be told [Exchange.Count].
func (x *Exchange) Have(side int, generation, n uint64) (met bool) {
	s, other := &x.sides[side], &x.sides[1-side]
	if generation != x.generation || s.counted || s.away || x.Settled() {
		return false
	}
	s.have, s.counted = n, true
	return other.counted && !other.away
}

// Met reports whether both counts of the current generation are known.
func (x *Exchange) Met() bool {
	return x.sides[0].counted && x.sides[1].counted && !x.sides[0].away && !x.sides[1].away
}

// Count is how many messages side has shown, as it said in this generation.
func (x *Exchange) Count(side int) uint64 { return x.sides[side].have }

// Resend notes that side begins again with its message number from, having
// forgotten the lost messages before. False: it is not its turn, or this is not
// where its partner stopped.
func (x *Exchange) Resend(side int, generation, from, lost uint64) bool {
	if generation != x.generation || !x.Met() || !x.sides[side].muted {
		return false
	}
	if shown := x.sides[1-side].have; from <= shown || lost != from-shown-1 {
		return false
	}
	x.sides[side].muted = false
	return true
}
