package gateway

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// problem is an answer of the gateway's own: an RFC 9457 problem in the shape of the
// API's.
type problem struct {
	status             int
	code, detail, hint string
	retryAfter         int  // seconds; none if 0
	ends               bool // the connection: what follows on it is not another request
}

func (p *problem) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	if p.ends {
		h.Set("Connection", "close")
	}
	body, err := json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
		Hint   string `json:"hint,omitempty"`
		Code   string `json:"code"`
	}{"about:blank", http.StatusText(p.status), p.status, p.detail, p.hint, p.code})
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError) // cannot be: it is all text
		return
	}
	w.WriteHeader(p.status)
	_, _ = w.Write(body) // the client may have gone
}
