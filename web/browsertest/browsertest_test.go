package browsertest_test

import (
	"fmt"
	"strings"
	"testing"

	"roulette/web/browsertest"
)

// stopped is a test of which the outcome is recorded.
type stopped struct {
	testing.TB
	outcome string
}

func (s *stopped) Helper() {}

func (s *stopped) Skipf(format string, arguments ...any) {
	s.stop("skip: " + fmt.Sprintf(format, arguments...))
}

func (s *stopped) Fatalf(format string, arguments ...any) {
	s.stop("fail: " + fmt.Sprintf(format, arguments...))
}

func (s *stopped) stop(outcome string) {
	s.outcome = outcome
	panic(s)
}

func TestWithoutChromium(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, test := range []struct {
		ci, want string
	}{
		{"", "skip: "},
		{"false", "skip: "},
		{"true", "fail: "},
	} {
		t.Setenv("CI", test.ci)
		s := &stopped{TB: t}
		func() {
			defer func() {
				if recover() != s {
					t.Errorf("CI=%s: a browser that is not there was started", test.ci)
				}
			}()
			browsertest.Start(s)
		}()
		if !strings.HasPrefix(s.outcome, test.want) || !strings.Contains(s.outcome, `"chromium-browser"`) {
			t.Errorf("CI=%s: %s", test.ci, s.outcome)
		}
	}
}
