package cluster

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"roulette/cmd/roulette/internal/endtoend/program"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"roulette/cmd/roulette/internal/servertest"
)

// enemy is whoever may publish on the bus: it has heard what nodes say to each other.
type enemy struct {
	t      *testing.T
	conn   *nats.Conn
	random *rand.Rand

	mu    sync.Mutex
	heard []word // Guarded by mu.
}

type word struct {
	subject string
	data    []byte
}

// The fields of a word, as package mesh has them: version 1 | op 1 | world 4 | from 8 | seq 8 | size 4.
const (
	atOp, atWorld, atFrom, atSeq, atSize, headerSize = 1, 2, 6, 14, 22, 26

	opBeat, opOffer, opData, ops = 1, 2, 8, 25
)

func newEnemy(t *testing.T, b *program.Bus) *enemy {
	t.Helper()
	conn, err := nats.Connect(b.URL(), nats.NoEcho())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	e := &enemy{t: t, conn: conn, random: rand.New(rand.NewPCG(seed, 0))}
	if _, err := conn.Subscribe("roulette.>", func(m *nats.Msg) {
		e.mu.Lock()
		defer e.mu.Unlock()
		for packet := m.Data; len(packet) >= headerSize && len(e.heard) < 2000; {
			end := headerSize + int(binary.BigEndian.Uint32(packet[atSize:]))
			e.heard = append(e.heard, word{m.Subject, slices.Clone(packet[:end])})
			packet = packet[end:]
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	return e
}

// some are words that were heard, all kinds among them.
func (e *enemy) some() []word {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := slices.Clone(e.heard)
	e.random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

func (e *enemy) say(subject string, data []byte) {
	e.t.Helper()
	if err := e.conn.Publish(subject, data); err != nil {
		e.t.Fatal(err)
	}
}

// sayAll says something made of each word that was heard.
func (e *enemy) sayAll(made func(data []byte) []byte) {
	e.t.Helper()
	for _, w := range e.some() {
		e.say(w.subject, made(slices.Clone(w.data)))
	}
	if err := e.conn.Flush(); err != nil {
		e.t.Fatal(err)
	}
}

// sized notes how much of a word follows its header.
func sized(word []byte) []byte {
	binary.BigEndian.PutUint32(word[atSize:], uint32(len(word)-headerSize))
	return word
}

// fake is a node of the enemy's: it beats, and says what it likes, well numbered.
type fake struct {
	*enemy
	node uint64
	seq  uint64
}

// word is one of an op, with so many bytes of numbers, all n, behind the header.
func (f *fake) word(op byte, numbers int, n uint64) []byte {
	heard := f.some()[0].data
	b := slices.Clone(heard[:headerSize])
	f.seq++
	b[0], b[atOp] = 1, op
	binary.BigEndian.PutUint64(b[atFrom:], f.node)
	binary.BigEndian.PutUint64(b[atSeq:], f.seq)
	for range numbers {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return sized(b)
}

// beat says that everybody in the world waits there.
func (f *fake) beat() {
	f.t.Helper()
	for _, w := range f.some() {
		if w.data[atOp] != opBeat {
			continue
		}
		b := slices.Clone(w.data)
		binary.BigEndian.PutUint64(b[atFrom:], f.node)
		b[headerSize+1] = 2 // open to all
		binary.BigEndian.PutUint32(b[headerSize+2:], math.MaxUint32)
		f.say(w.subject, sized(b))
		return
	}
	f.t.Fatal("no beat was heard")
}

// TestBadWords: whatever comes by the bus, no chat on one node notices, memory stays, what
// was refused is counted by kind, and those who are honest still meet.
func TestBadWords(t *testing.T) {
	s := newScene(t)
	e := newEnemy(t, s.bus)
	talk(s.a, s.b, 20)
	subjects := map[string]bool{}
	servertest.Await(t, "words of all nodes", func() bool {
		beats := false
		for _, w := range e.some() {
			subjects[w.subject] = true
			beats = beats || w.data[atOp] == opBeat
		}
		return beats && len(subjects) >= 3
	})
	before := s.nodes[0].Metrics(t)
	f := &fake{enemy: e, node: e.random.Uint64()}

	for _, attack := range []struct {
		what string
		make func()
	}{
		{"garbage on every subject", func() {
			for subject := range subjects {
				for range 300 {
					b := make([]byte, e.random.IntN(200))
					for i := range b {
						b[i] = byte(e.random.Uint32())
					}
					e.say(subject, b)
				}
			}
		}},
		{"cut words", func() { e.sayAll(func(b []byte) []byte { return b[:e.random.IntN(len(b))] }) }},
		{"words with a wrong byte", func() {
			for range 5 {
				e.sayAll(func(b []byte) []byte { b[e.random.IntN(len(b))] ^= 1 << e.random.IntN(8); return b })
			}
		}},
		{"words with more behind", func() { e.sayAll(func(b []byte) []byte { return append(b, make([]byte, 100)...) }) }},
		{"words with a wrong size", func() {
			e.sayAll(func(b []byte) []byte {
				binary.BigEndian.PutUint32(b[atSize:], e.random.Uint32()>>e.random.IntN(32))
				return b
			})
		}},
		{"words with more in them", func() { e.sayAll(func(b []byte) []byte { return sized(append(b, make([]byte, 100)...)) }) }},
		{"old and future versions", func() { e.sayAll(func(b []byte) []byte { b[0] = byte(e.random.IntN(256)); return b }) }},
		{"another world", func() { e.sayAll(func(b []byte) []byte { b[atWorld] ^= 0xff; return b }) }},
		{"all once more", func() { e.sayAll(func(b []byte) []byte { return b }) }},
		{"of a node that was never heard", func() {
			e.sayAll(func(b []byte) []byte { binary.BigEndian.PutUint64(b[atFrom:], e.random.Uint64()); return b })
		}},
		{"a node with a million waiters, which answers nothing", f.beat},
		{"commits, credits and data for nobody", func() {
			for subject := range subjects {
				for _, n := range []uint64{0, 1, 2, 3, math.MaxInt64, math.MaxUint64} {
					for op := range byte(ops) {
						for numbers := range 6 {
							e.say(subject, f.word(op, numbers, n))
						}
					}
				}
			}
		}},
		{"offers without end", func() {
			for subject := range subjects {
				for n := range uint64(1000) {
					b := f.word(opOffer, 2, n)           // offer, person
					b = append(b, make([]byte, 9+16)...) // no interests, languages, table; patient; waited; nobody known
					e.say(subject, sized(b))
				}
			}
		}},
		{"big data", func() {
			for subject := range subjects {
				for n := range uint64(40) {
					e.say(subject, sized(append(f.word(opData, 3, n), make([]byte, 500<<10)...)))
				}
			}
		}},
	} {
		t.Run(attack.what, func(t *testing.T) {
			attack.make()
			if err := e.conn.FlushTimeout(servertest.Patience); err != nil {
				t.Fatal(err)
			}
			f.beat()
			talk(s.x, s.y, 50)
		})
	}
	after := s.nodes[0].Metrics(t)
	for _, reason := range []string{"malformed", "strange", "stale", "repeated"} {
		name := fmt.Sprintf("roulette_cluster_refused_words_total{reason=%q}", reason)
		if !(after[name] > before[name]) {
			t.Errorf("%s: %v, and %v before", name, after[name], before[name])
		}
	}
	if grown := after["process_resident_memory_bytes"] - before["process_resident_memory_bytes"]; grown > 64<<20 {
		t.Errorf("grown by %.0f MiB", grown/(1<<20))
	}

	// Two who come now have to find each other beside the fake node.
	began := time.Now()
	c, d := arrive(t, s.nodes[0]), arrive(t, s.nodes[1])
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(500 * time.Millisecond):
				f.beat()
			}
		}
	}()
	meet(c, d)
	talk(c, d, 10)
	close(stop)
	<-stopped
	t.Logf("beside a node that only says that it has somebody, two have met after %v", time.Since(began).Round(time.Millisecond))
}
