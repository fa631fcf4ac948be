package api

import (
	"encoding/json"
	"errors"
	"fmt"
)

// unmarshalStrictly reads JSON as json.Unmarshal does, but refuses what that lets
// pass silently; see checkJSON.
func unmarshalStrictly(data []byte, v any) error {
	if err := checkJSON(data); err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		var typeErr *json.UnmarshalTypeError
		if errors.As(err, &typeErr) {
			return fmt.Errorf("the field %s cannot be a %s", typeErr.Field, typeErr.Value)
		}
		return err
	}
	return nil
}
