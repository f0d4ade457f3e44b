package netpoll

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// million opens a Poller with a million connections that have no sockets.
func million(b *testing.B, h hooks) (p *Poller, k *manualKernel) {
	const n = 1_000_000
	k = newManualKernel()
	p = open(b, Config{Kernel: k, Workers: 2}, h)
	onWorkers(b, p, func(w *Worker) {
		if got := len(withoutSockets(w, n/2)); got != n/2 {
			b.Errorf("%d connections", got)
		}
	})
	b.Cleanup(func() { // before they are closed: there is nothing to close
		onWorkers(b, p, func(w *Worker) { w.each(func(c *Conn) { drop(c) }) })
	})
	return p, k
}

// One look at each of a million idle connections, which is what a second costs
// beside the system calls.
func BenchmarkSweepMillion(b *testing.B) {
	var swept atomic.Int64
	p, k := million(b, hooks{sweep: func(w *Worker, c *Conn) {
		if w.Now()-c.Heard() > 1<<31 {
			swept.Add(1)
		}
	}})
	for b.Loop() {
		for range sweepTicks {
			k.tick(b, p.workers...)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e6, "ns/conn")
}

// A collection with a million connections: what it takes, and the share of the
// processors that it would be at one a minute, the runtime's least.
func BenchmarkCollectMillion(b *testing.B) {
	million(b, hooks{})
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := processorTime(b)
	n := 0
	for b.Loop() {
		runtime.GC()
		n++
	}
	used := processorTime(b) - begin
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(used.Microseconds())/1e3/float64(n), "cpu-ms/gc")
	b.ReportMetric(float64(after.PauseTotalNs-before.PauseTotalNs)/1e3/float64(n), "pause-µs/gc")
	b.ReportMetric(float64(after.HeapAlloc)/1e6, "B/conn")
	b.ReportMetric(100*used.Seconds()/float64(n)/60/float64(runtime.NumCPU()), "%cpu-at-1/min")
}

func processorTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A relay through two socketpairs, without epoll_wait: the
// calls of one message and what this package adds to them.
func BenchmarkRelayedRead(b *testing.B) {
	var to *Conn
	p := open(b, Config{Workers: 1}, hooks{read: func(w *Worker, c *Conn, bytes []byte) {
		to.Lock()
		to.Send(w, bytes, c)
		to.Unlock()
	}})
	w, k := p.workers[0], p.kernel
	from, client := socketpair(b, w)
	to, server := socketpair(b, w)
	message, got := make([]byte, 64), make([]byte, 128)
	on(b, w, func() {
		for b.Loop() {
			k.Write(client, message)
			from.ready(connEvents &^ hangUpEvents)
			k.Read(server, got)
		}
	})
}

// The same four system calls without anything around them.
func BenchmarkBareCalls(b *testing.B) {
	p := open(b, Config{Workers: 1}, hooks{})
	w, k := p.workers[0], p.kernel
	from, client := socketpair(b, w)
	to, server := socketpair(b, w)
	message, got := make([]byte, 64), make([]byte, 128)
	on(b, w, func() {
		for b.Loop() {
			k.Write(client, message)
			n, _ := k.Read(int(from.fd), w.buf)
			k.Write(int(to.fd), w.buf[:n])
			k.Read(server, got)
		}
	})
}

func BenchmarkTakeAndFreeSlot(b *testing.B) {
	p := open(b, Config{Workers: 1}, hooks{})
	on(b, p.workers[0], func() {
		w := p.workers[0]
		stay := withoutSockets(w, 1010) // the chunk stays
		for b.Loop() {
			c := w.add(1 << 20)
			drop(c)
		}
		drop(stay...)
	})
}
