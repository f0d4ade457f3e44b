package frame

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	simd "github.com/segmentio/asm/utf8"
	"golang.org/x/sys/unix"
)

// texts, and the place of the first byte after which no continuation is UTF-8.
var texts = []struct {
	desc string
	text string
	at   int // -1: none
}{
	{"ASCII", "hello", -1},
	{"the greek word kosme", "\u03ba\u1f79\u03c3\u03bc\u03b5", -1},
	{"last code points", "\u007f\u07ff\uffff\U0010ffff", -1},
	{"first code points", "\x00\u0080\u0800\U00010000", -1},
	{"around the surrogates", "\ud7ff\ue000\ufffd", -1},
	{"non-characters are allowed", "\ufffe\uffff\U0001fffe\U0010fffe", -1},
	{"begins two bytes", "\xc3", -1},
	{"begins three bytes", "a\xe2\x82", -1},
	{"begins four bytes", "ab\xf0\x9f\x98", -1},

	{"continuation first", "\x80", 0},
	{"continuation after a rune", "ñ\xbf", 2},
	{"C0 only makes overlong", "a\xc0\x80", 1},
	{"C1 only makes overlong", "\xc1\xbf", 0},
	{"overlong three bytes", "\xe0\x80\xaf", 1},
	{"overlong three bytes, last", "\xe0\x9f\xbf", 1},
	{"overlong four bytes", "\xf0\x80\x80\xaf", 1},
	{"overlong four bytes, last", "\xf0\x8f\xbf\xbf", 1},
	{"first surrogate", "\xed\xa0\x80", 1},
	{"last surrogate", "abc\xed\xbf\xbf", 4},
	{"above U+10FFFF", "\xf4\x90\x80\x80", 1},
	{"F5", "\xf5\x80\x80\x80", 0},
	{"F8, five bytes", "\xf8\x88\x80\x80\x80", 0},
	{"FC, six bytes", "\xfc\x84\x80\x80\x80\x80", 0},
	{"FE", "\xfe", 0},
	{"FF", "hello \xff", 6},
	{"two bytes interrupted", "\xc3(", 1},
	{"three bytes interrupted", "\xe2\x82(", 2},
	{"four bytes interrupted", "\xf0\x9f\x98(", 3},
	{"starts anew inside a rune", "\xe2\xe2\x82\xac", 1},
	{"Autobahn 6.3.1", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited", 12},
	{"Autobahn 6.4.1", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80edited", 12},
}

func TestFirstImpossibleByte(t *testing.T) {
	for _, tt := range texts {
		t.Run(tt.desc, func(t *testing.T) {
			for n := range len(tt.text) + 1 {
				if _, ok := validPrefix([]byte(tt.text[:n])); ok != (tt.at < 0 || n <= tt.at) {
					t.Errorf("%q: ok = %v", tt.text[:n], ok)
				}
			}
			// The same in a message, and in fragments of one byte, with
			// more to come.
			var whole, pieces Decoder
			stream := byteByByte(frames(first(tt.text)))
			for i, b := range stream[:6] {
				if _, _, err := whole.Next(b); err != nil {
					t.Fatalf("header byte %d: %v", i, err)
				}
			}
			if _, _, err := pieces.Next(frames(first(""))); err != nil {
				t.Fatal(err)
			}
			for i := range len(tt.text) {
				_, _, err := whole.Next(stream[6+i])
				if bad := i == tt.at; bad != (err == ErrUTF8) {
					t.Errorf("one fragment, byte %d: %v", i, err)
				}
				_, _, err = pieces.Next(frames(more(tt.text[i : i+1])))
				if bad := i == tt.at; bad != (err == ErrUTF8) {
					t.Errorf("fragments, byte %d: %v", i, err)
				}
				if i == tt.at {
					break
				}
			}
			sameAsReference(t, DefaultLimit, frames(text(tt.text)))
		})
	}
}

// validPrefix agrees with the list of everything that begins a rune, for all
// strings of up to three bytes, alone and after other text.
func TestValidPrefixExhaustively(t *testing.T) {
	begins := map[string]bool{"": true}
	for r := range rune(utf8.MaxRune + 1) {
		if utf8.ValidRune(r) {
			s := string(r)
			for i := range len(s) {
				begins[s[:i]] = true
			}
		}
	}
	check := func(p string) {
		want, ok := 0, true
		for rest := p; rest != "" && ok; rest = p[want:] {
			switch r, n := utf8.DecodeRuneInString(rest); {
			case r != utf8.RuneError || n == 3:
				want += n
			case begins[rest]:
				rest = ""
			default:
				ok = false
			}
			if ok && begins[p[want:]] {
				break
			}
		}
		n, got := validPrefix([]byte(p))
		if got != ok || ok && n != want {
			t.Fatalf("%x: %d, %v, want %d, %v", p, n, got, want, ok)
		}
	}
	interesting := []byte{0x00, 'a', 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf,
		0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xff}
	for a := range 256 {
		check(string([]byte{byte(a)}))
		for b := range 256 {
			check(string([]byte{byte(a), byte(b)}))
			for _, c := range interesting {
				check(string([]byte{byte(a), byte(b), c}))
				check("é" + string([]byte{byte(a), byte(b), c}))
			}
		}
	}
	for _, a := range interesting {
		for _, b := range interesting {
			for _, c := range interesting {
				for _, d := range interesting {
					check(string([]byte{a, b, c, d}))
				}
			}
		}
	}
}

// placed is text of n bytes in each script, with bad written over it at i.
func placed(script string, n, i int, bad []byte) []byte {
	p := bytes.Repeat([]byte(script), n/len(script)+1)[:n]
	copy(p[i:], bad)
	return p
}

// TestValidAtEveryPlace: what is wrong is found wherever it stands, in whichever
// script, whatever the length: each byte of the vector's width and its edges.
func TestValidAtEveryPlace(t *testing.T) {
	var mistakes [][]byte
	for _, tt := range texts {
		mistakes = append(mistakes, []byte(tt.text))
	}
	for a := range 256 {
		mistakes = append(mistakes, []byte{byte(a)})
	}
	for _, script := range []string{"a", "é", "語", "😀"} {
		for _, n := range []int{31, 32, 33, 63, 64, 65, 95, 96, 127, 128, 129} {
			for i := range n {
				for _, bad := range mistakes {
					p := placed(script, n, i, bad)
					if got, want := validUTF8(p), utf8.Valid(p); got != want {
						t.Fatalf("%x: %t, want %t", p, got, want)
					}
				}
			}
		}
	}
}

// TestValidReadsNothingBehind: text that ends where the memory does.
func TestValidReadsNothingBehind(t *testing.T) {
	page := os.Getpagesize()
	b, err := unix.Mmap(-1, 0, 2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(b)
	if err := unix.Mprotect(b[page:], unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	text := b[:page:page]
	copy(text, bytes.Repeat([]byte("語"), page/3))
	for i := range page {
		if p := text[i:]; validUTF8(p) != utf8.Valid(p) {
			t.Fatalf("%d bytes at the end: %t", len(p), validUTF8(p))
		}
	}
}

func FuzzValidUTF8(f *testing.F) {
	for _, tt := range texts {
		f.Add([]byte(tt.text), uint8(33))
	}
	f.Fuzz(func(t *testing.T, p []byte, before uint8) {
		for _, script := range []string{"", "a", "é", "語", "😀"} {
			p := append(bytes.Repeat([]byte(script), int(before)), p...)
			if got, want := validUTF8(p), utf8.Valid(p); got != want {
				t.Fatalf("%x: %t, want %t", p, got, want)
			}
		}
	})
}

// BenchmarkValidUTF8 says which of the two is faster for which text, and so what
// simdFrom is to be.
func BenchmarkValidUTF8(b *testing.B) {
	scripts := []struct{ name, text string }{
		{"ascii", "The quick brown fox. "}, {"german", "Größere Wörter hört "}, {"japanese", "これは日本語の文章"}, {"emoji", "😀👍🏽👨‍👩‍👧"},
	}
	for _, script := range scripts {
		for _, n := range []int{16, 32, 64, 1 << 10, 16 << 10} {
			p := []byte(strings.Repeat(script.text, n/len(script.text)+1))
			n, _ := validPrefix(p[:n])
			for name, valid := range map[string]func([]byte) bool{"standard": utf8.Valid, "simd": simd.Valid} {
				b.Run(fmt.Sprintf("text=%s/bytes=%d/with=%s", script.name, n, name), func(b *testing.B) {
					b.SetBytes(int64(n))
					for b.Loop() {
						if !valid(p[:n]) {
							b.Fatal("not valid")
						}
					}
				})
			}
		}
	}
}
