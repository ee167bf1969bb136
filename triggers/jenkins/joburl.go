package jenkins

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// jobPath gives the URL path of a job: "shop/api" is /job/shop/job/api. Each
// item name is one escaped segment, whatever it holds, so that a name can
// neither end the path nor climb out of it. Names that no job can have are
// refused here, before anything is sent.
func jobPath(target string) (string, error) {
	var b strings.Builder
	for name := range strings.SplitSeq(target, "/") {
		if err := checkName(name); err != nil {
			return "", fmt.Errorf("job path %q: %w", target, err)
		}
		b.WriteString("/job/")
		b.WriteString(url.PathEscape(name))
	}
	return b.String(), nil
}

func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("empty name in it")
	case name == "." || name == "..":
		return fmt.Errorf("%q is not a job's name", name)
	case !utf8.ValidString(name):
		return errors.New("not UTF-8")
	case strings.ContainsFunc(name, unicode.IsControl):
		return errors.New("control character in it")
	}
	return nil
}

// parentOf gives the folder or multibranch project around a job.
func parentOf(target string) (parent string, ok bool) {
	i := strings.LastIndexByte(target, '/')
	if i < 0 {
		return "", false
	}
	return target[:i], true
}
