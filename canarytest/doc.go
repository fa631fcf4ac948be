// Package canarytest runs a real nlpcanary server in the process of a test: the same
// one that 'nlpcanary serve' runs, on a database of its own that is gone afterwards. It
// is for the tests of programs that use the SDK, as net/http/httptest is for those that
// use HTTP.
//
// Nothing is simulated but the network between the client and the server, which
// [Server.CutOff] turns into a black hole.
package canarytest
