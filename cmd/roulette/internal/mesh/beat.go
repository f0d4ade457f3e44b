package mesh

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"
	"time"
)

// Beat is what a node says of itself, each second.
type Beat struct {
	Minor    uint8
	Draining bool
	Open     bool   // somebody waits who takes anybody
	Online   uint32 // people in its chat
	Release  string // the program's version, for people
	Name     string // the node's, for people
	// Tags are hashes of what those who wait insist on.
	Tags []uint64
}

func (m *Beat) append(dst []byte) []byte {
	dst = append(dst, m.Minor, bit(m.Draining, 1)|bit(m.Open, 2))
	dst = binary.BigEndian.AppendUint32(dst, m.Online)
	dst = appendString(dst, m.Release)
	dst = appendString(dst, m.Name)
	dst = append(dst, byte(len(m.Tags)))
	for _, tag := range m.Tags {
		dst = binary.BigEndian.AppendUint64(dst, tag)
	}
	return dst
}

func (m *Beat) parse(r *reader) {
	m.Minor = r.byte()
	flags := r.byte()
	m.Draining, m.Open = flags&1 != 0, flags&2 != 0
	m.Online = r.uint32()
	m.Release, m.Name = r.string(maxString), r.string(maxString)
	n := int(r.byte())
	if n > maxTags {
		r.fail()
		return
	}
	m.Tags = make([]uint64, n)
	for i := range m.Tags {
		m.Tags[i] = r.uint64()
	}
}

// beat says what there is to say, each second, and sooner when that has changed.
func (m *Mesh) beat(waiting []Waiter) (said bool) {
	people, draining := m.config.Host.Online()
	b := Beat{Minor: MinorVersion, Draining: draining, Online: uint32(people), Release: m.config.Release, Name: m.config.Name}
	for _, w := range waiting {
		if s := &w.Stranger; !s.Patient && s.Table == "" {
			b.Open = true
		}
		for _, tag := range w.Stranger.tags() {
			if len(b.Tags) < maxTags && !slices.Contains(b.Tags, tag) {
				b.Tags = append(b.Tags, tag)
			}
		}
	}
	offers := fmt.Sprint(b.Draining, b.Open, b.Tags)
	since := m.now - m.beatAt
	if since < beatEvery && (since < beatSoonest || offers == m.beatSaid) {
		return false
	}
	m.beatAt, m.beatSaid = m.now, offers
	m.scratch = b.append(header{MajorVersion, opBeat, m.world, m.config.Self, 0}.append(m.scratch[:0]))
	m.publish(m.BeatSubject())
	return true
}

// pingOne pings the next node.
func (m *Mesh) pingOne() {
	all := m.byNode()
	if len(all) == 0 {
		return
	}
	m.pings++
	p := all[m.pings%uint64(len(all))]
	p.pinged, p.pingedAt = m.pings, time.Now()
	m.say(p, opPing, body{total: m.pings})
}

// tags are the hashes under which a beat shows s.
func (s *Stranger) tags() (tags []uint64) {
	if s.Table != "" {
		return []uint64{tag('t', s.Table)}
	}
	for _, interest := range s.Interests {
		tags = append(tags, tag('i', interest))
	}
	for _, language := range s.Languages {
		tags = append(tags, tag('l', language))
	}
	return tags
}

func tag(kind byte, text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(append([]byte{kind}, text...))
	return h.Sum64()
}

// hearBeat notes what a node says of itself. The first beat makes it known.
func (m *Mesh) hearBeat(p *peer, h header, r *reader) {
	foreign := h.version != MajorVersion
	var b Beat
	if !foreign {
		if b.parse(r); r.failed {
			m.stats.Malformed++
			return
		}
	}
	if p == nil {
		if len(m.peers) >= maxPeers {
			m.stats.Strange++
			return
		}
		// Whoever knew this node before, and was forgotten, has heard lower numbers:
		// the tally that is due tells it so.
		p = &peer{node: h.from, out: uint64(m.now) << 20}
		m.peers[h.from] = p
	}
	p.heard, p.foreign, p.beat = m.now, foreign, b
}

// maxPeers bounds the nodes that are known (I4).
const maxPeers = 1024

// fits reports whether somebody on p may suit s, as far as its beat tells.
func (p *peer) fits(s *Stranger) bool {
	if p.foreign || p.beat.Draining {
		return false
	}
	if s.Table == "" && !s.Patient && p.beat.Open {
		return true
	}
	return slices.ContainsFunc(s.tags(), func(t uint64) bool { return slices.Contains(p.beat.Tags, t) })
}
