package rollout

import (
	"strconv"
	"unicode/utf8"
)

// Role is what a token's owner, or a person at the command line, may do.
type Role string

// The roles. Each of viewer, operator and admin may do all that the one before
// it may; client is for programs that only ask for decisions and report.
const (
	RoleClient   Role = "client"
	RoleViewer   Role = "viewer"
	RoleOperator Role = "operator"
	RoleAdmin    Role = "admin"
)

// Permission is a kind of thing that can be done.
type Permission int

// The permissions. Rolling back and killing need Operate, so that everyone on
// call can; advancing and everything else that exposes users needs Administer.
const (
	Decide     Permission = iota // ask for decisions
	Report                       // send texts through, report outcomes and feedback
	View                         // read everything but secrets
	Operate                      // make users safer: roll back, kill, clear caches
	Administer                   // everything else
)

// ParseRole reads a role's name.
func ParseRole(text string) (Role, error) {
	switch r := Role(text); r {
	case RoleClient, RoleViewer, RoleOperator, RoleAdmin:
		return r, nil
	}
	return "", invalid("role", strconv.Quote(clip(text))+" is not a role", "the roles are client, viewer, operator and admin")
}

// May reports whether the role has the permission. An unknown role has none.
func (r Role) May(p Permission) bool {
	switch p {
	case Decide:
		return r == RoleClient || r == RoleViewer || r == RoleOperator || r == RoleAdmin
	case Report:
		return r == RoleClient || r == RoleOperator || r == RoleAdmin
	case View:
		return r == RoleViewer || r == RoleOperator || r == RoleAdmin
	case Operate:
		return r == RoleOperator || r == RoleAdmin
	case Administer:
		return r == RoleAdmin
	}
	return false
}

// LeastRole names the humblest role that has the permission, for messages.
func LeastRole(p Permission) Role {
	for _, r := range []Role{RoleClient, RoleViewer, RoleOperator} {
		if r.May(p) {
			return r
		}
	}
	return RoleAdmin
}

// clip shortens a bad value for the message that names it, at a character's end.
func clip(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	end := most
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}
