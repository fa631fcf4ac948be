// Package api is the HTTP face of nlpcanary: the admin API, the data plane, OFREP
// and the event stream.
package api
