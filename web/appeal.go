package web

import (
	"errors"
	"html"
	"net/url"
	"strings"
)

// Appeal is where somebody who is banned can write to. The zero Appeal is nowhere.
type Appeal struct{ address, link string }

const maxAppeal = 200 // bytes of an address

var errAppeal = errors.New("is no address such as mailto:appeals@example.org or https://example.org/appeals")

// ParseAppeal reads a mailto: or https: address; "" is the zero Appeal.
func ParseAppeal(text string) (Appeal, error) {
	if text == "" {
		return Appeal{}, nil
	}
	u, err := url.Parse(text)
	if err != nil || len(text) > maxAppeal || strings.ContainsAny(text, " \"<>\\") {
		return Appeal{}, errAppeal
	}
	shown := text
	switch {
	case u.Scheme == "mailto" && strings.Contains(u.Opaque, "@"):
		shown = u.Opaque
	case u.Scheme == "https" && u.Host != "":
	default:
		return Appeal{}, errAppeal
	}
	return Appeal{text, `<a href="` + html.EscapeString(text) + `"><bdi>` + html.EscapeString(shown) + `</bdi></a>`}, nil
}

// Address is what ParseAppeal read, "" for nowhere.
func (a Appeal) Address() string { return a.address }

func (a Appeal) size(page refusalPage) int {
	if a.link == "" {
		return 0
	}
	return len(page.appeal[0]) + len(a.link) + len(page.appeal[1])
}

func (a Appeal) append(dst []byte, page refusalPage) []byte {
	if a.link == "" {
		return dst
	}
	dst = append(dst, page.appeal[0]...)
	dst = append(dst, a.link...)
	return append(dst, page.appeal[1]...)
}
