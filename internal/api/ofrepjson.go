package api

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// parseTarget reads {"context": {"targetingKey": "…", …}}. Whatever else the context
// holds is for other flag systems; it is checked and passed over.
func parseTarget(body []byte) (key string, given bool, err error) {
	s := scanner{data: body}
	err = s.object(func(name []byte) error {
		if string(name) != "context" {
			return notEvaluated(http.StatusBadRequest, ofrepParse, "there is no field "+clipName(name)+" in an evaluation request; it has one field, context")
		}
		if s.peek() != '{' {
			return notEvaluated(http.StatusBadRequest, ofrepContext, "the context is not an object")
		}
		return s.object(func(name []byte) error {
			if string(name) != "targetingKey" {
				return s.skip()
			}
			if s.peek() != '"' {
				return notEvaluated(http.StatusBadRequest, ofrepContext, "context.targetingKey is not a string")
			}
			text, err := s.text()
			key, given = string(text), len(text) > 0 // an empty one is as good as none
			return err
		})
	})
	if err == nil {
		err = s.end()
	}
	return key, given, err
}

// appendDecided writes the [Evaluation] of the kill switch for a user. All of its
// strings are plain ASCII (constants, and a region's restricted characters), so
// nothing needs to be escaped; a test compares it with encoding/json.
func appendDecided(text []byte, d rollout.Decision) []byte {
	text = append(text, `{"key":"`+rollout.KillSwitch+`","value":`...)
	text = strconv.AppendBool(text, d.Variant == rollout.New)
	text = append(text, `,"variant":"`...)
	text = append(text, d.Variant...)
	text = append(text, `","reason":"`...)
	text = append(text, d.Reason...)
	text = append(text, `","metadata":{`...)
	if d.Bucket != rollout.NoBucket {
		text = append(text, `"bucket":`...)
		text = strconv.AppendInt(text, int64(d.Bucket), 10)
		text = append(text, ',')
	}
	text = append(text, `"percentage":`...)
	text = strconv.AppendInt(text, int64(d.Percentage), 10)
	text = append(text, `,"region":"`...)
	text = append(text, d.Region...)
	text = append(text, `","revision":`...)
	text = strconv.AppendInt(text, d.Revision, 10)
	text = append(text, `,"stage":`...)
	text = strconv.AppendInt(text, int64(d.Stage), 10)
	text = append(text, `,"stage_name":"`...)
	text = append(text, d.Stage.String()...)
	return append(text, `"}}`...)
}

// appendFlag writes the [Evaluation] of any other flag.
func appendFlag(text []byte, flag rollout.Flag, reason rollout.Reason, revision int64) []byte {
	variant := "off"
	if flag.Enabled {
		variant = "on"
	}
	text = append(text, `{"key":`...)
	text = appendString(text, flag.Name) // one typed into the database may hold anything
	text = append(text, `,"value":`...)
	text = strconv.AppendBool(text, flag.Enabled)
	text = append(text, `,"variant":"`+variant+`","reason":"`...)
	text = append(text, reason...)
	text = append(text, `","metadata":{"revision":`...)
	text = strconv.AppendInt(text, revision, 10)
	return append(text, `}}`...)
}

func appendEvaluationError(text []byte, e EvaluationError) []byte {
	encoded, err := json.Marshal(e)
	if err != nil { // three strings can always be encoded
		return append(text, "{}"...)
	}
	return append(text, encoded...)
}

func appendString(text []byte, value string) []byte {
	encoded, err := json.Marshal(value)
	if err != nil { // a string can always be encoded
		return append(text, `""`...)
	}
	return append(text, encoded...)
}
