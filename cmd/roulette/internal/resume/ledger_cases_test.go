package resume

import (
	"encoding/json"
	"errors"
	"os"
	"testing"
)

// TestLedgerCases holds the Ledger against the cases that the page is held against
// as well.
func TestLedgerCases(t *testing.T) {
	data, err := os.ReadFile("testdata/ledger.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Description string
		Steps       []struct {
			Do                                     string
			Size, Times, Again                     int
			Number, N, From, Lost, Delivered, Sent uint64
			Due, Wrong                             bool
		}
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Description, func(t *testing.T) {
			var l Ledger
			for i, s := range c.Steps {
				var err error
				ok := true
				switch s.Do {
				case "sent":
					var n uint64
					for range s.Times {
						n = l.Sent(Message{Payload: make([]byte, s.Size)})
					}
					ok = n == s.Number
				case "showed":
					for range s.Times {
						ok = ok && l.Showed() == s.Due
					}
				case "have":
					ok = l.Have() == s.N && !l.Unsaid()
				case "confirm":
					err = l.Delivered(s.N)
				case "open":
					delivered, sent := l.Open()
					ok = delivered == s.Delivered && sent == s.Sent
				case "replay":
					var from, lost uint64
					var again []Message
					from, lost, again, err = l.Replay(s.N)
					ok = s.Wrong || from == s.From && lost == s.Lost && len(again) == s.Again
				case "replayed":
					err = l.Replayed(s.From, s.Lost)
				default:
					t.Fatalf("step %d: what is %q?", i, s.Do)
				}
				if !ok || errors.Is(err, ErrCount) != s.Wrong {
					t.Fatalf("step %d: %+v: error %v, ledger %+v", i, s, err, l)
				}
			}
		})
	}
}
