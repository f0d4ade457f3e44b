package host

import (
	"path/filepath"
	"testing"
)

// TestFreeBytes: a folder has room, and one that is not there is an error.
func TestFreeBytes(t *testing.T) {
	dir := t.TempDir()
	if free, err := FreeBytes(dir); err != nil || free < 1<<20 {
		t.Errorf("%v bytes, %v", free, err)
	}
	if _, err := FreeBytes(filepath.Join(dir, "none")); err == nil {
		t.Error("of a folder that is not there")
	}
}
