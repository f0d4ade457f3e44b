package tlsfront

import (
	"context"
	"crypto/tls"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Keeper has all that a Front's handshakes need that changes with time: certificates
// and the keys of session tickets. Any goroutine.
type Keeper struct {
	// Immutable. Any of the first three may be nil, but not all.
	ACME    *ACME
	Files   *Files
	Self    *tls.Certificate // self-signed
	Tickets *Tickets
	Logger  *slog.Logger

	ok, failed atomic.Uint64 // loads
}

const (
	lookEvery    = 10 * time.Second // at files, and at what became of renewals
	ticketsEvery = time.Minute
)

// Certificate is Config.Certificate. ACME comes first for its own domains.
func (k *Keeper) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if k.ACME != nil {
		if cert, err := k.ACME.Certificate(hello); err == nil {
			return cert, nil
		}
	}
	switch {
	case k.Files != nil:
		return k.Files.Certificate(hello)
	case k.Self != nil:
		return k.Self, nil
	}
	return nil, errNoCertificate
}

// NotAfter is when the first of all certificates expires; zero while there is none.
func (k *Keeper) NotAfter() (first time.Time) {
	take := func(t time.Time) {
		if first.IsZero() || !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	if k.ACME != nil {
		take(k.ACME.NotAfter())
	}
	if k.Files != nil {
		take(k.Files.NotAfter())
	}
	if k.Self != nil {
		take(k.Self.Leaf.NotAfter)
	}
	return first
}

// Loads is how often certificates were read or obtained.
func (k *Keeper) Loads() (ok, failed uint64) { return k.ok.Load(), k.failed.Load() }

func (k *Keeper) loaded(err error) {
	if err != nil {
		k.failed.Add(1)
		return
	}
	k.ok.Add(1)
}

// Reload reads the files again, whether or not they have changed.
func (k *Keeper) Reload() {
	if k.Files == nil {
		return
	}
	err := k.Files.Reload()
	k.tell(err)
}

// tell counts and logs what became of reading files.
func (k *Keeper) tell(err error) {
	k.loaded(err)
	if err != nil {
		k.Logger.Error("certificates not read: the last ones stay in use", "error", err, "not_after", k.NotAfter())
		return
	}
	k.Logger.Info("certificates read", "not_after", k.NotAfter())
}

// Run keeps all of it fresh until ctx is done.
func (k *Keeper) Run(ctx context.Context) {
	var group sync.WaitGroup
	defer group.Wait()
	if k.ACME != nil {
		group.Go(func() {
			var renewals sync.WaitGroup
			defer renewals.Wait()
			for _, d := range k.ACME.domains {
				renewals.Go(func() { k.ACME.run(ctx, d, lookEvery, k.loaded) })
			}
		})
	}
	if k.Files != nil {
		group.Go(func() {
			for sleep(ctx, lookEvery) {
				if changed, err := k.Files.ReloadChanged(); changed {
					k.tell(err)
				}
			}
		})
	}
	for k.Tickets != nil && sleep(ctx, ticketsEvery) {
		if err := k.Tickets.Refresh(time.Now()); err != nil {
			k.Logger.Error("keys of session tickets not read: the last ones stay in use", "error", err)
		}
	}
	<-ctx.Done()
}
