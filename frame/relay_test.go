package frame

import (
	"bytes"
	"testing"

	"github.com/gobwas/ws"
)

// relay is a server's use of a Decoder, without a server.
type relay struct {
	t       *testing.T
	decoder Decoder
	most    int
	apart   bool

	first, joined    []byte // to be written next
	frames, controls []byte // what was written, and what has come
	offence          *Error
}

// write writes what has gathered.
func (r *relay) write() {
	r.frames = append(append(r.frames, r.first...), r.joined...)
	r.first, r.joined = nil, nil
}

// read takes what one read has brought.
func (r *relay) read(b []byte) {
	d := &r.decoder
	defer func() {
		r.write()
		clear(b) // I3: the buffer is somebody else's
		scribble()
	}()
	for {
		var (
			m   Message
			err *Error
		)
		if len(r.joined) == 0 {
			b = r.run(b)
			if r.offence != nil {
				return
			}
		}
		r.flush()
		if m, b, err = d.Next(b); err != nil {
			r.offence = err
			return
		}
		switch {
		case m.Op == ws.OpContinuation:
			return
		case m.Op.IsControl():
			r.controls = AppendMessage(r.controls, m.Op, m.Payload)
			if r.apart {
				r.write()
			}
		case m.Gathered:
			r.write()
			r.first = m.Frame
		default:
			joined, ok := Join(r.joined, m.Frame)
			if !ok {
				r.t.Fatal("two frames of one read do not join")
			}
			r.joined = joined
		}
	}
}

// run lets Run take what it can of b and returns the rest.
func (r *relay) run(b []byte) []byte {
	got, rest, err := r.decoder.Run(b, r.most)
	messages, payload := 0, 0
	for f := got.Frames; len(f) > 0; messages++ {
		h, err := ws.ReadHeader(bytes.NewReader(f))
		if err != nil || h.Masked || !h.Fin || h.OpCode.IsControl() {
			r.t.Fatalf("a run of %x", got.Frames)
		}
		payload += int(h.Length)
		if f = f[ws.HeaderSize(h):]; h.OpCode == ws.OpText && h.Length > 0 && f[0] == recordSeparator {
			r.t.Fatal("a control message is relayed")
		}
		f = f[h.Length:]
	}
	if messages != got.Texts+got.Binaries || messages > r.most || payload != got.Payload {
		r.t.Fatalf("%d messages of %d bytes counted as %+v, most %d", messages, payload, got, r.most)
	}
	r.joined = got.Frames
	if err != nil {
		r.offence = err
	}
	return rest
}

// flush writes a gathered message, which lives only until Next.
func (r *relay) flush() {
	if len(r.first) > 0 {
		r.write()
	}
}
