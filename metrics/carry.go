package metrics

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// carriedHistogram is a Histogram as another process reads it.
type carriedHistogram struct {
	Counts []uint64 `json:"counts"`
	Sum    float64  `json:"sum"`
}

// MarshalJSON writes the counters down by their names, for a process that goes on
// counting where this one ends; gauges are not among them, for they are counted
// again by what they count.
func (c *Counters) MarshalJSON() ([]byte, error) {
	all := make(map[string]any)
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		name, f := v.Type().Field(i).Name, v.Field(i)
		if name == "_" {
			continue
		}
		switch of := f.Addr().Interface().(type) {
		case *Histogram:
			all[name] = carriedHistogram{of.counts[:], of.sum}
		case *uint64:
			all[name] = *of
		default:
			if f.Kind() == reflect.Array && innermost(f.Type()) == reflect.Uint64 {
				all[name] = f.Interface()
			}
		}
	}
	return json.Marshal(all)
}

// innermost is the kind of what an array of arrays holds.
func innermost(t reflect.Type) reflect.Kind {
	for t.Kind() == reflect.Array {
		t = t.Elem()
	}
	return t.Kind()
}

// UnmarshalJSON is the inverse. What this process does not count, and values of
// labels that it does not know, are left out.
func (c *Counters) UnmarshalJSON(b []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	*c = Counters{}
	c.Init()
	v := reflect.ValueOf(c).Elem()
	for name, raw := range all {
		field, ok := v.Type().FieldByName(name)
		if !ok || !field.IsExported() || innermost(field.Type) == reflect.Int64 {
			continue
		}
		to := v.FieldByIndex(field.Index).Addr().Interface()
		h, isHistogram := to.(*Histogram)
		var carried carriedHistogram
		if isHistogram {
			to = &carried
		}
		if err := json.Unmarshal(raw, to); err != nil {
			return fmt.Errorf("metrics: %s: %w", name, err)
		}
		if isHistogram && len(carried.Counts) == buckets {
			copy(h.counts[:], carried.Counts)
			h.sum = carried.Sum
		}
	}
	return nil
}
