package host

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAskDescriptors: counting by asking finds as many as the kernel lists, with
// numbers that are not dense and far above.
func TestAskDescriptors(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	for _, from := range []int{3, 300, 1023, 1024, 1025, 3000} {
		fd, err := unix.FcntlInt(r.Fd(), unix.F_DUPFD_CLOEXEC, from)
		if err != nil {
			t.Skipf("no descriptor from %d: %v", from, err)
		}
		defer unix.Close(fd)
		listed, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		if n := askDescriptors(); n != len(listed)-1 { // the listing's own
			t.Errorf("a duplicate from %d: asked %d, listed %d", from, n, len(listed)-1)
		}
	}
}
