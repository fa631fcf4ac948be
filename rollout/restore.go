package rollout

// AcceptRestore declares that the database which holds this state is the right one,
// although it went back: it was restored from an older backup, or a replica that
// lagged was promoted. It changes no stage. Instances that have seen what was lost
// trust the state again because its lineage is a newer one.
type AcceptRestore struct{}

// Action is "restore.accept".
func (AcceptRestore) Action() Action { return ActionAcceptRestore }

// Needs admin: it lets users to new again by a state that may have lost a rollback.
func (AcceptRestore) Needs() Permission { return Administer }

func (AcceptRestore) apply(s *State, c Context) (effect, error) {
	before := lineageRecord{s.Lineage, s.Revision - 1}
	// Counting alone would not do: the backup does not know how often a restore has
	// been accepted since it was made. Time has gone on since then.
	s.Lineage = max(s.Lineage+1, c.At.Unix())
	return effect{subject: "database", before: before, after: lineageRecord{s.Lineage, s.Revision}}, nil
}

// lineageRecord is what the audit trail keeps of a lineage.
type lineageRecord struct {
	Lineage  int64 `json:"lineage"`
	Revision int64 `json:"revision"`
}
