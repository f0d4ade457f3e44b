package server

import (
	"context"
	"fmt"
	"time"

	"roulette/frame/record"
	"roulette/netpoll"
)

// announcement is what the operator has to say to everybody.
type announcement struct {
	code  record.NoticeCode
	until time.Time // zero with NoticeNone
}

func (a *announcement) append(dst []byte) []byte {
	if a.until.IsZero() {
		return record.AppendNotice(dst, a.code, 0)
	}
	return record.AppendNotice(dst, a.code, a.until.Unix())
}

// announce is Announce for a code that an operator has written.
func (s *Server) announce(code string, in time.Duration) error {
	switch c := record.NoticeCode(code); c {
	case record.NoticeRestart, record.NoticeMaintenance, record.NoticeNone:
		return s.Announce(c, in)
	}
	return fmt.Errorf("%.20q is not one of restart, maintenance, none", code)
}

// Announce tells all who can hear it what happens in a while, and those who come until
// then. NoticeNone takes the last announcement back.
func (s *Server) Announce(code record.NoticeCode, in time.Duration) error {
	a := &announcement{code: code}
	if code != record.NoticeNone {
		a.until = s.clock().Add(in)
	}
	s.announced.Store(a)
	return s.poller.OnWorkers(context.Background(), func(w *netpoll.Worker) {
		h := w.Handler().(*handler)
		w.Each(func(c *netpoll.Conn) {
			if !isRich(c) || richOf(c).can&record.CanNotice == 0 {
				return
			}
			c.Lock()
			h.noticeLocked(c, a.append(h.notice[:0]))
			c.Unlock()
		})
	})
}
