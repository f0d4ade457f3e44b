package host

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

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
	// Its size is their number since Linux 6.2.
	if info, err := os.Stat("/proc/self/fd"); err == nil && info.Size() > 0 {
		return int(info.Size())
	}
	return askDescriptors()
}

// askDescriptors asks of one number after the other whether it is open. Listing
// them would have the kernel make an inode for each.
func askDescriptors() int {
	const closed = unix.POLLNVAL
	room, err := descriptorTable()
	if err != nil {
		return -1
	}
	open, batch := 0, make([]unix.PollFd, min(room, 1024))
	for first := 0; first < room; first += len(batch) {
		batch = batch[:min(len(batch), room-first)]
		for i := range batch {
			batch[i] = unix.PollFd{Fd: int32(first + i)}
		}
		_, err := unix.Poll(batch, 0)
		for err == unix.EINTR {
			_, err = unix.Poll(batch, 0)
		}
		if err != nil {
			return -1
		}
		for i := range batch {
			if batch[i].Revents&closed == 0 {
				open++
			}
		}
	}
	return open
}

// descriptorTable is what all numbers are below.
func descriptorTable() (int, error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if size, ok := strings.CutPrefix(line, "FDSize:"); ok {
			return strconv.Atoi(strings.TrimSpace(size))
		}
	}
	return 0, errors.New("host: no FDSize")
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
