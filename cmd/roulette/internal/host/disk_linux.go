package host

import (
	"fmt"
	"syscall"
)

// FreeBytes is how much the file system that dir is on has left for this process.
func FreeBytes(dir string) (float64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("host: statfs: %w", err)
	}
	return float64(s.Bavail) * float64(s.Bsize), nil
}
