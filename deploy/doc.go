// Package deploy holds what runs beside nlpcanary: rules for Prometheus and a
// dashboard for Grafana. Its tests check them with promtool, and against the metrics
// of a real server.
package deploy
