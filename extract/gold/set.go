package gold

// Builtin is the gold that was written for this project; see docs/gold.md.
func Builtin() ([]Document, error) {
	return ReadJSONL("the built-in gold", BuiltinJSONL(), nil)
}
