package stranger

import (
	"encoding/json"
	"strings"
)

// A Value is JSON that may stand where a record has something else.
type Value struct {
	Description string
	JSON        string
}

// Values is values of every kind and of every size that a record can have, texts and lists
// of the hardest Texts among them.
func Values(seed uint64) []Value {
	values := []Value{
		{"a deep list", strings.Repeat("[", 5000) + strings.Repeat("]", 5000)},
		{"a list of everything", `[null,true,-1,1e308,"","a",[],{},"constructor"]`},
		{"an object", `{"length":1e9,"toString":1,"__proto__":{"on":true}}`},
		{"many short texts", "[" + strings.TrimSuffix(strings.Repeat(`"a",`, 10_000), ",") + "]"},
	}
	for _, scalar := range []string{"null", "true", "false", "0", "-1", "0.5", "2", "1e9", "4294967296", "9007199254740993", "1e308", "-1e308", `""`, `"constructor"`, `"__proto__"`, `"toString"`, `"<b>"`, `"\u0000"`, `"\ud800"`, "[]", "{}"} {
		values = append(values, Value{scalar, scalar})
	}
	for _, text := range Texts(seed) {
		for _, hard := range Hardest[:4] {
			if text.Description != hard {
				continue
			}
			half := cut(text.Text, Size/4)
			values = append(values, Value{text.Description, marshal(half)}, Value{"a list of " + text.Description, marshal([]string{half})},
				Value{"a list of pieces of " + text.Description, marshal(pieces(half, 32))})
		}
	}
	return values
}

// pieces is text in parts of so many characters.
func pieces(text string, characters int) []string {
	var all []string
	for runes := []rune(text); len(runes) > 0; {
		n := min(characters, len(runes))
		all = append(all, string(runes[:n]))
		runes = runes[n:]
	}
	return all
}

func marshal(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // strings can be written
	}
	return string(text)
}
