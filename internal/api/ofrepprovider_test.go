package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	of "github.com/open-feature/go-sdk/openfeature"
)

// ofrepProvider is a provider for the OpenFeature SDK that speaks OFREP, as written
// from the protocol's specification and not from our code.
type ofrepProvider struct {
	http       *http.Client
	url, token string
}

func (ofrepProvider) Metadata() of.Metadata { return of.Metadata{Name: "OFREP"} }
func (ofrepProvider) Hooks() []of.Hook      { return nil }

func (p ofrepProvider) BooleanEvaluation(ctx context.Context, flag string, fallback bool, flat of.FlattenedContext) of.BoolResolutionDetail {
	failed := func(err of.ResolutionError) of.BoolResolutionDetail {
		return of.BoolResolutionDetail{Value: fallback, ProviderResolutionDetail: of.ProviderResolutionDetail{ResolutionError: err, Reason: of.ErrorReason}}
	}
	body, err := json.Marshal(map[string]any{"context": flat})
	if err != nil {
		return failed(of.NewParseErrorResolutionError(err.Error()))
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/ofrep/v1/evaluate/flags/"+flag, bytes.NewReader(body))
	if err != nil {
		return failed(of.NewGeneralResolutionError(err.Error()))
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+p.token)
	response, err := p.http.Do(r)
	if err != nil {
		return failed(of.NewGeneralResolutionError(err.Error()))
	}
	defer response.Body.Close()
	var answer struct {
		Key          string
		Value        bool
		Variant      string
		Reason       string
		Metadata     map[string]any
		ErrorCode    string
		ErrorDetails string
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return failed(of.NewParseErrorResolutionError(err.Error()))
	}
	switch {
	case response.StatusCode == http.StatusOK && answer.Key == flag:
	case answer.ErrorCode == "FLAG_NOT_FOUND" && response.StatusCode == http.StatusNotFound:
		return failed(of.NewFlagNotFoundResolutionError(answer.ErrorDetails))
	case answer.ErrorCode == "TARGETING_KEY_MISSING" && response.StatusCode == http.StatusBadRequest:
		return failed(of.NewTargetingKeyMissingResolutionError(answer.ErrorDetails))
	case answer.ErrorCode == "INVALID_CONTEXT" && response.StatusCode == http.StatusBadRequest:
		return failed(of.NewInvalidContextResolutionError(answer.ErrorDetails))
	default:
		return failed(of.NewGeneralResolutionError(fmt.Sprintf("%s: %s", response.Status, answer.ErrorDetails)))
	}
	return of.BoolResolutionDetail{Value: answer.Value, ProviderResolutionDetail: of.ProviderResolutionDetail{
		Reason: of.Reason(answer.Reason), Variant: answer.Variant, FlagMetadata: answer.Metadata,
	}}
}

var wrongType = of.ProviderResolutionDetail{ResolutionError: of.NewTypeMismatchResolutionError("all flags are boolean"), Reason: of.ErrorReason}

func (ofrepProvider) StringEvaluation(_ context.Context, _, fallback string, _ of.FlattenedContext) of.StringResolutionDetail {
	return of.StringResolutionDetail{Value: fallback, ProviderResolutionDetail: wrongType}
}

func (ofrepProvider) FloatEvaluation(_ context.Context, _ string, fallback float64, _ of.FlattenedContext) of.FloatResolutionDetail {
	return of.FloatResolutionDetail{Value: fallback, ProviderResolutionDetail: wrongType}
}

func (ofrepProvider) IntEvaluation(_ context.Context, _ string, fallback int64, _ of.FlattenedContext) of.IntResolutionDetail {
	return of.IntResolutionDetail{Value: fallback, ProviderResolutionDetail: wrongType}
}

func (ofrepProvider) ObjectEvaluation(_ context.Context, _ string, fallback any, _ of.FlattenedContext) of.InterfaceResolutionDetail {
	return of.InterfaceResolutionDetail{Value: fallback, ProviderResolutionDetail: wrongType}
}
