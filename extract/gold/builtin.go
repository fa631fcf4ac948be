package gold

import _ "embed" // for the built-in gold

//go:generate go run ./builtin/mark -dir builtin

//go:embed builtin/gold.jsonl
var builtinJSONL []byte

// BuiltinJSONL returns the gold that was written and marked for this project, in the
// canonical JSONL, each passage with its style and the split it belongs to. The marked
// texts that it is made from lie beside it; docs/gold.md says how they were made. The
// bytes are shared: do not change them.
func BuiltinJSONL() []byte { return builtinJSONL }
