package rollout

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// SoakMode says what happens to an advance before the soak time is over.
type SoakMode string

// Advise lets an early advance through with a warning that is in the audit trail
// too; Enforce refuses it.
const (
	SoakAdvise  SoakMode = "advise"
	SoakEnforce SoakMode = "enforce"
)

// GuardianMode says what the guardian may do by itself.
type GuardianMode string

// The modes. Observe alerts only; Guard also rolls back on proven harm; Auto also
// advances, when everything is proven safe and the soak time is over.
const (
	GuardianObserve GuardianMode = "observe"
	GuardianGuard   GuardianMode = "guard"
	GuardianAuto    GuardianMode = "auto"
)

// MaxApprovals is the most distinct people whose approval a next stage can need.
const MaxApprovals = 10

// Settings are the knobs that the whole installation shares. Shares are parts of one:
// 0.05 is 5 %.
type Settings struct {
	Soak      SoakMode  `json:"soak"`
	WhenStale WhenStale `json:"when_stale"`
	// SoakTimes are how long the stages 0 to 3 must stand before the next one.
	SoakStage0 Period `json:"soak_stage_0"`
	SoakStage1 Period `json:"soak_stage_1"`
	SoakStage2 Period `json:"soak_stage_2"`
	SoakStage3 Period `json:"soak_stage_3"`

	Guardian GuardianMode `json:"guardian"`
	// Approvals is how many distinct people must approve the next stage, whoever
	// advances included; 0 and 1 leave it to whoever advances. Never for rollbacks.
	Approvals int `json:"approvals"`

	// Rollback limits: past them, harm that is proven rolls back. The first and the
	// last two are relative to old, the timeout rate is absolute.
	RollbackErrorIncrease float64 `json:"rollback_error_increase"`
	RollbackTimeoutRate   float64 `json:"rollback_timeout_rate"`
	RollbackF1Drop        float64 `json:"rollback_f1_drop"`
	RollbackTimeIncrease  float64 `json:"rollback_time_increase"`
	RollbackQualityDrop   float64 `json:"rollback_quality_drop"`

	// Safety margins, relative to old: what must be proven before an advance is
	// advised. A gain of 0 asks only that the F1 score did not fall.
	SafeErrorIncrease float64 `json:"safe_error_increase"`
	SafeTimeIncrease  float64 `json:"safe_time_increase"`
	SafeF1Gain        float64 `json:"safe_f1_gain"`

	// Alphas are the probabilities, stage by stage, that a harmless release is
	// rolled back, however often one looks; the defaults add up to 5 %.
	AlphaStage1 float64 `json:"alpha_stage_1"`
	AlphaStage2 float64 `json:"alpha_stage_2"`
	AlphaStage3 float64 `json:"alpha_stage_3"`
	AlphaStage4 float64 `json:"alpha_stage_4"`
}

// DefaultSettings are those of a new installation.
func DefaultSettings() Settings {
	return Settings{
		Soak: SoakAdvise, WhenStale: StaleOld,
		SoakStage0: Period(Disabled.Soak()), SoakStage1: Period(EarlyTesting.Soak()),
		SoakStage2: Period(Expanded.Soak()), SoakStage3: Period(HalfRollout.Soak()),
		Guardian: GuardianGuard, Approvals: 0,
		RollbackErrorIncrease: .5, RollbackTimeoutRate: .01, RollbackF1Drop: .05, RollbackTimeIncrease: .3, RollbackQualityDrop: .05,
		SafeErrorIncrease: .25, SafeTimeIncrease: .3, SafeF1Gain: .05,
		AlphaStage1: .02, AlphaStage2: .01, AlphaStage3: .01, AlphaStage4: .01,
	}
}

// UnmarshalJSON reads settings; what the JSON leaves out has its default value, so
// that a state written by an older version is read.
func (s *Settings) UnmarshalJSON(data []byte) error {
	type plain Settings
	read := plain(DefaultSettings())
	if err := json.Unmarshal(data, &read); err != nil {
		return fmt.Errorf("reading settings: %w", err)
	}
	*s = Settings(read)
	return nil
}

// SoakOf is how long a stage must stand before the next one; 0 for the last stage.
func (s Settings) SoakOf(stage Stage) time.Duration {
	switch stage {
	case Disabled:
		return time.Duration(s.SoakStage0)
	case EarlyTesting:
		return time.Duration(s.SoakStage1)
	case Expanded:
		return time.Duration(s.SoakStage2)
	case HalfRollout:
		return time.Duration(s.SoakStage3)
	default:
		return 0
	}
}

// AlphaOf is the probability with which a harmless release may be rolled back at a
// stage; that of stage 1 at stage 0, where nobody can be.
func (s Settings) AlphaOf(stage Stage) float64 {
	switch stage {
	case Expanded:
		return s.AlphaStage2
	case HalfRollout:
		return s.AlphaStage3
	case FullRollout:
		return s.AlphaStage4
	default:
		return s.AlphaStage1
	}
}

// Period is a duration that people set: its text is "48h", "90m", "7d".
type Period time.Duration

// maxPeriod bounds what somebody may have meant.
const maxPeriod = 365 * 24 * time.Hour

// ParsePeriod reads a period: a number of days ("7d") or a duration as Go writes it
// ("48h", "1h30m"), from 0 to 365 days.
func ParsePeriod(text string) (Period, error) {
	const right = "a period is 0s to 365d, such as 48h, 90m or 7d"
	d, err := time.ParseDuration(text)
	if days, isDays := strings.CutSuffix(text, "d"); isDays {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 10)
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d < 0 || d > maxPeriod {
		return 0, invalid("value", fmt.Sprintf("%q is not a period", clip(text)), right)
	}
	return Period(d), nil
}

// String is the period as [ParsePeriod] reads it.
func (p Period) String() string {
	d := time.Duration(p)
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}} {
		if d != 0 && d%u.unit == 0 {
			return strconv.FormatInt(int64(d/u.unit), 10) + u.name
		}
	}
	return d.String()
}

// MarshalText writes the period for JSON.
func (p Period) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads a period from JSON.
func (p *Period) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePeriod(string(text))
	return err
}

// Setting is one of the knobs, described.
type Setting struct {
	// Key is its JSON name.
	Key string
	// About says what it does, Values which values it takes.
	About, Values string

	get func(Settings) string
	set func(*Settings, string) error
}

// Known lists all settings in the order in which people should see them.
func (Settings) Known() []Setting { return append([]Setting{}, knobs...) }

// Value is the value of the setting with this key, as [SetSetting] takes it.
func (s Settings) Value(key string) (value string, known bool) {
	for _, k := range knobs {
		if k.Key == key {
			return k.get(s), true
		}
	}
	return "", false
}

var knobs = []Setting{
	choice("soak", "what an advance before the end of the soak time gets: a warning, or a refusal", func(s *Settings) *SoakMode { return &s.Soak }, SoakAdvise, SoakEnforce),
	period("soak_stage_0", "how long stage 0 should stand before stage 1", func(s *Settings) *Period { return &s.SoakStage0 }),
	period("soak_stage_1", "how long stage 1 should stand before stage 2", func(s *Settings) *Period { return &s.SoakStage1 }),
	period("soak_stage_2", "how long stage 2 should stand before stage 3", func(s *Settings) *Period { return &s.SoakStage2 }),
	period("soak_stage_3", "how long stage 3 should stand before stage 4", func(s *Settings) *Period { return &s.SoakStage3 }),
	choice("when_stale", "what an instance without a valid lease serves: old, or its last state (no bound on rollbacks; finalised rollouts only)", func(s *Settings) *WhenStale { return &s.WhenStale }, StaleOld, StaleHold),
	choice("guardian", "what the guardian does by itself: alert; also roll back on harm; also advance when all is proven safe", func(s *Settings) *GuardianMode { return &s.Guardian }, GuardianObserve, GuardianGuard, GuardianAuto),
	count("approvals", "how many distinct people must approve the next stage, whoever advances included", MaxApprovals, func(s *Settings) *int { return &s.Approvals }),
	share("rollback_error_increase", "error rate, relative to old's, past which proven harm rolls back", .01, 10, func(s *Settings) *float64 { return &s.RollbackErrorIncrease }),
	share("rollback_timeout_rate", "timeout rate past which proven harm rolls back", .0001, .5, func(s *Settings) *float64 { return &s.RollbackTimeoutRate }),
	share("rollback_f1_drop", "fall of the F1 score, relative to old's, past which proven harm rolls back", .001, .9, func(s *Settings) *float64 { return &s.RollbackF1Drop }),
	share("rollback_time_increase", "processing time, relative to old's, past which proven harm rolls back", .01, 10, func(s *Settings) *float64 { return &s.RollbackTimeIncrease }),
	share("rollback_quality_drop", "fall of the quality marks, relative to old's, past which proven harm rolls back", .001, .9, func(s *Settings) *float64 { return &s.RollbackQualityDrop }),
	share("safe_error_increase", "error rate, relative to old's, that new must be proven to stay below before an advance is advised", .01, 10, func(s *Settings) *float64 { return &s.SafeErrorIncrease }),
	share("safe_time_increase", "processing time, relative to old's, that new must be proven to stay below before an advance is advised", .01, 10, func(s *Settings) *float64 { return &s.SafeTimeIncrease }),
	share("safe_f1_gain", "gain of the F1 score, relative to old's, that new must show before an advance is advised", 0, 1, func(s *Settings) *float64 { return &s.SafeF1Gain }),
	share("alpha_stage_1", "probability that a harmless release is rolled back at stage 1", 1e-6, .2, func(s *Settings) *float64 { return &s.AlphaStage1 }),
	share("alpha_stage_2", "probability that a harmless release is rolled back at stage 2", 1e-6, .2, func(s *Settings) *float64 { return &s.AlphaStage2 }),
	share("alpha_stage_3", "probability that a harmless release is rolled back at stage 3", 1e-6, .2, func(s *Settings) *float64 { return &s.AlphaStage3 }),
	share("alpha_stage_4", "probability that a harmless release is rolled back at stage 4", 1e-6, .2, func(s *Settings) *float64 { return &s.AlphaStage4 }),
}

func choice[T ~string](key, about string, at func(*Settings) *T, values ...T) Setting {
	var names []string
	for _, v := range values {
		names = append(names, string(v))
	}
	return knob(key, about, strings.Join(names[:len(names)-1], ", ")+" or "+names[len(names)-1], at,
		func(v T) string { return string(v) },
		func(text string) (T, bool) {
			for _, v := range values {
				if text == string(v) {
					return v, true
				}
			}
			return "", false
		})
}

func period(key, about string, at func(*Settings) *Period) Setting {
	return knob(key, about, "0s to 365d, such as 48h, 90m or 7d", at, Period.String, func(text string) (Period, bool) {
		p, err := ParsePeriod(text)
		return p, err == nil
	})
}

func count(key, about string, most int, at func(*Settings) *int) Setting {
	return knob(key, about, fmt.Sprintf("0 to %d", most), at, strconv.Itoa, func(text string) (int, bool) {
		n, err := strconv.Atoi(text)
		return n, err == nil && n >= 0 && n <= most
	})
}

func share(key, about string, least, most float64, at func(*Settings) *float64) Setting {
	values := fmt.Sprintf("%s to %s, or in percent, %s%% to %s%%", number(least), number(most), number(100*least), number(100*most))
	return knob(key, about, values, at, number, func(text string) (float64, bool) {
		bare, percent := strings.CutSuffix(text, "%")
		v, err := strconv.ParseFloat(strings.TrimSpace(bare), 64)
		if percent {
			// 7/100 is the number that "0.07" is, which 7*0.01 is not.
			v /= 100
		}
		return v, err == nil && !math.IsNaN(v) && v >= least && v <= most
	})
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func knob[T any](key, about, values string, at func(*Settings) *T, write func(T) string, read func(string) (T, bool)) Setting {
	return Setting{
		Key: key, About: about, Values: values,
		get: func(s Settings) string { return write(*at(&s)) },
		set: func(s *Settings, text string) error {
			v, ok := read(text)
			if !ok {
				return invalid("value", fmt.Sprintf("%q is not a value of the setting %s", clip(text), key), "it is "+values)
			}
			*at(s) = v
			return nil
		},
	}
}

// SetSetting changes one setting by its JSON name.
type SetSetting struct {
	Key   string
	Value string
}

// Action is "setting.set".
func (SetSetting) Action() Action { return ActionSettingSet }

// Needs admin.
func (SetSetting) Needs() Permission { return Administer }

func (v SetSetting) apply(s *State, _ Context) (effect, error) {
	before := s.Settings
	was, known := before.Value(v.Key)
	if !known {
		return effect{}, &Refusal{Code: CodeNotFound, Field: "key", Message: "there is no setting " + strconv.Quote(clip(v.Key)), Hint: "the settings are " + keys()}
	}
	for _, k := range knobs {
		if k.Key != v.Key {
			continue
		}
		if err := k.set(&s.Settings, v.Value); err != nil {
			return effect{}, err
		}
	}
	eff := effect{subject: "setting/" + v.Key, before: was, unchanged: before == s.Settings}
	eff.after, _ = s.Settings.Value(v.Key)
	if eff.unchanged {
		return eff, nil
	}
	if v.Key == "when_stale" && s.Settings.WhenStale == StaleHold {
		if !s.Rollout.Finalised {
			return effect{}, refuse(CodeNotFinished, "when_stale may be hold only for a finalised rollout: it gives up the bound on rollbacks", "finalise the rollout first, once the old architecture is gone")
		}
		eff.warnings = append(eff.warnings, "an instance without a valid lease now serves its last state: rollbacks are no longer bounded in time")
	}
	return eff, nil
}

func keys() string {
	var names []string
	for _, k := range knobs {
		names = append(names, k.Key)
	}
	return strings.Join(names, ", ")
}
