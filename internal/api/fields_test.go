package api_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// The names below are a contract with those who call the API: to the letter.
const (
	statusFields       = "approvals approvals_needed architectures cache_size effective_percentage estimated_users_new_arch estimated_users_old_arch feature_flag_enabled finalised guardian instances last_updated latched lease new_architecture_name notes old_architecture_name overrides percentage region revision rollback_bound rollout soak_ends_at stage stage_name total_users updated_by warnings"
	settingsFields     = "alpha_stage_1 alpha_stage_2 alpha_stage_3 alpha_stage_4 approvals guardian rollback_error_increase rollback_f1_drop rollback_quality_drop rollback_time_increase rollback_timeout_rate safe_error_increase safe_f1_gain safe_time_increase soak soak_stage_0 soak_stage_1 soak_stage_2 soak_stage_3 when_stale"
	instanceFields     = "address break_glass cache_size id lease_age_ms lease_ms live region revision seen_at started_at version"
	metricsFields      = "comparison from new_architecture old_architecture region rollout since stage timestamp to window"
	architectureFields = "avg_processing_time_ms avg_quality_score descriptions error_rate f1_score f1_source labelled name p50_processing_time_ms p95_processing_time_ms p99_processing_time_ms precision recall timeout_rate total_processed users"
	stageChangeFields  = "admin changed message new_percentage new_stage old_percentage old_stage revision timestamp warnings"
	rollbackFields     = "admin changed convergence is_rollback message new_percentage new_stage old_percentage old_stage revision timestamp warnings"
	historyFields      = "id notes percentage revision rollout stage stage_name updated_at updated_by"
	adviceFields       = "action caveat combined current_percentage current_stage learned_from metrics_summary next_stage prediction recommendations risk_level risk_probability split timestamp verdicts why"
	verdictFields      = "change design_effect difference harm_limit log_e_harm log_e_safe message metric new new_effective_users new_requests old old_effective_users old_requests reasons risk_probability safe_limit verdict"
	changeFields       = "admin after before changed message revision subject timestamp warnings"
	flagFields         = "category created_at default_value description enabled name updated_at"
	decisionFields     = "architecture bucket percentage reason region revision stage"
	extractionFields   = "architecture bucket descriptions fallback language outcome_id processing_time_ms reason revision stage"
	descriptionFields  = "confidence consensus end end_byte priority quality sources start start_byte text type"
)

func keys(tb testing.TB, text json.RawMessage) string {
	tb.Helper()
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil {
		tb.Fatalf("%v in %s", err, text)
	}
	return strings.Join(slices.Sorted(maps.Keys(object)), " ")
}

// at follows a path of fields and of the first elements of lists.
func at(tb testing.TB, text json.RawMessage, path ...string) json.RawMessage {
	tb.Helper()
	for _, field := range path {
		if field == "0" {
			var list []json.RawMessage
			if err := json.Unmarshal(text, &list); err != nil || len(list) == 0 {
				tb.Fatalf("no first element (%v) in %s", err, text)
			}
			text = list[0]
			continue
		}
		var object map[string]json.RawMessage
		if err := json.Unmarshal(text, &object); err != nil {
			tb.Fatalf("%v in %s", err, text)
		}
		text = object[field]
	}
	return text
}

func TestBodiesHaveExactlyTheFieldsOfTheContract(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	for _, tt := range []struct {
		method, path, body string
		where              []string
		fields             string
	}{
		{"GET", canary + "status", "", nil, statusFields},
		{"GET", canary + "status", "", []string{"instances", "0"}, instanceFields},
		{"GET", canary + "status", "", []string{"lease"}, "length_ms remaining_ms valid"},
		{"GET", canary + "metrics", "", nil, metricsFields},
		{"GET", canary + "metrics", "", []string{"old_architecture"}, architectureFields},
		{"GET", canary + "metrics", "", []string{"new_architecture"}, architectureFields},
		{"POST", canary + "rollback", `{"stage": 0}`, nil, rollbackFields},
		{"POST", canary + "advance", "", nil, stageChangeFields},
		{"GET", canary + "history", "", nil, "history total_entries"},
		{"GET", canary + "history", "", []string{"history", "0"}, historyFields},
		{"GET", canary + "recommendations", "", nil, adviceFields},
		{"GET", canary + "recommendations", "", []string{"recommendations", "0"}, "message priority type"},
		{"GET", canary + "recommendations", "", []string{"metrics_summary"}, "new_architecture old_architecture"},
		{"POST", canary + "clear-cache", "", nil, changeFields},
		{"GET", flags, "", []string{"flags", "0"}, flagFields},
		{"GET", kill, "", nil, flagFields},
		{"POST", flags, `{"name": "A"}`, nil, changeFields},
		{"POST", canary + "overrides", `{"user_id": "u", "architecture": "old"}`, nil, changeFields},
		{"GET", canary + "overrides", "", []string{"overrides", "0"}, "architecture created_at created_by label user"},
		{"POST", "/api/v1/admin/tokens", `{"name": "t", "role": "viewer"}`, nil, "created_at created_by expired expires_at id name revision role secret"},
		{"GET", "/api/v1/admin/tokens", "", []string{"tokens", "0"}, "created_at created_by expired expires_at id name role"},
		{"GET", "/api/v1/admin/settings", "", nil, settingsFields},
		{"GET", "/api/v1/admin/settings/soak", "", nil, "key value"},
		{"GET", "/api/v1/admin/audit", "", []string{"entries", "0"}, "action actor after at before note revision role source state_digest subject warnings"},
		{"GET", "/api/v1/admin/audit/verify", "", nil, "entries ok root_hash"},
		{"GET", "/api/v1/admin/audit/head", "", nil, "head"},
		{"GET", "/api/v1/admin/doctor", "", nil, "checks ok"},
		{"GET", "/api/v1/decision?user_id=u", "", nil, decisionFields},
		{"POST", "/api/v1/extract", `{"user_id": "v", "text": "A tall house."}`, nil, extractionFields},
		{"POST", "/api/v1/extract", `{"user_id": "v", "text": "A tall house."}`, []string{"descriptions", "0"}, descriptionFields},
		{"POST", "/ofrep/v1/evaluate/flags/" + rollout.KillSwitch, `{"context": {"targetingKey": "v"}}`, nil, "key metadata reason value variant"},
		{"POST", "/ofrep/v1/evaluate/flags/" + rollout.KillSwitch, `{"context": {"targetingKey": "v"}}`, []string{"metadata"}, "bucket percentage region revision stage stage_name"},
		{"POST", "/ofrep/v1/evaluate/flags", `{"context": {"targetingKey": "v"}}`, nil, "flags"},
	} {
		got := in.do(t, call{method: tt.method, path: tt.path, body: tt.body, as: admin}).ok(t, nil)
		if fields := keys(t, at(t, json.RawMessage(got.text), tt.where...)); fields != tt.fields {
			t.Errorf("%s %s %v\n got %s\nwant %s", tt.method, tt.path, tt.where, fields, tt.fields)
		}
	}
}

// What has not been measured is null: never 0, and never made up.
func TestNothingMeasuredIsNull(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	metrics := in.do(t, call{method: "GET", path: canary + "metrics", as: viewer}).ok(t, nil)
	for _, side := range []string{"old_architecture", "new_architecture"} {
		var object map[string]any
		if err := json.Unmarshal(at(t, json.RawMessage(metrics.text), side), &object); err != nil {
			t.Fatal(err)
		}
		for field, value := range object {
			counted := field == "name" || field == "total_processed" || field == "labelled"
			if !counted && value != nil {
				t.Errorf("%s.%s is %v", side, field, value)
			}
		}
	}
	status := in.do(t, call{method: "GET", path: canary + "status", as: viewer}).ok(t, nil)
	for _, field := range []string{"total_users", "estimated_users_new_arch", "estimated_users_old_arch"} {
		if value := string(at(t, json.RawMessage(status.text), field)); value != "null" {
			t.Errorf("%s is %s", field, value)
		}
	}
}

// What was measured is shown, feedback included, and credited to the right cohort.
func TestMeasuredNumbersAreShown(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	for _, user := range []string{"a", "b", "c", "c"} {
		var e struct {
			OutcomeID    string `json:"outcome_id"`
			Architecture string
		}
		in.do(t, call{method: "POST", path: "/api/v1/extract", body: `{"user_id": "` + user + `", "text": "A tall house."}`, as: client}).ok(t, &e)
		if e.Architecture != "new" {
			t.Fatalf("served by %q", e.Architecture)
		}
		feedback := call{method: "POST", path: "/api/v1/outcomes/" + e.OutcomeID + "/feedback", body: `{"quality": 8, "correct": 3, "wrong": 1, "missed": 1}`, as: client}
		in.do(t, feedback).ok(t, nil)
		in.do(t, feedback).ok(t, nil) // the same again counts once
		feedback.body = `{"quality": 2}`
		in.do(t, feedback).problem(t, 409, "already_exists")
	}
	in.ship(t)
	for _, window := range []string{"stage", "rollout"} {
		var m struct {
			Window string
			New    map[string]any `json:"new_architecture"`
			Old    map[string]any `json:"old_architecture"`
		}
		in.do(t, call{method: "GET", path: canary + "metrics?window=" + window, as: viewer}).ok(t, &m)
		want := map[string]any{"name": "ensemble", "total_processed": 4.0, "users": 3.0, "labelled": 4.0, "error_rate": 0.0, "avg_quality_score": 8.0, "precision": 0.75, "f1_score": 0.75}
		for field, value := range want {
			if m.New[field] != value {
				t.Errorf("%s: new_architecture.%s is %v, want %v", window, field, m.New[field], value)
			}
		}
		if m.Window != window || m.Old["total_processed"] != 0.0 || m.Old["f1_score"] != nil {
			t.Errorf("%s: %+v", window, m)
		}
	}
	var s map[string]any
	in.do(t, call{method: "GET", path: canary + "status", as: viewer}).ok(t, &s)
	if s["total_users"] != 3.0 || s["estimated_users_new_arch"] != 3.0 || s["estimated_users_old_arch"] != 0.0 {
		t.Errorf("users: %v, %v, %v", s["total_users"], s["estimated_users_new_arch"], s["estimated_users_old_arch"])
	}
}
