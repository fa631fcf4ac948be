package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/nlpcanary/nlpcanary/extract"
	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/internal/server"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// Config says how the demo runs.
type Config struct {
	// Once ends the demo after its story; otherwise server and traffic go on until
	// the context ends, for trying the commands.
	Once bool
	// Users is how many users send texts; 2,000 if 0.
	Users int
	// Addr is where the server listens; a free port of 127.0.0.1 if empty.
	Addr    string
	Version string
	Stdout  io.Writer
	// Live redraws the status table in place; for terminals.
	Live   bool
	Colour bool
	Logger *slog.Logger
}

// ErrClaimBroken is the demo's failure: something that it claims did not hold.
var ErrClaimBroken = errors.New("the demo saw something that must not be")

// Run tells the story and checks it.
func Run(ctx context.Context, config Config) error {
	if config.Users == 0 {
		config.Users = 2000
	}
	if config.Addr == "" {
		config.Addr = "127.0.0.1:0"
	}
	dir, err := os.MkdirTemp("", "nlpcanary-demo-")
	if err != nil {
		return fmt.Errorf("making a directory for the demo's database: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a left-over in the temporary directory harms nobody

	ctx, cancel := context.WithCancel(ctx)
	_, token := api.DrawToken()
	canary := &faulty{Extractor: extract.NewEnsemble()}
	began := time.Now()
	ready := make(chan *client, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- server.Run(ctx, server.Config{
			Database: "sqlite:" + filepath.Join(dir, "demo.db"), Addr: config.Addr, Region: "demo", Version: config.Version,
			AdminToken: token, New: canary, Logger: config.Logger, Budget: 2 * time.Second,
			Ready: func(url, token string) { ready <- newClient(url, token) },
		})
	}()
	var c *client
	select {
	case c = <-ready:
	case err := <-ended:
		cancel()
		return err
	}
	s := &story{config: config, client: c, canary: canary, screen: newScreen(config)}
	s.screen.say("Server on %s, ready in %d ms, on an embedded database.", c.base, time.Since(began).Milliseconds())
	err = s.tell(ctx)
	if err == nil && !config.Once {
		s.goOn(ctx)
	}
	if s.traffic != nil {
		s.traffic.stop()
	}
	cancel()
	return errors.Join(err, <-ended)
}

// story is the course of the demo.
type story struct {
	config  Config
	client  *client
	canary  *faulty
	traffic *traffic
	screen  *screen
}

func (s *story) tell(ctx context.Context) error {
	if _, err := s.rollback(ctx, rollout.Disabled, "the demo begins with everyone on the old architecture"); err != nil {
		return err
	}
	// Left alone, the guardian would take everyone back before a person can.
	if err := s.setGuardian(ctx, rollout.GuardianObserve); err != nil {
		return err
	}
	s.screen.command("nlpcanary setting set guardian observe", "it would roll back by itself; here a person does")
	if err := s.showTexts(ctx); err != nil {
		return err
	}
	s.traffic = startTraffic(ctx, s.client, s.config.Users, 8, 2*time.Millisecond)
	if err := s.phase(ctx, "Everyone on the old architecture", 0); err != nil {
		return err
	}
	for stage := rollout.EarlyTesting; stage <= rollout.HalfRollout; stage++ {
		if err := s.advance(ctx); err != nil {
			return err
		}
		if err := s.phase(ctx, fmt.Sprintf("Stage %d %s", stage, stage), stage.Percentage()); err != nil {
			return err
		}
	}
	if err := s.breakCanary(ctx); err != nil {
		return err
	}
	if err := s.takeBack(ctx); err != nil {
		return err
	}
	return s.finish(ctx)
}

// phase lets every user through at least once and checks the cohorts.
func (s *story) phase(ctx context.Context, title string, percent rollout.Percent) error {
	s.traffic.begin()
	s.screen.phase(title)
	c, err := s.watch(ctx, s.config.Users)
	if err != nil {
		return err
	}
	share := 100 * float64(c.usersNew) / float64(c.usersNew+c.usersOld)
	s.screen.result("%d of %d users on new (%.1f %%), %d texts, %d descriptions, nobody moved back", c.usersNew, c.usersNew+c.usersOld, share, c.requests, c.descriptions)
	switch {
	case percent == 0 && c.usersNew > 0:
		return fmt.Errorf("%w: %d users on new at 0 %%", ErrClaimBroken, c.usersNew)
	case share < 0.7*float64(percent) || share > 1.3*float64(percent):
		return fmt.Errorf("%w: %.1f %% of the users on new at %d %%", ErrClaimBroken, share, percent)
	case c.movedToOld > 0:
		return fmt.Errorf("%w: %d users were moved back to old by an advance", ErrClaimBroken, c.movedToOld)
	}
	return nil
}

// watch shows the status until the phase has seen a number of texts.
func (s *story) watch(ctx context.Context, texts int) (counts, error) {
	tick := time.NewTicker(150 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := s.traffic.look()
		if err != nil {
			return c, fmt.Errorf("%w: %w", ErrClaimBroken, err)
		}
		if c.requests >= texts {
			s.screen.clearLive()
			return c, nil
		}
		if s.config.Live {
			if err := s.draw(ctx, c); err != nil {
				return c, err
			}
		}
		select {
		case <-ctx.Done():
			return c, ctx.Err()
		case <-tick.C:
		}
	}
}

func (s *story) draw(ctx context.Context, c counts) error {
	var status api.Status
	if err := s.client.admin(ctx, "GET", "status", nil, &status); err != nil {
		return err
	}
	s.screen.live(status, c)
	return nil
}

func (s *story) advance(ctx context.Context) error {
	var change api.StageChange
	body := map[string]any{"note": "demo: the numbers look good"}
	if err := s.client.admin(ctx, "POST", "advance", body, &change); err != nil {
		return err
	}
	s.screen.command("nlpcanary advance", "stage %d, %d %% → stage %d, %d %%", change.OldStage, change.OldPercentage, change.NewStage, change.NewPercentage)
	return nil
}

func (s *story) rollback(ctx context.Context, to rollout.Stage, why string) (api.StageChange, error) {
	var change api.StageChange
	err := s.client.admin(ctx, "POST", "rollback", map[string]any{"stage": to, "note": "demo: " + why}, &change)
	return change, err
}

// breakCanary makes the new architecture fail: every text must still be answered.
func (s *story) breakCanary(ctx context.Context) error {
	s.canary.broken.Store(true)
	s.traffic.begin()
	s.screen.phase("The new architecture breaks: errors, panics, hanging")
	c, err := s.watch(ctx, s.config.Users/2)
	if err != nil {
		return err
	}
	s.screen.result("%d of %d texts went to new and failed; old answered every one of them", c.fallbacks, c.requests)
	if c.fallbacks == 0 {
		return fmt.Errorf("%w: the broken architecture did not show", ErrClaimBroken)
	}
	if err := s.showMetrics(ctx); err != nil {
		return err
	}
	var advice api.Recommendations
	if err := s.client.admin(ctx, "GET", "recommendations", nil, &advice); err != nil {
		return err
	}
	s.screen.command("nlpcanary recommendations", "%s: %s", advice.Action, advice.Why)
	return nil
}

func (s *story) setGuardian(ctx context.Context, mode rollout.GuardianMode) error {
	return s.client.call(ctx, "PUT", "/api/v1/admin/settings/guardian", map[string]any{"value": mode, "note": "demo"}, nil)
}

// takeBack rolls back under traffic and measures when the last text went to new.
func (s *story) takeBack(ctx context.Context) error {
	s.screen.phase("Rollback")
	asked := time.Now()
	change, err := s.rollback(ctx, rollout.Disabled, "the new architecture fails")
	if err != nil {
		return err
	}
	answered := time.Since(asked)
	held := "no convergence was reported"
	if v := change.Convergence; v != nil {
		held = fmt.Sprintf("held on %d of %d instances in %d ms", v.Held, v.Total, v.ElapsedMS)
	}
	s.screen.command("nlpcanary rollback 0", "stage %d → stage %d, %s", change.OldStage, change.NewStage, held)
	s.traffic.begin()
	c, err := s.watch(ctx, s.config.Users)
	if err != nil {
		return err
	}
	late := s.traffic.lastDecidedNew().Sub(asked)
	s.screen.result("after the rollback: %d texts of %d users, %d of them to new", c.requests, c.usersOld, c.decidedNew)
	if late < 0 {
		s.screen.result("the last text that went to new was sent %d ms before the rollback was asked for", -late.Milliseconds())
	} else {
		s.screen.result("the last text that went to new was sent %d ms after the rollback was asked for", late.Milliseconds())
	}
	// A text sent before the rollback was answered may still come back as new's.
	if c.decidedNew > 0 {
		return fmt.Errorf("%w: %d texts went to new after the rollback", ErrClaimBroken, c.decidedNew)
	}
	if late > answered || late > 5*time.Second {
		return fmt.Errorf("%w: a text went to new %s after the rollback was asked for", ErrClaimBroken, late)
	}
	return nil
}

func (s *story) finish(ctx context.Context) error {
	var report struct {
		OK      bool   `json:"ok"`
		Entries int64  `json:"entries"`
		Root    string `json:"root_hash"`
	}
	if err := s.client.call(ctx, "GET", "/api/v1/admin/audit/verify", nil, &report); err != nil {
		return err
	}
	s.screen.phase("What remains")
	var history api.History
	if err := s.client.admin(ctx, "GET", "history?limit=10", nil, &history); err != nil {
		return err
	}
	s.screen.history(history)
	if !report.OK {
		return fmt.Errorf("%w: the audit trail does not verify", ErrClaimBroken)
	}
	s.screen.result("audit trail: %d entries, verified, root %.12s…", report.Entries, report.Root)
	s.screen.say("\nThe rollback held. Every number above was counted from answers of the server.")
	return nil
}

// goOn keeps serving for a person to try the commands.
func (s *story) goOn(ctx context.Context) {
	s.canary.broken.Store(false)
	if err := s.setGuardian(ctx, rollout.GuardianGuard); err != nil {
		s.screen.say("The guardian goes on observing: %v", err)
	}
	s.screen.say("\nServer and traffic go on; the new architecture is mended. Try, in another terminal:\n")
	s.screen.say("  export NLPCANARY_SERVER=%s NLPCANARY_TOKEN=%s", s.client.base, s.client.token)
	s.screen.say("  nlpcanary status --watch\n  nlpcanary advance\n  nlpcanary rollback 0\n\nCtrl-C ends the demo.")
	<-ctx.Done()
}
