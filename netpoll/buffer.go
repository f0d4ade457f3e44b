package netpoll

import (
	"math/bits"
	"sync"
)

// buffer is a pooled queue of bytes: appended to at its end, consumed from its
// front.
type buffer struct {
	bytes []byte
	from  int // bytes[from:] waits

	progress uint32 // of a backlog: Worker.Now when the socket last took something of it
}

const (
	smallestBuffer = 9  // 512 B, as a power of two
	largestBuffer  = 20 // 1 MiB; larger ones are left to the garbage collector
)

// buffers has a pool for each power of two.
var buffers [largestBuffer + 1]sync.Pool

func newBuffer(size int) *buffer {
	class := max(bits.Len(uint(size-1)), smallestBuffer)
	if class > largestBuffer {
		return &buffer{bytes: make([]byte, 0, size)}
	}
	if b, ok := buffers[class].Get().(*buffer); ok {
		return b
	}
	return &buffer{bytes: make([]byte, 0, 1<<class)}
}

// free gives b back, wiped: what waited was people's.
func (b *buffer) free() {
	clear(b.bytes[:cap(b.bytes)])
	class := bits.Len(uint(cap(b.bytes) - 1))
	if class <= largestBuffer && cap(b.bytes) == 1<<class {
		b.bytes, b.from, b.progress = b.bytes[:0], 0, 0
		buffers[class].Put(b)
	}
}

func (b *buffer) len() int        { return len(b.bytes) - b.from }
func (b *buffer) waiting() []byte { return b.bytes[b.from:] }

// append returns the buffer that holds both, which may be another one than b.
func (b *buffer) append(p []byte) *buffer {
	b = b.grow(len(p))
	b.bytes = append(b.bytes, p...)
	return b
}

// grow returns the buffer that has room for n more bytes, which may be another
// one than b.
func (b *buffer) grow(n int) *buffer {
	switch {
	case len(b.bytes)+n <= cap(b.bytes):
	case b.len()+n <= cap(b.bytes):
		b.bytes = b.bytes[:copy(b.bytes[:cap(b.bytes)], b.waiting())]
		b.from = 0
	default:
		larger := newBuffer(b.len() + n)
		larger.bytes = append(larger.bytes, b.waiting()...)
		larger.progress = b.progress
		b.free()
		b = larger
	}
	return b
}
