package asmgen

import (
	"fmt"
	"strings"
)

// record is a Go struct whose fields routines read, declared once for both sides.
type record struct {
	name, doc string
	fields    []field
}

type field struct {
	name, typ string
	size      int // bytes; fields are ordered so that none needs padding
	doc       string
}

// offset returns the place of a field in bytes.
func (r *record) offset(name string) int {
	at := 0
	for _, f := range r.fields {
		if f.name == name {
			return at
		}
		at += f.size
	}
	panic("asmgen: no field " + name)
}

// source returns the declaration.
func (r *record) source() string {
	var b strings.Builder
	fmt.Fprintf(&b, "// %s\ntype %s struct {\n", strings.ReplaceAll(r.doc, "\n", "\n// "), r.name)
	for _, f := range r.fields {
		fmt.Fprintf(&b, "\t%s %s // %s\n", f.name, f.typ, f.doc)
	}
	b.WriteString("}\n")
	return b.String()
}
