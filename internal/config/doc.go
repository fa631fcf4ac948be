// Package config reads the file of `nlpcanary serve --config`.
//
// # Invariants
//
//   - A file is taken as a whole or refused as a whole. What is refused is named with
//     the line that it stands on: an unknown or repeated key, a value of the wrong
//     kind, a value out of range.
//   - A section that is left out is the zero value, and means the built-in default.
//   - Only the file is read: nothing in it is expanded, fetched or run.
//
// A section's type stands in a file of its own, with a check method that is told
// where the section stands.
package config
