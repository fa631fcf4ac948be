package rollout

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Stage is a step of a rollout, 0 to 4.
type Stage int

// The stages of a rollout. Their percentages and soak times are fixed points
// of the product: see [Stage.Percentage] and [Stage.Soak].
const (
	Disabled     Stage = 0 // 0 %: everyone is on the old architecture
	EarlyTesting Stage = 1 // 5 %
	Expanded     Stage = 2 // 25 %
	HalfRollout  Stage = 3 // 50 %
	FullRollout  Stage = 4 // 100 %: everyone is on the new architecture
)

// Percent is a share of users in whole percent, 0 to 100.
type Percent int

type stageFacts struct {
	name    string
	percent Percent
	soak    time.Duration
}

var stages = [...]stageFacts{
	Disabled:     {"DISABLED", 0, 24 * time.Hour},
	EarlyTesting: {"EARLY_TESTING", 5, 48 * time.Hour},
	Expanded:     {"EXPANDED", 25, 72 * time.Hour},
	HalfRollout:  {"HALF_ROLLOUT", 50, 168 * time.Hour},
	FullRollout:  {"FULL_ROLLOUT", 100, 0},
}

// Valid reports whether s is one of the five stages.
func (s Stage) Valid() bool { return s >= Disabled && s <= FullRollout }

// Percentage is the share of users on the new architecture at this stage;
// 0 for an invalid stage.
func (s Stage) Percentage() Percent {
	if !s.Valid() {
		return 0
	}
	return stages[s].percent
}

// Soak is how long the stage must stand before the next one: 24 h at stage 0,
// then 48 h, 72 h and 168 h. The last stage has no next one and soaks 0.
func (s Stage) Soak() time.Duration {
	if !s.Valid() {
		return 0
	}
	return stages[s].soak
}

// String is the stage's name, such as "EARLY_TESTING".
func (s Stage) String() string {
	if !s.Valid() {
		return "STAGE(" + strconv.Itoa(int(s)) + ")"
	}
	return stages[s].name
}

// ParseStage reads a stage from its number ("2") or its name ("EXPANDED", in
// any case). The error says which stages there are.
func ParseStage(text string) (Stage, error) {
	trimmed := strings.TrimSpace(text)
	for i := range stages {
		s := Stage(i)
		if trimmed == strconv.Itoa(i) || strings.EqualFold(trimmed, s.String()) {
			return s, nil
		}
	}
	return 0, invalid("stage", fmt.Sprintf("%.40q is not a stage", text), stageHint)
}

const stageHint = "the stages are 0 DISABLED, 1 EARLY_TESTING, 2 EXPANDED, 3 HALF_ROLLOUT and 4 FULL_ROLLOUT"
