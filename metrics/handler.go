package metrics

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	// scrapeTimeout answers 503 before Prometheus, whose default is 10 s, gives
	// up by itself.
	scrapeTimeout = 8 * time.Second
	// scrapesAtOnce is enough for a redundant pair of Prometheus and a curious
	// person, each of which waits at most defaultAnswerTimeout for the one before;
	// more get 503.
	scrapesAtOnce = 3
)

// Handler returns the handler for /metrics: text or OpenMetrics, as the client
// asks. A scrape that is partly broken shows what there is; the error goes to
// slog and into promhttp_metric_handler_errors_total.
func Handler(reg *prometheus.Registry) http.Handler {
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{
		Registry:            reg,
		ErrorLog:            errorLog{},
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: scrapesAtOnce,
		Timeout:             scrapeTimeout,
		EnableOpenMetrics:   true,
	})
}

// errorLog is a promhttp.Logger on slog's default logger.
type errorLog struct{}

func (errorLog) Println(v ...any) {
	slog.Error("scrape failed", "error", fmt.Sprint(v...))
}
