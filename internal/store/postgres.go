package store

import (
	"context"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// How long a PostgreSQL host may be silent.
const (
	connectTimeout = 5 * time.Second
	keepAlive      = 2 * time.Second
)

// idleConnections is how many connections are kept for the next change.
const idleConnections = 4

// openPostgres opens the pools and makes one connection, so that a wrong host or
// password shows now.
func (s *Store) openPostgres(ctx context.Context) error {
	config := s.at.config
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	// A connection to a host that has gone is noticed by the kernel, also while
	// nothing is being asked.
	dialer := &net.Dialer{
		Timeout:         config.ConnectTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: keepAlive, Interval: keepAlive, Count: 3},
	}
	config.DialFunc = dialer.DialContext
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "nlpcanary"
	}
	s.write = stdlib.OpenDB(*config)
	s.write.SetMaxOpenConns(10)
	s.write.SetMaxIdleConns(idleConnections)
	s.write.SetConnMaxIdleTime(time.Minute)
	s.read = s.write
	s.beat = stdlib.OpenDB(*config)
	s.beat.SetMaxOpenConns(2)
	return failed("reaching the database", s.write.PingContext(ctx))
}

// dial opens a connection outside the pools.
func (s *Store) dial(ctx context.Context) (*pgx.Conn, error) {
	return pgx.ConnectConfig(ctx, s.at.config.Copy())
}
