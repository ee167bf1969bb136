package host

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth bounds how deep a body may nest; hosts stay below ten.
const maxDepth = 100

// payload gives the JSON text of a body that is bare JSON or a form with the
// field payload.
func payload(h http.Header, body []byte) ([]byte, error) {
	contentType := h.Get("Content-Type")
	kind, _, err := mime.ParseMediaType(contentType)
	if contentType != "" && err != nil {
		return nil, refuse(http.StatusUnsupportedMediaType, "send application/json or application/x-www-form-urlencoded", "the content type %.100q cannot be read", contentType)
	}
	switch {
	case kind == "application/json", kind == "text/json", strings.HasSuffix(kind, "+json"), contentType == "":
		return body, nil
	case kind != "application/x-www-form-urlencoded":
		return nil, refuse(http.StatusUnsupportedMediaType, "send application/json or application/x-www-form-urlencoded", "the content type %.100q is not one of a push", kind)
	}
	if text, ok := onlyPayload(body); ok {
		return text, nil
	}
	form, err := url.ParseQuery(string(body))
	if text := form.Get("payload"); text != "" {
		return []byte(text), nil
	}
	switch {
	case bytes.HasPrefix(body, []byte("{")):
		return nil, refuse(http.StatusBadRequest, "set Content-Type: application/json, or send the JSON as the form field payload", "the body is JSON but its content type says form")
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "percent-encode the JSON in the form field payload", "the body is not a form")
	}
	return nil, refuse(http.StatusBadRequest, "send the JSON as the form field payload", "the form has no field payload")
}

// onlyPayload reads a form whose one field is payload, as the POST service
// sends it, at a fraction of the cost of reading any form. It leaves everything
// else, and everything wrong, to that.
func onlyPayload(body []byte) (text []byte, ok bool) {
	rest, ok := bytes.CutPrefix(body, []byte("payload="))
	if !ok || len(rest) == 0 {
		return nil, false
	}
	text = make([]byte, 0, len(rest))
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; c {
		case '&', ';':
			return nil, false
		case '+':
			text = append(text, ' ')
		case '%':
			if i+2 >= len(rest) {
				return nil, false
			}
			hi, lo := hexDigit(rest[i+1]), hexDigit(rest[i+2])
			if hi < 0 || lo < 0 {
				return nil, false
			}
			text = append(text, byte(hi<<4|lo))
			i += 2
		default:
			text = append(text, c)
		}
	}
	return text, true
}

// hexDigit is the value of a hexadecimal digit, -1 for anything else.
func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// decode reads JSON into v: names match exactly, a name given twice, invalid
// UTF-8 and deep nesting are refused.
func decode(text []byte, v any) error {
	if tooDeep(text) {
		return refuse(http.StatusBadRequest, "send the body as the code host wrote it", "the JSON nests deeper than %d levels", maxDepth)
	}
	err := json.Unmarshal(text, v)
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return refuse(http.StatusBadRequest, "send the body as the code host wrote it, as UTF-8", "the body is not JSON: %.200s, at byte %d", syntax.Err, syntax.ByteOffset)
	}
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		return refuse(http.StatusBadRequest, "is the source's host in the rule file the one that sends this?", "the body has another shape: at %.200q, %s is not expected", semantic.JSONPointer, article(semantic.JSONKind.String()))
	}
	if err != nil {
		return refuse(http.StatusBadRequest, "send the body as the code host wrote it", "the body cannot be read as JSON")
	}
	return nil
}

func article(kind string) string {
	switch kind {
	case "null", "true", "false":
		return kind
	case "object", "array":
		return "an " + kind
	}
	return "a " + kind
}

// tooDeep counts brackets outside strings, before anything recurses into them.
func tooDeep(text []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
