//go:build long

package safety

import (
	"os"
	"testing"

	"roulette/cmd/roulette/internal/servertest"
)

func TestMain(m *testing.M) { os.Exit(servertest.Main(m)) }
