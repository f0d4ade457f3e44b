//go:build long

package long

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"roulette/cmd/roulette/internal/endtoend/program"
)

// TestReproducible: two people who build the same sources in different places
// get the same program, byte for byte.
func TestReproducible(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: compiles the program twice")
	}
	var programs [2][]byte
	for i, place := range []string{"here", "some/where/else"} {
		dir := filepath.Join(t.TempDir(), place)
		// With -trimpath the build cache does not care where a file lies, and would
		// answer the second build with the first one's packages. A comment at the
		// end of each file, a different one each time, makes it compile them; it
		// changes the build ID, a hash of the sources, and must change nothing else.
		copySources(t, dir, "\n// "+dir+"\n")
		file := filepath.Join(t.TempDir(), "roulette")
		build := exec.Command("go", "build", "-o", file,
			"-trimpath", "-buildvcs=false", "-ldflags=-buildid=", "./cmd/roulette")
		build.Dir = dir
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
		built, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, place := range []string{dir, goEnv(t, "GOROOT"), goEnv(t, "GOMODCACHE")} {
			if bytes.Contains(built, []byte(place)) {
				t.Errorf("the program knows that it was built in, or with what is in, %s", place)
			}
		}
		programs[i] = built
	}
	if first, second := sha256.Sum256(programs[0]), sha256.Sum256(programs[1]); first != second {
		t.Errorf("two builds of the same sources: %d bytes with SHA-256 %x, and %d bytes with %x",
			len(programs[0]), first, len(programs[1]), second)
	}
}

// copySources writes what of this module the program is built from to dir, each
// Go file followed by comment.
func copySources(t *testing.T, dir, comment string) {
	t.Helper()
	root := program.Root(t)
	out, err := exec.Command("go", "list", "-deps", "-json=ImportPath,GoFiles,EmbedFiles", "roulette/cmd/roulette").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	files := map[string]string{"go.mod": "", "go.sum": ""} // to what is added
	for packages := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath          string
			GoFiles, EmbedFiles []string
		}
		if err := packages.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		folder, ours := strings.CutPrefix(p.ImportPath, "roulette/")
		if !ours {
			continue
		}
		for _, f := range p.GoFiles {
			files[filepath.Join(folder, f)] = comment
		}
		for _, f := range p.EmbedFiles {
			files[filepath.Join(folder, f)] = ""
		}
	}
	for name, added := range files {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, append(content, added...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatalf("go env %s: %v", name, err)
	}
	return strings.TrimSpace(string(out))
}
