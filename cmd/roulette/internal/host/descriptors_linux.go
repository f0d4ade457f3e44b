package host

import (
	"fmt"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// RaiseDescriptorLimit raises the soft limit of open descriptors to the hard
// one and returns it.
func RaiseDescriptorLimit() (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("host: descriptor limit: %w", err)
	}
	if limit.Cur < limit.Max {
		raised := unix.Rlimit{Cur: limit.Max, Max: limit.Max}
		if unix.Setrlimit(unix.RLIMIT_NOFILE, &raised) == nil {
			limit = raised
		}
	}
	return int(min(limit.Cur, math.MaxInt32)), nil
}

// OpenDescriptors is how many there are; -1 if that cannot be known.
func OpenDescriptors() int {
	// Its size is their number since Linux 6.2, which spares listing them all.
	if info, err := os.Stat("/proc/self/fd"); err == nil && info.Size() > 0 {
		return int(info.Size())
	}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(entries)
}

// DescriptorLeft tells whether another descriptor is to be had.
func DescriptorLeft() bool {
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	unix.Close(fd)
	return true
}
