//go:build linux

package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Sample is what a process has used at one moment.
type Sample struct {
	CPU         time.Duration `json:"cpu_ns"`    // user and system, since it started
	RSS         int64         `json:"rss_bytes"` // resident memory
	Own         int64         `json:"own_bytes"` // of it, what is no file's: without the pages of its program
	Descriptors int           `json:"descriptors"`
}

// clockTick is the unit of /proc/PID/stat on Linux, USER_HZ.
const clockTick = 10 * time.Millisecond

// readSample samples a process and its children, which are there the whole time.
func readSample(pid int) (Sample, error) {
	all, err := readProcess(pid)
	for _, child := range children(pid) {
		s, err := readSample(child)
		if err != nil { // it has ended
			continue
		}
		all.CPU, all.RSS, all.Own, all.Descriptors = all.CPU+s.CPU, all.RSS+s.RSS, all.Own+s.Own, all.Descriptors+s.Descriptors
	}
	return all, err
}

// children are those of all threads of a process; none where the kernel does not say.
func children(pid int) (pids []int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // the pattern is good
	for _, file := range files {
		b, _ := os.ReadFile(file)
		for _, field := range strings.Fields(string(b)) {
			if child, err := strconv.Atoi(field); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

// readProcess reads /proc/PID: stat for the CPU time, smaps_rollup or, where that
// cannot be read, status for the memory.
func readProcess(pid int) (Sample, error) {
	var s Sample
	cpu, err := readCPU(pid)
	if err != nil {
		return s, fmt.Errorf("bench: server: %w", err)
	}
	s.CPU = cpu
	dir := fmt.Sprintf("/proc/%d/", pid)
	if s.RSS, s.Own, err = memory(dir+"smaps_rollup", "Rss:", "Anonymous:"); err != nil {
		if s.RSS, s.Own, err = memory(dir+"status", "VmRSS:", "RssAnon:"); err != nil {
			return s, fmt.Errorf("bench: server: %w", err)
		}
	}
	// Its size is their number since Linux 6.2, which spares listing them all.
	if info, err := os.Stat(dir + "fd"); err == nil && info.Size() > 0 {
		s.Descriptors = int(info.Size())
	} else if entries, err := os.ReadDir(dir + "fd"); err == nil {
		s.Descriptors = len(entries)
	}
	return s, nil
}

// readCPUs is the CPU time of a process and its children.
func readCPUs(pid int) (time.Duration, error) {
	all, err := readCPU(pid)
	for _, child := range children(pid) {
		cpu, _ := readCPUs(child) // it may have ended
		all += cpu
	}
	return all, err
}

func readCPU(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, second, may hold blanks: count from its closing parenthesis.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat: %d fields", pid, len(fields))
	}
	var ticks int64
	for _, f := range fields[11:13] { // utime, stime
		v, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += v
	}
	return time.Duration(ticks) * clockTick, nil
}

// memory reads two lines of a file of /proc, in kilobytes.
func memory(file, rssKey, ownKey string) (rss, own int64, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, 0, err
	}
	for _, line := range []struct {
		key string
		to  *int64
	}{{rssKey, &rss}, {ownKey, &own}} {
		_, rest, found := strings.Cut("\n"+string(b), "\n"+line.key)
		fields := strings.Fields(rest)
		if !found || len(fields) == 0 {
			return 0, 0, fmt.Errorf("%s: no %s", file, line.key)
		}
		kb, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("%s: %w", file, err)
		}
		*line.to = kb << 10
	}
	return rss, own, nil
}

// settle waits until the server has used no CPU for c.Settle, for three times that at
// most: one that gives memory back when a crowd has come does so meanwhile.
func (c *Config) settle(ctx context.Context) {
	const looks = 15
	pid, last := c.PID, time.Duration(0)
	for i, quiet := 0, 0; i < 3*looks && quiet < looks && ctx.Err() == nil; i++ {
		pause(ctx, c.Settle/looks)
		if pid == 0 {
			quiet++
			continue
		}
		cpu, err := readCPU(pid)
		if err != nil {
			return
		}
		quiet++
		if cpu != last {
			quiet = 0
		}
		last = cpu
	}
}

// calmOwn waits for c.Calm and returns what the process has then: the median of the
// second half, for garbage comes and goes.
func (c *Config) calmOwn(ctx context.Context) (int64, error) {
	const looks = 15
	pause(ctx, c.Calm/2)
	var seen []int64
	for range looks {
		pause(ctx, c.Calm/2/looks)
		s, err := readSample(c.PID)
		if err != nil {
			return 0, err
		}
		seen = append(seen, s.Own)
	}
	slices.Sort(seen)
	return seen[looks/2], nil
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
