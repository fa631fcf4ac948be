package rollout

import (
	"fmt"
	"strconv"
)

// SoakMode says what happens to an advance before the soak time is over.
type SoakMode string

// Advise lets an early advance through with a warning that is in the audit trail
// too; Enforce refuses it.
const (
	SoakAdvise  SoakMode = "advise"
	SoakEnforce SoakMode = "enforce"
)

// Settings are the knobs that the whole installation shares.
type Settings struct {
	Soak      SoakMode  `json:"soak"`
	WhenStale WhenStale `json:"when_stale"`
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
	var warnings []string
	before := s.Settings
	switch v.Key {
	case "soak":
		switch m := SoakMode(v.Value); m {
		case SoakAdvise, SoakEnforce:
			s.Settings.Soak = m
		default:
			return effect{}, badSetting(v, "advise or enforce")
		}
	case "when_stale":
		switch w := WhenStale(v.Value); w {
		case StaleOld:
			s.Settings.WhenStale = w
		case StaleHold:
			if !s.Rollout.Finalised {
				return effect{}, refuse(CodeNotFinished, "when_stale may be hold only for a finalised rollout: it gives up the bound on rollbacks", "finalise the rollout first, once the old architecture is gone")
			}
			s.Settings.WhenStale = w
			warnings = append(warnings, "an instance without a valid lease now serves its last state: rollbacks are no longer bounded in time")
		default:
			return effect{}, badSetting(v, "old or hold")
		}
	default:
		return effect{}, &Refusal{Code: CodeNotFound, Field: "key", Message: "there is no setting " + strconv.Quote(clip(v.Key)), Hint: "the settings are soak and when_stale"}
	}
	return effect{subject: "setting/" + v.Key, before: before, after: s.Settings, unchanged: before == s.Settings, warnings: warnings}, nil
}

func badSetting(v SetSetting, right string) error {
	return invalid("value", fmt.Sprintf("%q is not a value of the setting %s", clip(v.Value), v.Key), "it is "+right)
}
