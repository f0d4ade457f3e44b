package tls13

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"hash"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	mostSecret = 48 // SHA-384's size
	nonceSize  = 12
	tagSize    = 16 // of all three (5.3)
)

// suite is what a cipher suite of TLS 1.3 consists of (B.4).
type suite struct {
	id     uint16
	secret int // bytes of a traffic secret: the hash's size
	key    int // bytes
	hash   func() hash.Hash
	aead   func(key []byte) (cipher.AEAD, error)
}

// suites are all that crypto/tls offers. A Session has the index.
var suites = [...]suite{
	{tls.TLS_AES_128_GCM_SHA256, sha256.Size, 16, sha256.New, newGCM},
	{tls.TLS_AES_256_GCM_SHA384, sha512.Size384, 32, sha512.New384, newGCM},
	{tls.TLS_CHACHA20_POLY1305_SHA256, sha256.Size, chacha20poly1305.KeySize, sha256.New, chacha20poly1305.New},
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
