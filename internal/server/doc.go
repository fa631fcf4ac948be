// Package server wires nlpcanary together: the store, the follower, the
// dispatcher, the outcome shipper and the API. It is the only place that does.
//
// [Run] is an instance that serves. [OpenDirect] is the same API without an
// instance, straight on the database, for commands.
package server
