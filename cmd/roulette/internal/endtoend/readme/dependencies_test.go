package readme

import (
	"encoding/json"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"roulette/cmd/roulette/internal/endtoend/program"
)

// TestDependencies: the table of CONTRIBUTING.md names what go.mod requires, no more and no
// less, and says truly what the program itself imports.
func TestDependencies(t *testing.T) {
	out, err := exec.Command("go", "mod", "edit", "-json", program.File(t, "go.mod")).Output()
	if err != nil {
		t.Fatalf("go mod edit: %v", err)
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
		Tool []struct{ Path string }
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	out, err = exec.Command("go", "list", "-deps", "-f",
		`{{with .Module}}{{if eq .Path "roulette"}}{{range $.Imports}}{{println .}}{{end}}{{end}}{{end}}`, "roulette/cmd/roulette").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	imported := strings.Fields(string(out)) // by what of ours is in the program
	want := make(map[string]string)         // to the table's second column
	for _, r := range mod.Require {
		switch {
		case r.Indirect:
		case slices.ContainsFunc(imported, func(path string) bool { return strings.HasPrefix(path+"/", r.Path+"/") }):
			want[r.Path] = "program"
		default:
			want[r.Path] = "tests"
		}
	}
	for _, tool := range mod.Tool {
		want[tool.Path] = "tool"
	}

	_, section, _ := strings.Cut(document(t, ".github/CONTRIBUTING.md"), "\n## Dependencies\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := regexp.MustCompile("(?m)^\\| `(\\S+)` \\| (\\w+) \\| \\S.* \\|$").FindAllStringSubmatch(section, -1)
	for _, row := range rows {
		if want[row[1]] != row[2] {
			t.Errorf("CONTRIBUTING: %s is in %q, not in %q", row[1], want[row[1]], row[2])
		}
		delete(want, row[1])
	}
	for path, in := range want {
		t.Errorf("CONTRIBUTING: %s, in %s, is missing", path, in)
	}
}
