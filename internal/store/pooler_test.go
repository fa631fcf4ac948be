package store

import (
	"net"
	"net/url"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// pooler passes connections on to PostgreSQL, as PgBouncer does in transaction mode,
// or in session mode if sessions is set.
type pooler struct {
	tb       testing.TB
	server   string
	sessions bool

	mu   sync.Mutex
	idle []*pgconn.HijackedConn // the last one used comes first again
	open []net.Conn
}

// start listens, and returns the pooler's URL for the database.
func (p *pooler) start() string {
	p.tb.Helper()
	listener, err := (&net.ListenConfig{}).Listen(p.tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		p.tb.Fatal(err)
	}
	var clients sync.WaitGroup
	clients.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			p.keep(client)
			clients.Go(func() { p.serve(client) })
		}
	})
	p.tb.Cleanup(func() {
		_ = listener.Close()
		p.mu.Lock()
		for _, conn := range p.open {
			_ = conn.Close()
		}
		p.mu.Unlock()
		clients.Wait()
	})
	u, err := url.Parse(p.server)
	if err != nil {
		p.tb.Fatal(err)
	}
	u.Host = listener.Addr().String()
	u.RawQuery += "&default_query_exec_mode=simple_protocol"
	return u.String()
}

func (p *pooler) keep(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = append(p.open, conn)
}

func (p *pooler) take() (*pgconn.HijackedConn, error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		conn := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return conn, nil
	}
	p.mu.Unlock()
	conn, err := pgconn.Connect(p.tb.Context(), p.server)
	if err != nil {
		return nil, err
	}
	hijacked, err := conn.Hijack()
	if err == nil {
		p.keep(hijacked.Conn)
	}
	return hijacked, err
}

func (p *pooler) give(conn *pgconn.HijackedConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, conn)
}

// serve answers one client until it goes. A server connection whose client went in
// the middle of a transaction is not used again.
func (p *pooler) serve(client net.Conn) {
	defer client.Close()
	server, err := p.take()
	if err != nil {
		return
	}
	back := pgproto3.NewBackend(client, client)
	if _, err := back.ReceiveStartupMessage(); err != nil {
		return
	}
	back.Send(&pgproto3.AuthenticationOk{})
	for name, value := range server.ParameterStatuses {
		back.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	// No number of a process: cancelling is the pooler's own affair.
	back.Send(&pgproto3.BackendKeyData{ProcessID: 1 << 31, SecretKey: []byte("none")})
	back.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if err := back.Flush(); err != nil {
		return
	}
	if !p.sessions {
		p.give(server)
		server = nil
	}
	for {
		message, err := back.Receive()
		if err != nil {
			return
		}
		if _, ends := message.(*pgproto3.Terminate); ends {
			return
		}
		if server == nil {
			if server, err = p.take(); err != nil {
				return
			}
		}
		server.Frontend.Send(message)
		switch message.(type) {
		case *pgproto3.Query, *pgproto3.Sync:
			idle, err := relay(server, back)
			if err != nil {
				return
			}
			if idle && !p.sessions {
				p.give(server)
				server = nil
			}
		}
	}
}

// relay passes one request's answers on, and says whether the transaction is over.
func relay(server *pgconn.HijackedConn, back *pgproto3.Backend) (idle bool, err error) {
	if err := server.Frontend.Flush(); err != nil {
		return false, err
	}
	for {
		message, err := server.Frontend.Receive()
		if err != nil {
			return false, err
		}
		back.Send(message)
		if ready, over := message.(*pgproto3.ReadyForQuery); over {
			idle = ready.TxStatus == 'I' // read before the message is used again
			return idle, back.Flush()
		}
	}
}

func TestDoctorLooksForPoolers(t *testing.T) {
	for _, c := range []struct {
		name   string
		pooler *pooler
		ok     bool
		detail string
	}{
		{"direct", nil, true, "each connection has a server process of its own"},
		{"session mode", &pooler{sessions: true}, true, "a pooler that kept its sessions while 2 others were busy"},
		{"transaction mode", &pooler{}, false, "a pooler in transaction mode: one connection is served by several server processes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &database{dialect: Postgres, url: newURL(t, Postgres)}
			if c.pooler != nil {
				d.open(t) // migrated past the pooler
				c.pooler.tb, c.pooler.server = t, d.url
				d.url = c.pooler.start()
			}
			s := d.open(t)
			checks := s.Doctor(t.Context())
			i := slices.IndexFunc(checks, func(check Check) bool { return check.Name == "session" })
			if i < 0 {
				t.Fatalf("there is no such check: %+v", checks)
			}
			if got := checks[i]; got.OK != c.ok || got.Detail != c.detail || got.OK != (got.Hint == "") {
				t.Errorf("%+v", got)
			}
			for _, check := range checks {
				if !check.OK && check.Name != "session" && check.Name != "durability" {
					t.Errorf("%+v", check)
				}
			}
		})
	}
}
