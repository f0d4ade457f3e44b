package host

import (
	"os"
	"runtime/metrics"
	"strconv"
	"strings"
)

// Usage is the memory of the process, in bytes.
type Usage struct {
	RSS   int64  // resident; 0 if that cannot be known
	Heap  uint64 // objects, those that are garbage included
	Limit uint64 // GOMEMLIMIT; 0: none
}

// MemoryNow is what the process uses.
func MemoryNow() (u Usage) {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/gomemlimit:bytes"}}
	metrics.Read(samples)
	u.Heap = samples[0].Value.Uint64()
	if limit := samples[1].Value.Uint64(); limit < 1<<62 { // which is how it says that there is none
		u.Limit = limit
	}
	if statm, err := os.ReadFile("/proc/self/statm"); err == nil {
		if fields := strings.Fields(string(statm)); len(fields) > 1 {
			pages, _ := strconv.ParseInt(fields[1], 10, 64)
			u.RSS = pages * int64(os.Getpagesize())
		}
	}
	return u
}
