package main

import (
	"context"

	"github.com/nlpcanary/nlpcanary/internal/config"
	"github.com/nlpcanary/nlpcanary/internal/server"
)

type gatewayCmd struct {
	Listen     string `placeholder:"HOST:PORT" help:"Where the gateway listens; port 0 chooses a free one (default 127.0.0.1:8090)."`
	Old        string `placeholder:"URL" help:"The service that is the old architecture."`
	New        string `placeholder:"URL" help:"The service that is the new architecture."`
	UserHeader string `placeholder:"NAME" help:"The header that names the user; only what stands in front of the gateway may set it."`
	UserCookie string `placeholder:"NAME" help:"The cookie that names the user."`
	UserJSON   string `name:"user-json" placeholder:"POINTER" help:"Where the JSON body names the user, such as /user/id."`
	serveCmd
}

// Help is shown by --help.
func (gatewayCmd) Help() string {
	return `Stands in front of two HTTP services and sends each user's requests to the one of his cohort. Neither service needs a change. It is an instance of the rollout, as 'serve' is: the API is at --addr, and 'status' lists it.

For instance:  nlpcanary gateway --old http://127.0.0.1:9001 --new http://127.0.0.1:9002 --user-header X-User-Id

The file of --config says more in its section 'gateway' (docs/gateway.md): tokens as users, times, bounds, quality. Flags win over it. 'serve' runs a gateway too if its file has that section.`
}

// Run serves until it is interrupted, which is its normal end.
func (cmd gatewayCmd) Run(ctx context.Context, s *session) error {
	return cmd.run(ctx, s, cmd.override)
}

// override puts the flags over what the file says.
func (cmd gatewayCmd) override(file *config.Config) error {
	g := file.Gateway
	if g == nil {
		g = &config.Gateway{}
		file.Gateway = g
	}
	for _, f := range []struct {
		flag string
		into *string
	}{{cmd.Listen, &g.Addr}, {cmd.Old, &g.Old.URL}, {cmd.New, &g.New.URL}} {
		if f.flag != "" {
			*f.into = f.flag
		}
	}
	var users []config.User
	for _, u := range []config.User{{Header: cmd.UserHeader}, {Cookie: cmd.UserCookie}, {JSON: cmd.UserJSON}} {
		if u != (config.User{}) {
			users = append(users, u)
		}
	}
	if users != nil {
		g.Users = users
	}
	if g.Old.URL == "" || g.New.URL == "" {
		return usage("the gateway has no services to stand in front of", "name them with --old and --new, or in the section 'gateway' of --config")
	}
	if len(g.Users) == 0 {
		return usage("the gateway does not know where a request names its user", "say it with --user-header, --user-cookie or --user-json, or in the section 'gateway' of --config")
	}
	return nil
}

// gatewayOf is the gateway that a file configures; nil if it has none.
func gatewayOf(file config.Config) (*server.Gateway, error) {
	if file.Gateway == nil {
		return nil, nil
	}
	settings, err := file.Gateway.Settings()
	if err != nil {
		return nil, usage(err.Error(), "docs/gateway.md says what the gateway takes")
	}
	addr := file.Gateway.Addr
	if addr == "" {
		addr = config.DefaultGatewayAddr
	}
	return &server.Gateway{Addr: addr, Config: settings}, nil
}
