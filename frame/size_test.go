package frame

import (
	"testing"
	"unsafe"
)

// A server has one Decoder for each connection in the middle of a message.
func TestDecoderIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(Decoder{}); n > 80 {
		t.Errorf("a Decoder has %d bytes", n)
	}
}
