package gateway

import (
	"log/slog"
	"net/http"
	"time"
)

// HTTPServer is a server with the bounds that go with a gateway's. It has none for
// reading a request's body: the gateway sets that itself.
func HTTPServer(config Config, handler http.Handler) *http.Server {
	config = config.withDefaults()
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		// A client that does not read its answer must not hold a slot for ever.
		WriteTimeout:   keepWithin + config.AnswerTimeout,
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
		ErrorLog:       slog.NewLogLogger(config.Logger.Handler(), slog.LevelDebug),
	}
}
