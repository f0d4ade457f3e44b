package safety

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of what is decided (I4).
const (
	MaxNetworks = 1 << 20              // banned at once
	MaxPeople   = 1 << 20              // about whom something is decided, at once
	MaxReason   = 200                  // bytes
	MaxTime     = 366 * 24 * time.Hour // of a ban
	Keep        = 30 * 24 * time.Hour  // how long a decision stays in the file

	perDecision = 1024 // networks, or people: what is entered, and forgotten, under one hold of the lock
	leastBits4  = 8
	leastBits6  = 16
	mostBits6   = 64
)

// Ban is a network that may not come in, until when, and why.
type Ban struct {
	Network netip.Prefix `json:"network"`
	Until   time.Time    `json:"until"`
	Reason  string       `json:"reason,omitempty"`
	By      string       `json:"by"`
	At      time.Time    `json:"at"` // when it was decided
}

// decision is one line of the file. Immutable.
type decision struct {
	At     time.Time      `json:"at"`
	By     string         `json:"by"`
	Do     string         `json:"do"`
	Who    []netip.Prefix `json:"who,omitempty"`
	People []Person       `json:"people,omitempty"`
	Report string         `json:"report,omitempty"` // that it decides about
	Until  time.Time      `json:"until,omitzero"`
	Reason string         `json:"reason,omitempty"`
}

// What a decision does.
const (
	doBan     = "ban"
	doLift    = "lift"    // whatever was decided about them
	doShadow  = "shadow"  // they meet each other, and nobody else
	doFalse   = "false"   // the report was, and the reporter's weigh less
	doAbsolve = "absolve" // nothing, but the report is decided
	doUndo    = "undo"    // what was decided about a report
)

// known are all of them, and whether they end at a time of their own.
var known = map[string]bool{doBan: true, doLift: false, doShadow: true, doAbsolve: false, doFalse: false, doUndo: false}

// Mistakes of an operator.
var (
	ErrNoNetwork   = errors.New("no network is named")
	ErrNobody      = errors.New("nobody is named")
	ErrShared      = errors.New("this is whoever comes from a network without a cookie: ban the network for an hour")
	ErrTooMany     = fmt.Errorf("more than %d networks would be banned", MaxNetworks)
	ErrNotTimeLeft = fmt.Errorf("a ban ends in the future, within %d days", int(MaxTime.Hours()/24))
	ErrReason      = fmt.Errorf("a reason is a line of at most %d bytes", MaxReason)
)

// ParseNetwork reads an address or a network in CIDR notation, and returns the network
// that it stands for.
func ParseNetwork(text string) (netip.Prefix, error) {
	text = strings.TrimSpace(text)
	p, err := netip.ParsePrefix(text)
	if err != nil {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" {
			return p, fmt.Errorf("%.60q is neither an address nor a network such as 192.0.2.0/24", text)
		}
		p = netip.PrefixFrom(addr, addr.BitLen())
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	least := leastBits4
	if p.Addr().Is6() {
		least = leastBits6
		p = netip.PrefixFrom(p.Addr(), min(p.Bits(), mostBits6))
	}
	if p.Bits() < least {
		return p, fmt.Errorf("%v is too much of the world: a network has %d bits at least", p, least)
	}
	return p.Masked(), nil
}

// ParseWho reads a network, as [ParseNetwork] does, or a person, 32 hexadecimal digits.
func ParseWho(text string) (network netip.Prefix, person Person, err error) {
	if text = strings.TrimSpace(text); len(text) == 2*len(person) && !strings.ContainsAny(text, ":./") {
		err = person.UnmarshalText([]byte(text))
		if err == nil && !person.Known() {
			err = ErrNobody
		}
		return network, person, err
	}
	network, err = ParseNetwork(text)
	return network, person, err
}

// check says what is wrong with a decision that somebody wants to make now.
func (d *decision) check() error {
	switch {
	case len(d.Who) == 0 && len(d.People) == 0 && d.Report == "":
		return ErrNoNetwork
	case len(d.Reason) > MaxReason || !utf8.ValidString(d.Reason) || strings.ContainsFunc(d.Reason, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return ErrReason
	case known[d.Do] && (!d.Until.After(d.At) || d.Until.Sub(d.At) > MaxTime):
		return ErrNotTimeLeft
	}
	return nil
}

// inForce tells whether a ban has not ended.
func (d *decision) inForce(now time.Time) bool { return now.Before(d.Until) }

func (d *decision) ban(network netip.Prefix) Ban {
	return Ban{Network: network, Until: d.Until, Reason: d.Reason, By: d.By, At: d.At}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendLine appends a decision as it stands in the file.
func appendLine(dst []byte, d *decision) []byte {
	text, err := json.Marshal(d)
	if err != nil {
		panic(err) // prefixes, strings and times of this century
	}
	dst = fmt.Appendf(dst, "%08x ", crc32.Checksum(text, castagnoli))
	dst = append(dst, text...)
	return append(dst, '\n')
}

// parseLine reads a line without its LF. False: it is none that was written whole.
func parseLine(line []byte) (*decision, bool) {
	if len(line) < 10 || line[8] != ' ' {
		return nil, false
	}
	sum, err := strconv.ParseUint(string(line[:8]), 16, 32)
	if err != nil || uint32(sum) != crc32.Checksum(line[9:], castagnoli) {
		return nil, false
	}
	d := new(decision)
	if json.Unmarshal(line[9:], d) != nil {
		return nil, false
	}
	if _, is := known[d.Do]; !is {
		return nil, false
	}
	for _, p := range d.Who {
		if !p.IsValid() {
			return nil, false
		}
	}
	return d, true
}
