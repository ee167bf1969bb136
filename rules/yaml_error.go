package rules

import (
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

var yamlLine = regexp.MustCompile(`^line (\d+): `)

// yamlError takes the line out of what the parser says.
func yamlError(err error) (line int, msg string) {
	msg = strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlLine.FindStringSubmatch(msg); m != nil {
		line, _ = strconv.Atoi(m[1])
		msg = msg[len(m[0]):]
	}
	return max(line, 1), msg
}

// maxLocated bounds the files in which the line of an error is looked for, and
// maxReparsed what is parsed again for it, in bytes.
const (
	maxLocated  = 256 << 10
	maxReparsed = 8 << 20
)

// locate finds the line of an error. The parser tells where the block began that
// it could not end; the error is in the first line with which, and with whatever
// follows it, the file is no YAML any more.
func locate(content string, told int) int {
	if len(content) > maxLocated {
		return told
	}
	lines := strings.SplitAfter(content, "\n")
	left := maxReparsed
	parses := func(n int) bool {
		part := strings.Join(lines[:n], "")
		left -= len(part)
		return left >= 0 && yaml.Unmarshal([]byte(part), new(yaml.Node)) == nil
	}
	good, bad := 0, len(lines)
	for bad-good > 1 {
		if middle := (good + bad) / 2; parses(middle) {
			good = middle
		} else {
			bad = middle
		}
		// What fails may only be cut in the middle of something.
		for n := bad + 1; bad-good == 1 && n <= min(bad+20, len(lines)); n++ {
			if parses(n) {
				good, bad = n, len(lines)
			}
		}
	}
	if parses(good) && bad <= len(lines) { // not where nothing is left
		return bad
	}
	return told
}

// yamlHint looks at the line that YAML stumbled over.
func yamlHint(content string, line int, msg string) string {
	lines := strings.Split(content, "\n")
	text := ""
	if line <= len(lines) {
		text = lines[line-1]
	}
	switch {
	case strings.Contains(msg, "control characters"):
		return "save it as UTF-8, without NUL and the like"
	case strings.Contains(text, "\t"):
		return "indent with spaces, YAML takes no tabs"
	case strings.Contains(text, "{{") && strings.Contains(text, `"`):
		return "within double quotes write \\\" for a quotation mark, or put single quotes around the whole value"
	case strings.Contains(text, "{{"):
		return `put quotes around what holds {{…}}`
	case strings.Contains(text, "${"):
		return `put quotes around it: "${NAME}"`
	}
	return "check the indentation and quotes of this line; a pattern that begins with * or ! or holds { needs quotes"
}
