package frame

import "unsafe"

// Join appends the frame f of a later message to out, the frames of earlier
// messages of the same read, so that they leave in one write. f is moved down to
// the end of out and never copied to another array: it must stand behind out in
// the same array, as the frames that [Decoder.Next] leaves in b do. Where it
// does not, because one of the two was gathered, ok is false, nothing has been
// moved, and out is to be written first.
//
// With an empty out Join returns f itself.
//
// What stood between out and the end of f is overwritten: f is no longer where
// it was, and the payload of a control frame that came before it must have been
// answered.
func Join(out, f []byte) (joined []byte, ok bool) {
	if len(out) == 0 {
		return f, true
	}
	if len(f) == 0 {
		return out, true
	}
	// Distances within one array, computed as numbers: f may be anywhere.
	end := uintptr(unsafe.Pointer(unsafe.SliceData(out))) + uintptr(len(out))
	gap := uintptr(unsafe.Pointer(unsafe.SliceData(f))) - end
	free := uintptr(cap(out) - len(out))
	if gap > free || uintptr(len(f)) > free-gap {
		return out, false
	}
	return append(out, f...), true // f does not start before the end of out
}
