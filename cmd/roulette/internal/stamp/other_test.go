package stamp

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"
	"testing"
)

// BenchmarkOthers is what the other MACs of the standard library take for a link of the
// chain: why it is GMAC, and why the tag before is its plaintext.
func BenchmarkOthers(b *testing.B) {
	key := make([]byte, 32)
	gcm := func(size int) cipher.AEAD {
		block, err := aes.NewCipher(key[:size])
		if err != nil {
			b.Fatal(err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			b.Fatal(err)
		}
		return aead
	}
	small, large, mac := gcm(16), gcm(32), hmac.New(sha256.New, key)
	digest := func(h hash.Hash) func(tag, frame, out []byte) {
		return func(tag, frame, out []byte) {
			h.Reset()
			h.Write(tag)
			h.Write(frame)
			h.Sum(out[:0])
		}
	}
	nonce := make([]byte, 12)
	var copied []byte
	for _, size := range []int{64, 16 << 10} {
		frame := make([]byte, size)
		for _, o := range []struct {
			name string
			link func(tag, frame, out []byte)
		}{
			{"GMAC, tag as plaintext", func(tag, frame, out []byte) { small.Seal(out[:0], nonce, tag, frame) }},
			{"GMAC-256, tag as plaintext", func(tag, frame, out []byte) { large.Seal(out[:0], nonce, tag, frame) }},
			{"GMAC, tag and frame copied", func(tag, frame, out []byte) {
				copied = append(append(copied[:0], tag...), frame...)
				small.Seal(out[:0], nonce, nil, copied)
			}},
			{"HMAC-SHA-256", digest(mac)},
			{"SHA-256, key first", digest(sha256.New())},
		} {
			b.Run(fmt.Sprintf("size=%d/%s", size, o.name), func(b *testing.B) {
				tag, out := make([]byte, 16), make([]byte, 64)
				b.SetBytes(int64(size))
				for b.Loop() {
					o.link(tag, frame, out)
				}
			})
		}
	}
}
