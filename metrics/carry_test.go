package metrics

import (
	"encoding/json"
	"reflect"
	"testing"
)

// TestCountersCarried: another process goes on with every counter, and with no gauge.
func TestCountersCarried(t *testing.T) {
	c := NewCounters()
	v := reflect.ValueOf(c).Elem()
	n := uint64(1)
	fill := func(f reflect.Value) {
		if f.Kind() == reflect.Uint64 {
			f.SetUint(n)
			n++
		}
	}
	for i := range v.NumField() {
		f := v.Field(i)
		switch {
		case v.Type().Field(i).Name == "_":
		case f.Type() == reflect.TypeOf(Histogram{}):
			f.Addr().Interface().(*Histogram).Observe(int64(n))
		case f.Kind() == reflect.Array:
			for j := range f.Len() {
				if e := f.Index(j); e.Kind() == reflect.Array {
					for k := range e.Len() {
						fill(e.Index(k))
					}
				} else {
					fill(e)
				}
			}
		default:
			fill(f)
		}
	}
	want := *c
	c.Connections[ConnectionIdle], c.BacklogBytes, c.BacklogConnections = 7, 7, 7
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var got Counters
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestCountersOfAnotherBuild: what is not known is left out, what is wrong is said.
func TestCountersOfAnotherBuild(t *testing.T) {
	var c Counters
	if err := json.Unmarshal([]byte(`{"Songs":3,"Accepted":4,"Rejected":[5],"BacklogBytes":6}`), &c); err != nil {
		t.Fatal(err)
	}
	if c.Accepted != 4 || c.Rejected[0] != 5 || c.BacklogBytes != 0 {
		t.Errorf("%+v", c)
	}
	for _, wrong := range []string{`[]`, `{"Accepted":"x"}`, `{"AwayDuration":1}`} {
		if err := json.Unmarshal([]byte(wrong), &c); err == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
}
