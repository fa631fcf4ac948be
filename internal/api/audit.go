package api

import (
	"context"

	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/rollout"
)

const auditRoot = "/api/v1/admin/audit"

type auditInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"50"`
	Before int64  `query:"before" minimum:"0" doc:"Only revisions below."`
	After  int64  `query:"after" minimum:"0" doc:"Only revisions above."`
	Action string `query:"action" maxLength:"64"`
	Actor  string `query:"actor" maxLength:"1020"`
}

type auditOutput struct {
	Body struct {
		Entries []store.AuditEntry `json:"entries"`
	}
}

type verifyOutput struct{ Body store.AuditReport }

type verifyHeadInput struct {
	Body *struct {
		Head string `json:"head,omitempty" doc:"A signed head kept elsewhere: today's log must extend it."`
	} `required:"false"`
}

type headOutput struct {
	Body struct {
		Head string `json:"head"`
	}
}

func (a *API) auditRoutes() {
	handle(a, route{method: "GET", path: auditRoot, id: "list-audit", needs: rollout.View, summary: "Every change, newest first"}, a.listAudit)
	handle(a, route{method: "GET", path: auditRoot + "/verify", id: "verify-audit", needs: rollout.View, summary: "Check that no entry was changed, removed, inserted or reordered"}, a.verifyAudit)
	handle(a, route{method: "POST", path: auditRoot + "/verify", id: "verify-audit-head", needs: rollout.View, summary: "The same, and that the log extends a signed head"}, a.verifyAuditHead)
	handle(a, route{method: "GET", path: auditRoot + "/head", id: "audit-head", needs: rollout.View, summary: "A signed head of the log, to be kept elsewhere"}, a.auditHead)
}

func (a *API) listAudit(ctx context.Context, in *auditInput) (*auditOutput, error) {
	entries, err := a.config.Store.Audit(ctx, store.AuditQuery{
		Limit: in.Limit, Before: in.Before, After: in.After, Action: rollout.Action(in.Action), Actor: in.Actor,
	})
	if err != nil {
		return nil, err
	}
	out := &auditOutput{}
	out.Body.Entries = orEmpty(entries)
	return out, nil
}

func (a *API) verifyAudit(ctx context.Context, _ *struct{}) (*verifyOutput, error) {
	report, err := a.config.Store.VerifyAudit(ctx, "")
	return &verifyOutput{report}, err
}

func (a *API) verifyAuditHead(ctx context.Context, in *verifyHeadInput) (*verifyOutput, error) {
	head := ""
	if in.Body != nil {
		head = in.Body.Head
	}
	report, err := a.config.Store.VerifyAudit(ctx, head)
	return &verifyOutput{report}, err
}

func (a *API) auditHead(ctx context.Context, _ *struct{}) (*headOutput, error) {
	head, err := a.config.Store.AuditHead(ctx)
	out := &headOutput{}
	out.Body.Head = head
	return out, err
}
