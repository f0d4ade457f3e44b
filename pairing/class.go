package pairing

// Class is who may be whose partner: those of one class are, and nobody else. At a
// table all classes are one, for there people meet whom they know.
type Class uint8

const (
	Ordinary Class = iota
	// Slow meet each other at once, and whoever is Ordinary after Config.SlowPatience.
	Slow
	Plain
	Shadow

	// Classes is how many there are.
	Classes = iota
)

// manner is how a client looks for a partner, as bits: by itself or not, of which class
// it is, and of which one it waits.
type manner uint8

const (
	autoBit     manner = 1 << iota // whenever it has no partner
	classShift         = 1
	standsShift        = 3
	classMask   manner = Classes - 1
)

// The classes fit, or this does not compile.
var _ [4 - Classes]struct{}

func mannerOf(auto bool, class, stands Class) manner {
	m := manner(class&Class(classMask))<<classShift | manner(stands&Class(classMask))<<standsShift
	if auto {
		m |= autoBit
	}
	return m
}

func (m manner) auto() bool    { return m&autoBit != 0 }
func (m manner) class() Class  { return Class(m >> classShift & classMask) }
func (m manner) stands() Class { return Class(m >> standsShift & classMask) }

// stand says of which class it waits.
func (m *manner) stand(as Class) { *m = mannerOf(m.auto(), m.class(), as) }

// Classify says of which class a client is from its next wait on. A client that enters is
// Ordinary, and all guests are.
func (t *Table) Classify(id uint32, class Class) {
	e := t.entry(id)
	if e == nil || class >= Classes {
		return
	}
	s := t.shardOf(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	e.manner = mannerOf(e.manner.auto(), class, e.manner.stands())
}

// ClassOf is the class of a client.
func (t *Table) ClassOf(id uint32) Class {
	e := t.entry(id)
	if e == nil {
		return Ordinary
	}
	s := t.shardOf(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	return e.manner.class()
}

// classAt is the class in which a client that is about to wait does so.
func (e *entry) classAt(w *Wishes) Class {
	if w.table() != "" {
		return Ordinary
	}
	return e.manner.class()
}
