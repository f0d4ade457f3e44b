package metrics

import (
	"fmt"
	"io"
	"math"
	"reflect"
	"syscall"
	"testing"
	"time"
)

// countable calls f with every number in c, named by its path, so that a new
// field cannot be forgotten by a test.
func countable(c *Counters, f func(path string, v reflect.Value)) {
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				if name := v.Type().Field(i).Name; name != "_" && name != "layout" {
					walk(path+"."+name, v.Field(i))
				}
			}
		case reflect.Array:
			for i := range v.Len() {
				walk(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
			}
		default:
			// Histogram's fields are unexported; they are ours to write.
			f(path, reflect.NewAt(v.Type(), v.Addr().UnsafePointer()).Elem())
		}
	}
	walk("", reflect.ValueOf(c).Elem())
}

// fill sets every number of c to a value of its own.
func fill(c *Counters, from int64) {
	countable(c, func(_ string, v reflect.Value) {
		from++
		v.Set(reflect.ValueOf(from).Convert(v.Type()))
	})
}

func TestAddSumsEveryField(t *testing.T) {
	a, b := NewCounters(), NewCounters()
	fill(a, 1000)
	fill(b, 500000)
	sum := *a
	sum.Add(b)

	var as, bs []float64
	number := func(v reflect.Value) float64 {
		return v.Convert(reflect.TypeFor[float64]()).Float()
	}
	countable(a, func(_ string, v reflect.Value) { as = append(as, number(v)) })
	countable(b, func(_ string, v reflect.Value) { bs = append(bs, number(v)) })
	i := 0
	countable(&sum, func(path string, v reflect.Value) {
		if got, want := number(v), as[i]+bs[i]; got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
		i++
	})
	if i < 100 {
		t.Fatalf("only %d numbers found", i)
	}
}

func TestAddToZeroAndOfZero(t *testing.T) {
	full := NewCounters()
	fill(full, 0)
	var sum Counters
	sum.Add(full)
	sum.Add(new(Counters))
	if sum != *full {
		t.Error("zero + full + zero is not full")
	}
}

func TestWorkersShareNoCacheLine(t *testing.T) {
	neighbours := make([]Counters, 2)
	for i := range neighbours {
		neighbours[i].Init()
	}
	var last, first uintptr
	countable(&neighbours[0], func(_ string, v reflect.Value) { last = max(last, v.Addr().Pointer()) })
	first = math.MaxUint
	countable(&neighbours[1], func(_ string, v reflect.Value) { first = min(first, v.Addr().Pointer()) })
	if first-last < cacheLine+8 {
		t.Errorf("neighbours' fields are %d bytes apart", first-last)
	}
	// The same towards whatever else is allocated before and after.
	base := reflect.ValueOf(&neighbours[0]).Pointer()
	end := base + reflect.TypeFor[Counters]().Size()
	countable(&neighbours[0], func(path string, v reflect.Value) {
		p := v.Addr().Pointer()
		if p-base < cacheLine || end-(p+v.Type().Size()) < cacheLine {
			t.Errorf("%s lies in the outer cache lines", path)
		}
	})
}

func TestSetLoad(t *testing.T) {
	c := NewCounters()
	wakeups := []float64{11: 2.9}
	c.SetLoad(90, time.Second, wakeups)
	wakeups[0], wakeups[2] = 7.5, 3
	c.SetLoad(100, time.Second, wakeups)
	h := &c.EventsPerWakeup
	if c.Events != 100 || c.BusyNanoseconds != 1e9 || c.Wakeups != 12 || h.Count() != 12 || h.Sum() != 100 {
		t.Errorf("%d events, %d ns, %d wakeups; histogram of %d, %v", c.Events, c.BusyNanoseconds, c.Wakeups, h.Count(), h.Sum())
	}
	below := h.cumulative()
	for bound, want := range map[float64]uint64{1: 7, 2: 7, 4: 10, 1024: 10} {
		if below[bound] != want {
			t.Errorf("%d up to %v events, want %d", below[bound], bound, want)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("counts for other buckets are taken")
		}
	}()
	c.SetLoad(0, 0, wakeups[1:])
}

func TestCloseCodeOf(t *testing.T) {
	for code := range 1 << 16 {
		want := fmt.Sprint(code)
		known := false
		for _, label := range closeCodeLabels {
			known = known || label == want
		}
		if !known {
			want = "other"
		}
		if got := CloseCodeOf(uint16(code)).String(); got != want {
			t.Fatalf("%d: %s, want %s", code, got, want)
		}
	}
}

func TestAcceptErrorOf(t *testing.T) {
	for _, tt := range []struct {
		description string
		err         error
		want        string
	}{
		{"bare errno", syscall.EMFILE, "EMFILE"},
		{"wrapped", fmt.Errorf("netpoll: accept: %w", syscall.ENFILE), "ENFILE"},
		{"peer gave up", syscall.ECONNABORTED, "ECONNABORTED"},
		{"no socket memory", syscall.ENOBUFS, "ENOBUFS"},
		{"no memory", syscall.ENOMEM, "ENOMEM"},
		{"firewall", syscall.EPERM, "EPERM"},
		{"pending on the new socket", syscall.EHOSTUNREACH, "network"},
		{"an errno without a class", syscall.EINVAL, "other"},
		{"not an errno", io.EOF, "other"},
		{"nil", nil, "other"},
	} {
		if got := AcceptErrorOf(tt.err).String(); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.description, got, tt.want)
		}
	}
}
