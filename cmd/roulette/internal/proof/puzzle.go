package proof

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"sync"
	"time"
)

// The shape of all puzzles.
const (
	Rounds  = 256
	Parts   = 8
	MaxBits = 8
	Fresh   = time.Minute // after a puzzle was asked
)

// Puzzle is what a client is asked.
type Puzzle struct {
	Seed string
	Bits int
}

// Answers are a number for each part.
type Answers [Parts]uint32

// derive tells whether n is an answer to a part.
func (p *Puzzle) derive(part, n uint32) bool {
	var salt [8]byte
	binary.BigEndian.PutUint32(salt[:], part)
	binary.BigEndian.PutUint32(salt[4:], n)
	sum, err := pbkdf2.Key(sha256.New, p.Seed, salt[:], Rounds, sha256.Size)
	return err == nil && bits.LeadingZeros64(binary.BigEndian.Uint64(sum)) >= p.Bits
}

// Solve finds answers, in some 2^Bits derivations for each. False: stop has been closed.
func (p *Puzzle) Solve(stop <-chan struct{}) (a Answers, ok bool) {
	for part := range a {
		for n := uint32(0); ; n++ {
			select {
			case <-stop:
				return a, false
			default:
			}
			if p.derive(uint32(part), n) {
				a[part] = n
				break
			}
			if n == math.MaxUint32 {
				return a, false
			}
		}
	}
	return a, true
}

// Verify tells whether all answers are right.
func (p *Puzzle) Verify(a *Answers) bool {
	for part, n := range a {
		if !p.derive(uint32(part), n) {
			return false
		}
	}
	return true
}

// Why a proof is not looked at.
var (
	ErrForeign = errors.New("proof: no puzzle of this client")
	ErrLate    = errors.New("proof: the puzzle is too old")
	ErrTwice   = errors.New("proof: the puzzle has been answered")
)

// The layout of a seed before base64: Unix time 4, bits 1, a number 8, MAC 8.
const (
	claimsSize = 4 + 1 + 8
	seedSize   = claimsSize + 8

	// SeedSize is its length as text.
	SeedSize = seedSize * 8 / 6
)

var seedText = base64.RawURLEncoding.Strict()

// Issuer makes puzzles, and knows which were answered. Any goroutine may call any method.
type Issuer struct {
	key [sha256.Size]byte // immutable

	mu sync.Mutex
	// Guarded by mu: the numbers of puzzles that were claimed, of the last minute or so.
	young, old map[uint64]struct{}
	turned     time.Time
}

// MaxClaims bounds the claims that are remembered in each of two generations (I4).
const MaxClaims = 1 << 16

// NewIssuer makes one. Whoever has the same key takes its puzzles.
func NewIssuer(key [sha256.Size]byte) *Issuer { return &Issuer{key: key} }

// Ask is a puzzle for a client, whom holder tells from others.
func (s *Issuer) Ask(holder uint64, difficulty int, now time.Time) Puzzle {
	var raw [seedSize]byte
	binary.BigEndian.PutUint32(raw[:], uint32(now.Unix()))
	raw[4] = byte(min(max(difficulty, 0), MaxBits))
	_, _ = rand.Read(raw[5:claimsSize]) // never fails
	s.seal(&raw, holder)
	return Puzzle{seedText.EncodeToString(raw[:]), int(raw[4])}
}

func (s *Issuer) seal(raw *[seedSize]byte, holder uint64) {
	h := hmac.New(sha256.New, s.key[:])
	h.Write(raw[:claimsSize])
	_ = binary.Write(h, binary.BigEndian, holder) // never fails
	copy(raw[claimsSize:], h.Sum(nil))
}

// Claim is the puzzle with this seed, which a client has answered. It can do so once.
func (s *Issuer) Claim(seed string, holder uint64, now time.Time) (p Puzzle, err error) {
	var raw [seedSize]byte
	if len(seed) != SeedSize {
		return p, ErrForeign
	}
	if n, err := seedText.Decode(raw[:], []byte(seed)); err != nil || n != seedSize {
		return p, ErrForeign
	}
	sealed := raw
	if s.seal(&sealed, holder); !hmac.Equal(sealed[:], raw[:]) {
		return p, ErrForeign
	}
	age := now.Unix() - int64(binary.BigEndian.Uint32(raw[:]))
	if age > int64(Fresh.Seconds()) || age < -int64(Fresh.Seconds()) {
		return p, ErrLate
	}
	if !s.first(binary.BigEndian.Uint64(raw[5:]), now) {
		return p, ErrTwice
	}
	return Puzzle{seed, int(raw[4])}, nil
}

// first notes a claim. False: there was one before, or there are too many to know.
func (s *Issuer) first(number uint64, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if age := now.Sub(s.turned); s.young == nil || age > 2*Fresh || age < 0 {
		s.old, s.young, s.turned = s.young, make(map[uint64]struct{}), now
	}
	if _, twice := s.young[number]; twice {
		return false
	}
	if _, twice := s.old[number]; twice || len(s.young) >= MaxClaims {
		return false
	}
	s.young[number] = struct{}{}
	return true
}
