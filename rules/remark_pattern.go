package rules

import (
	"strings"

	"github.com/pushgate/pushgate/rules/pattern"
)

// remark warns about an entry of a field that loads and cannot be meant; nil if
// there is nothing to say.
func remark(field, text string) *pattern.Error {
	src := strings.TrimPrefix(text, "!")
	switch field {
	case "authors", "pushers":
		return remarkPerson(src)
	case "messages":
		return remarkMessage(src)
	}
	if strings.HasPrefix(src, "$") {
		return &pattern.Error{Text: "begins with a dollar sign and names no set", Hint: `a set is inserted whole, as "$name"; write \$ for a literal dollar sign`}
	}
	if r := pattern.Remark(src); r != nil {
		return r
	}
	switch field {
	case "branches", "tags":
		return remarkRef(src)
	case "repos":
		return remarkRepo(src)
	}
	return nil
}

// refNever looks for what git-check-ref-format allows in no ref.
func refNever(src string) bool {
	return strings.ContainsAny(src, " ~:") || strings.Contains(src, "..") || strings.Contains(src, "@{") ||
		strings.ContainsFunc(src, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// withoutClasses takes away the colons of POSIX classes, which ask for none.
func withoutClasses(src string) string {
	return strings.ReplaceAll(strings.ReplaceAll(src, "[:", "["), ":]", "]")
}

func remarkRef(src string) *pattern.Error {
	switch {
	case strings.Contains(src, "/.*") || strings.HasPrefix(src, ".*"):
		return &pattern.Error{Text: "looks like a regular expression, and is read as a glob", Hint: "write /* for one level, /** for all below"}
	case refNever(withoutClasses(src)):
		return &pattern.Error{Text: "holds what no branch or tag can hold (a space, ~, : or ..)", Hint: "write the short name; several are a list: [main, dev]"}
	}
	return nil
}

func remarkRepo(src string) *pattern.Error {
	switch {
	case strings.ContainsAny(withoutClasses(src), ":@ "):
		return &pattern.Error{Text: "is no name of a repository", Hint: "write owner/name, not an address"}
	case strings.HasSuffix(src, ".git"):
		return &pattern.Error{Text: "ends with .git, which no host has in the name", Hint: "write " + strings.TrimSuffix(src, ".git")}
	case strings.Contains(src, "/.*"):
		return &pattern.Error{Text: "looks like a regular expression, and is read as a glob", Hint: "write owner/*"}
	}
	return nil
}

func remarkPerson(src string) *pattern.Error {
	plain := !strings.Contains(src, "*")
	switch {
	case plain && strings.Contains(src, "<") && strings.HasSuffix(src, ">"):
		return &pattern.Error{Text: "is a name and an e-mail, and is asked of each of them alone", Hint: "write the name or the e-mail"}
	case plain && (strings.HasPrefix(src, "@") || strings.HasPrefix(src, "[")):
		return &pattern.Error{Text: "has nothing before it, and the whole name or e-mail must match", Hint: "write *" + src}
	}
	return remarkText(src)
}

func remarkMessage(src string) *pattern.Error {
	if r := remarkText(src); r != nil {
		return r
	}
	if !strings.Contains(src, "*") {
		return &pattern.Error{Text: "has no *, and the whole message must match", Hint: "write *" + src + "* for a message that holds it"}
	}
	return nil
}

// remarkText leaves alone what has a star of its own: *@example.* is no regular
// expression.
func remarkText(src string) *pattern.Error {
	stars := strings.Contains(strings.ReplaceAll(src, ".*", ""), "*")
	if strings.HasPrefix(src, "^") || strings.Contains(src, ".*") && !stars || strings.Contains(src, ".+") {
		return &pattern.Error{Text: "looks like a regular expression, and only * is special here", Hint: "write *words*"}
	}
	return nil
}
