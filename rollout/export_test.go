package rollout

// Valid shows the tests the check of the hot path.
func (id UserID) Valid() bool { return id.valid() }
