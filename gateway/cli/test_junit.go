package cli

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pushgate/pushgate/rules"
)

// The elements of JUnit's XML that CI servers read.
type (
	junitReport struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		File    string        `xml:"file,attr"`
		Line    int           `xml:"line,attr,omitempty"`
		Failure *junitFailure `xml:"failure"`
		Error   *junitFailure `xml:"error"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// junit makes a suite of each file; a file that does not load is a case with an
// error, so that no report passes that did not run.
func junit(files []testedFile) junitReport {
	var report junitReport
	for i := range files {
		f := &files[i]
		name := filepath.ToSlash(f.path)
		s := junitSuite{Name: name, Tests: len(f.results), Failures: f.failed()}
		for j := range f.results {
			s.Cases = append(s.Cases, junitResult(name, &f.results[j]))
		}
		if n := len(f.problems); n > 0 {
			s.Tests, s.Errors = s.Tests+1, s.Errors+1
			s.Cases = append(s.Cases, junitCase{
				Name: "the file loads", Class: name, File: name, Line: f.problems[0].At.Line,
				Error: &junitFailure{count(n, "error"), f.problems.Error()},
			})
		}
		if s.Tests == 0 {
			continue // --run left nothing of it
		}
		report.Tests += s.Tests
		report.Failures += s.Failures
		report.Errors += s.Errors
		report.Suites = append(report.Suites, s)
	}
	return report
}

func junitResult(file string, r *rules.Result) junitCase {
	c := junitCase{Name: plain(r.Test.Name), Class: file, File: file, Line: r.Test.At.Line}
	if !r.Passed() {
		message := fmt.Sprintf("%d expected and missing, %d not expected", len(r.Missing), len(r.Unexpected))
		c.Failure = &junitFailure{message, difference(r)}
	}
	return c
}

// writeJUnit writes the report whole or not at all. What is no plain file, such
// as /dev/stdout, is written where it is.
func writeJUnit(name string, files []testedFile) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write the JUnit report: %w", err)
		}
	}()
	text, err := xml.MarshalIndent(junit(files), "", "  ")
	if err != nil {
		return err
	}
	text = append([]byte(xml.Header), append(text, '\n')...)
	if info, err := os.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return os.WriteFile(name, text, 0o644)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // where it was not renamed
	_, err = temporary.Write(text)
	// Others read reports too: a temporary file is its owner's alone.
	if err := errors.Join(err, temporary.Chmod(0o644), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), name)
}
