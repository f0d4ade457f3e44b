package stamp

import (
	"crypto/aes"
	"crypto/cipher"

	"roulette/cmd/roulette/internal/safety"
)

// Blocks names people to those who have blocked them, who keep the names: a name is the
// same whenever and wherever the same person is blocked by the same one, and says
// nothing to others, or without the secret.
type Blocks struct {
	names, tweaks cipher.Block
}

// NameSize is the length of a name as text.
const NameSize = 22

// NewBlocks names people with a secret.
func NewBlocks(secret *safety.Secret) *Blocks {
	block := func(purpose string) cipher.Block {
		key := secret.For(purpose)
		b, err := aes.NewCipher(key[:16])
		if err != nil {
			panic(err) // the length is right
		}
		return b
	}
	return &Blocks{names: block("block name"), tweaks: block("block tweak")}
}

// AppendName appends what the blocked is called by one who blocks them: their number,
// enciphered with the other's as the tweak (XEX).
func (b *Blocks) AppendName(dst []byte, by, blocked safety.Person) []byte {
	var tweak, name [16]byte
	b.tweaks.Encrypt(tweak[:], by[:])
	for i := range name {
		name[i] = blocked[i] ^ tweak[i]
	}
	b.names.Encrypt(name[:], name[:])
	for i := range name {
		name[i] ^= tweak[i]
	}
	return text.AppendEncode(dst, name[:])
}

// Named is whom one who has blocked them calls so. A name that was made up is of
// somebody who is not there. False: it is no name.
func (b *Blocks) Named(by safety.Person, name string) (blocked safety.Person, ok bool) {
	var raw [18]byte
	if len(name) != NameSize {
		return blocked, false
	}
	if n, err := text.Decode(raw[:], []byte(name)); err != nil || n != len(blocked) {
		return blocked, false
	}
	var tweak [16]byte
	b.tweaks.Encrypt(tweak[:], by[:])
	for i := range blocked {
		blocked[i] = raw[i] ^ tweak[i]
	}
	b.names.Decrypt(blocked[:], blocked[:])
	for i := range blocked {
		blocked[i] ^= tweak[i]
	}
	return blocked, blocked.Known()
}
