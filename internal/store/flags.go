package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nlpcanary/nlpcanary/internal/store/gen"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// databaseActor is who changes flags by SQL, in the audit trail.
var databaseActor = rollout.Actor{Name: "database", Role: rollout.RoleViewer, Source: rollout.SourceDatabase}

// flagSwitch is a flag as a renewal brings it: no more than deciding needs.
type flagSwitch struct {
	name    string
	enabled bool
}

// decodeSwitches reads what Renew and Snapshot make of feature_flags: for each flag
// the length of its name in bytes, '+' or '-', and the name. JSON would have been
// the obvious form, but the two databases build it by different functions.
func decodeSwitches(text string) ([]flagSwitch, error) {
	var list []flagSwitch
	for text != "" {
		sign := strings.IndexAny(text, "+-")
		if sign < 0 {
			return nil, badSwitches()
		}
		length, err := strconv.ParseUint(text[:sign], 10, 16)
		enabled, rest := text[sign] == '+', text[sign+1:]
		if err != nil || length > uint64(len(rest)) {
			return nil, badSwitches()
		}
		list = append(list, flagSwitch{legible(rest[:length]), enabled})
		text = rest[length:]
	}
	return unite(list, func(f flagSwitch) string { return f.name }, func(f *flagSwitch) *bool { return &f.enabled }), nil
}

func badSwitches() error {
	return fmt.Errorf("%w: feature_flags cannot be read: a name is malformed", ErrDatabase)
}

// legible makes text valid UTF-8, as JSON would: SQLite keeps whatever was typed,
// and a flag must not differ from its own copy in the document for ever.
func legible(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// unite sorts flags by name. A legacy table may hold a name twice: such a flag is
// on only if all of its rows are.
func unite[F any](list []F, name func(F) string, enabled func(*F) *bool) []F {
	slices.SortStableFunc(list, func(a, b F) int { return cmp.Compare(name(a), name(b)) })
	united := list[:0]
	for _, f := range list {
		if n := len(united); n > 0 && name(united[n-1]) == name(f) {
			*enabled(&united[n-1]) = *enabled(&united[n-1]) && *enabled(&f)
			continue
		}
		united = append(united, f)
	}
	return united
}

// readFlags reads feature_flags, sorted by name.
func readFlags(ctx context.Context, q *gen.Queries) ([]rollout.Flag, error) {
	rows, err := q.ListFlags(ctx)
	if err != nil {
		return nil, failed("reading feature_flags", err)
	}
	flags := make([]rollout.Flag, 0, len(rows))
	for _, row := range rows {
		flags = append(flags, rollout.Flag{
			Name: legible(row.Name), Enabled: row.Enabled, Category: legible(row.Category), Description: legible(row.Description),
			DefaultValue: row.DefaultValue, CreatedAt: timeOf(row.CreatedAt.Time), UpdatedAt: timeOf(row.UpdatedAt.Time),
		})
	}
	return unite(flags, func(f rollout.Flag) string { return f.Name }, func(f *rollout.Flag) *bool { return &f.Enabled }), nil
}

// sameFlags compares all but the times, which say nothing by themselves.
func sameFlags(a, b []rollout.Flag) bool {
	return slices.EqualFunc(a, b, func(a, b rollout.Flag) bool {
		a.CreatedAt, a.UpdatedAt = b.CreatedAt, b.UpdatedAt
		return a == b
	})
}

// writeFlags writes those flags of after that differ from before.
func writeFlags(ctx context.Context, q *gen.Queries, before, after rollout.State) error {
	for _, flag := range after.Flags {
		was, exists := before.Flag(flag.Name)
		if exists && was == flag {
			continue
		}
		if err := writeFlag(ctx, q, flag); err != nil {
			return failed("writing the flag "+flag.Name, err)
		}
	}
	return nil
}

func writeFlag(ctx context.Context, q *gen.Queries, f rollout.Flag) error {
	updated := sql.NullTime{Time: f.UpdatedAt, Valid: true}
	n, err := q.UpdateFlag(ctx, gen.UpdateFlagParams{
		Name: f.Name, Enabled: f.Enabled, Category: f.Category, Description: f.Description, DefaultValue: f.DefaultValue, UpdatedAt: updated,
	})
	if err != nil || n > 0 {
		return err
	}
	return q.InsertFlag(ctx, gen.InsertFlagParams{
		Name: f.Name, Enabled: f.Enabled, Category: f.Category, Description: f.Description, DefaultValue: f.DefaultValue,
		CreatedAt: sql.NullTime{Time: f.CreatedAt, Valid: true}, UpdatedAt: updated,
	})
}
