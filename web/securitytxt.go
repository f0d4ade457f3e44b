package web

import (
	"fmt"
	"net/http"
	"time"
)

// securityValid is for how long what [SecurityText] says may be taken to be so.
const securityValid = 30 * 24 * time.Hour

// SecurityText returns the handler of /.well-known/security.txt (RFC 9116): whom to tell
// of a hole. contact is a URI, such as mailto:security@example.org.
func SecurityText(contact string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			refuseMethod(w, "GET, HEAD")
			return
		}
		fmt.Fprintf(w, "Contact: %s\nExpires: %s\n", contact, time.Now().Add(securityValid).UTC().Format(time.RFC3339))
	})
}
