package main

import (
	"errors"
	"strings"

	"github.com/alecthomas/kong"
)

// commands is the command line: kong makes the parser, the help and the shell
// completion out of it.
type commands struct {
	globalFlags
	Help helpFlag `short:"h" help:"Show help for a command."`

	Status          statusCmd          `cmd:"" group:"look" help:"Show where the rollout stands."`
	Metrics         metricsCmd         `cmd:"" group:"look" help:"Show what was measured of the two architectures."`
	Recommendations recommendationsCmd `cmd:"" group:"look" help:"Show what to do next, and why."`
	Alerts          alertsCmd          `cmd:"" group:"look" help:"List what is wrong."`
	History         historyCmd         `cmd:"" group:"look" help:"List the changes of stage, newest first."`
	Audit           auditCmd           `cmd:"" group:"look" help:"List and verify the audit trail."`
	VerifyBound     verifyBoundCmd     `cmd:"" group:"look" help:"Prove on your database that a rollback holds within the lease, whatever the network does."`
	BoundInstance   boundInstanceCmd   `cmd:"" name:"verify-bound-instance" hidden:"" help:"An instance of verify-bound."`
	Doctor          doctorCmd          `cmd:"" group:"look" help:"Check the installation and say what is wrong with it."`

	ValidateStatistics validateStatisticsCmd `cmd:"" group:"look" help:"Simulate rollouts whose truth is known, and show that the evidence finds it as often and as fast as promised."`

	Rollback   rollbackCmd   `cmd:"" group:"change" help:"Take users back to a stage, by default to 0, and wait until it holds everywhere. Never asks."`
	Advance    advanceCmd    `cmd:"" group:"change" help:"Move on to the next stage."`
	Approve    approveCmd    `cmd:"" group:"change" help:"Approve the next stage, where the setting approvals asks for it."`
	Guardian   guardianCmd   `cmd:"" group:"change" help:"Pause or resume what happens by itself."`
	Flag       flagCmd       `cmd:"" group:"change" help:"List, show, set and create feature flags; USE_NEW_NLP_ARCHITECTURE is the kill switch."`
	Override   overrideCmd   `cmd:"" group:"change" help:"Pin users to an architecture."`
	Setting    settingCmd    `cmd:"" group:"change" help:"List and change settings."`
	ClearCache clearCacheCmd `cmd:"" group:"change" help:"Make every instance forget its cohort cache. Changes no decision."`
	Rollout    rolloutCmd    `cmd:"" group:"change" help:"Finalise the rollout, or start the next one."`
	Token      tokenCmd      `cmd:"" group:"change" help:"Create, list and revoke API tokens."`

	AcceptRestore acceptRestoreCmd `cmd:"" group:"change" help:"Declare that a database which went back (restored, or failed over) is the right one."`

	Decide   decideCmd   `cmd:"" group:"use" help:"Show which architecture a user is on, and why."`
	Extract  extractCmd  `cmd:"" group:"use" help:"Extract descriptions from a text as a user."`
	Replay   replayCmd   `cmd:"" group:"use" help:"Send texts through both architectures as many users and compare."`
	Evaluate evaluateCmd `cmd:"" group:"use" help:"Score architectures against texts in which people marked the descriptions."`

	Simulate   simulateCmd   `cmd:"" group:"run" help:"Play a rollout in compressed time, with true rates of your choice."`
	Demo       demoCmd       `cmd:"" group:"run" help:"See a whole rollout on real texts, from 0 % to a rollback."`
	Serve      serveCmd      `cmd:"" group:"run" help:"Serve the API, the decisions and the extraction."`
	Gateway    gatewayCmd    `cmd:"" group:"run" help:"Stand in front of two HTTP services and send each user to his cohort's."`
	Notify     notifyCmd     `cmd:"" group:"run" help:"Try the notifiers of a configuration file."`
	Migrate    migrateCmd    `cmd:"" group:"run" help:"Create or upgrade the database's schema."`
	Completion completionCmd `cmd:"" group:"run" help:"Print a completion script for a shell."`
	Version    versionCmd    `cmd:"" group:"run" help:"Print the version."`
}

var commandGroups = kong.ExplicitGroups([]kong.Group{
	{Key: "look", Title: "Look:"},
	{Key: "change", Title: "Change:"},
	{Key: "use", Title: "Use:"},
	{Key: "run", Title: "Run:"},
	{Key: "global", Title: "Everywhere:"},
})

// globalFlags are those that every command takes.
type globalFlags struct {
	Database string `group:"global" placeholder:"URL" help:"Work straight on this database: sqlite:PATH or postgres://… (default sqlite:nlpcanary.db; NLPCANARY_DATABASE_URL)."`
	Server   string `group:"global" placeholder:"URL" help:"Work through this server's API, with the token in NLPCANARY_TOKEN (NLPCANARY_SERVER)."`
	Admin    string `group:"global" placeholder:"EMAIL" help:"Who makes the change, on the database path (default: you on this host). Through a server it is the token's owner."`
	JSON     bool   `group:"global" name:"json" help:"Print the API's answer as JSON; problems too, on stderr."`
	Verbose  bool   `group:"global" help:"Tell on stderr what is being done."`
}

// changeFlags are those of every command that changes something.
type changeFlags struct {
	Note   string `short:"m" placeholder:"TEXT" help:"Why, for the audit trail."`
	DryRun bool   `help:"Say what would happen, and change nothing."`
}

func newParser(root *commands, s *session) (*kong.Kong, error) {
	return kong.New(root,
		kong.Name("nlpcanary"),
		kong.Description("Move users to a new text-processing architecture in stages, and take them back.\n\n"+
			"In an emergency:  nlpcanary rollback"),
		kong.Writers(s.stdout, s.stderr),
		kong.NoDefaultHelp(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.ValueFormatter(helpWithDefault),
		commandGroups,
		kong.Bind(s),
	)
}

// helpWithDefault adds the default value to a flag's help, where the help does not
// speak of it already.
func helpWithDefault(value *kong.Value) string {
	if !value.HasDefault || value.Default == "" || strings.Contains(value.Help, "default") {
		return value.Help
	}
	return strings.TrimSuffix(value.Help, ".") + " (default " + value.Default + ")."
}

// errHelpShown ends parsing after --help. Kong's own flag would end the process.
var errHelpShown = errors.New("help was shown")

type helpFlag bool

// BeforeReset shows the help before kong complains about missing arguments.
func (helpFlag) BeforeReset(ctx *kong.Context) error {
	if err := ctx.PrintUsage(false); err != nil {
		return err
	}
	return errHelpShown
}

// IgnoreDefault keeps the flag from being set before parsing.
func (helpFlag) IgnoreDefault() {}
