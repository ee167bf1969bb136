package rules

import (
	"fmt"
	"strings"
)

// A jobPath is a Jenkins job path, one template per segment: what an expression
// renders can never add, remove or climb out of a folder.
type jobPath []tmpl

// compileJob splits at the slashes outside {{ }} and compiles each piece.
func compileJob(text string) (jobPath, error) {
	if len(text) > maxTemplate {
		return nil, fmt.Errorf("is longer than %d bytes", maxTemplate)
	}
	var path jobPath
	for _, piece := range splitOutsideActions(text) {
		t, err := compileTemplate(piece, true)
		if err != nil {
			return nil, fmt.Errorf("in %q: %w", piece, err)
		}
		if !t.dynamic() {
			if err := checkItemName(piece); err != nil {
				return nil, err
			}
		}
		path = append(path, t)
	}
	return path, nil
}

// render gives the path with stored item names, and whether any of it came
// from the push.
func (j jobPath) render(d templateData) (path string, dynamic bool, err error) {
	names := make([]string, len(j))
	for i, t := range j {
		if names[i], err = t.render(d); err != nil {
			return "", false, fmt.Errorf("job segment %q: %w", t.text, err)
		}
		if err := checkItemName(names[i]); err != nil {
			return "", false, fmt.Errorf("job segment %q: %w", t.text, err)
		}
		dynamic = dynamic || t.dynamic()
	}
	return strings.Join(names, "/"), dynamic, nil
}

func checkItemName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("a segment is empty")
	case name == "." || name == "..":
		return fmt.Errorf("a segment is %q", name)
	case strings.Contains(name, "/"):
		return fmt.Errorf("the segment %q holds a slash", name)
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("the segment %q holds a control character", name)
	case len(name) > 1024:
		return fmt.Errorf("a segment is longer than 1024 bytes")
	}
	return nil
}

// splitOutsideActions cuts at "/" outside {{ }}; quoted text inside an action
// may hold anything.
func splitOutsideActions(text string) []string {
	var parts []string
	start, inside := 0, false
	var quote byte
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote != 0:
			if c == '\\' && quote != '`' {
				i++
			} else if c == quote {
				quote = 0
			}
		case inside && (c == '"' || c == '`' || c == '\''):
			quote = c
		case inside && strings.HasPrefix(text[i:], "}}"):
			inside = false
			i++
		case !inside && strings.HasPrefix(text[i:], "{{"):
			inside = true
			i++
		case !inside && c == '/':
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}
