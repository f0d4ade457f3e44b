package servertest

import (
	"bytes"
	"sync"
)

// Buffer is a buffer that one goroutine writes while others read it: a log, or
// what a process prints.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

// Write implements [io.Writer].
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// Bytes returns a copy of what has been written so far.
func (b *Buffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.b.Bytes())
}

// String is Bytes as a string.
func (b *Buffer) String() string { return string(b.Bytes()) }
