package browser

import (
	"testing"

	"roulette/web/browsertest"
)

func TestMain(m *testing.M) { browsertest.Main(m) }
