package rules

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// ruleFile makes n rules over so many repositories, in groups of six. Four of
// five groups are about one service N, and a file services/sN/src/x.go is one
// for all six rules; the fifth has other shapes that people write.
func ruleFile(n, repos int) string {
	var b strings.Builder
	b.WriteString("sources: {hook: {host: bitbucket-post, token: x}}\nservers: {ci: {jenkins: 'http://ci', user: u, token: t}}\nrules:\n")
	service := []string{
		`["services/sN/**", "!**/*.md"]`,
		`["services/sN/**/*.go"]`,
		`["services/sN/**", "libs/lN/**"]`,
		`["services/sN/src/**", "services/sN/go.mod"]`,
		`["**/sN/**"]`,
		`["services/sN/**", "!services/sN/docs/**", "!**/*_test.go"]`,
	}
	others := []string{
		`["apps/aN-*/**"]`,
		`["**/fN.proto"]`,
		`["deploy/{dev,prod}/dN.yaml"]`,
		`["config/**/cN/*.yaml"]`,
		`["docs/**/xN*.md", "README.md"]`,
		`["packages/pN/*.ts", "packages/pN/package.json"]`,
	}
	branches := []string{`[main]`, `[main, "release/**"]`, `["**", "!wip/**"]`}
	for i := range n {
		group := i / 6
		paths := service[i%6]
		if !isService(group) {
			paths = others[i%6]
		}
		fmt.Fprintf(&b, "  - name: rule-%d\n    repos: [acme/r%d]\n    branches: %s\n    paths: %s\n", i, group%repos, branches[i%3], strings.ReplaceAll(paths, "N", strconv.Itoa(group)))
		fmt.Fprintf(&b, "    start: {server: ci, job: group/job-%d, parameters: {COMMIT: '{{.Commit}}', AUTHOR: '{{.Author.Name}}'}}\n", i)
	}
	return b.String()
}

func isService(group int) bool { return group%5 != 4 }

// pushOf makes a push of n files, as many as hits of them in different services
// of the repository acme/r0 (or over again where there are fewer), the others
// where no rule looks.
func pushOf(n, hits, rules, repos int) *Push {
	r := rand.New(rand.NewPCG(7, 7))
	var services []int
	for group := 0; group*6 < rules; group += repos {
		if isService(group) {
			services = append(services, group)
		}
	}
	r.Shuffle(len(services), func(i, k int) { services[i], services[k] = services[k], services[i] })
	p := &Push{Source: "hook", Repo: "acme/r0", Kind: Branch, Ref: "main", Event: Pushed, After: "1b2c", Files: Files{Completeness: Complete}}
	for i := range n {
		if i < hits {
			p.Files.Paths = append(p.Files.Paths, fmt.Sprintf("services/s%d/src/file%d.go", services[i%len(services)], i))
		} else {
			p.Files.Paths = append(p.Files.Paths, fmt.Sprintf("tools/t%d/src/file%d.go", i%97, i))
		}
	}
	r.Shuffle(n, func(i, k int) { p.Files.Paths[i], p.Files.Paths[k] = p.Files.Paths[k], p.Files.Paths[i] })
	return p
}

// plainWalk times asking every rule about the push, on average. Where that is
// long, an even sample of the rules stands for all.
func plainWalk(s *Set, p *Push) time.Duration {
	step := max(1, len(s.rules)*len(p.Files.Paths)/4_000_000)
	asked, rounds := 0, 0
	from := time.Now()
	for ; rounds < 3 || time.Since(from) < 100*time.Millisecond; rounds++ {
		asked = 0
		q := (&Decision{set: s, push: p, files: withinLimits(p.Files)}).question()
		for i := 0; i < len(s.rules); i += step {
			s.rules[i].matches(q)
			asked++
		}
	}
	took := time.Since(from) / time.Duration(rounds)
	return time.Duration(float64(took) * float64(len(s.rules)) / float64(asked))
}

func loadRules(b testing.TB, n, repos int) *Set {
	b.Helper()
	s, err := LoadFiles([]File{{"rules.yaml", ruleFile(n, repos)}}, Unresolved)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func decide(b *testing.B, s *Set, p *Push) {
	b.ReportAllocs()
	matched := 0
	for b.Loop() {
		matched = len(s.Decide(p, nil).matched)
	}
	took := b.Elapsed() / time.Duration(b.N)
	b.ReportMetric(float64(matched), "matched")
	b.ReportMetric(float64(plainWalk(s, p))/float64(took), "x-plain-walk")
}

// BenchmarkDecide: every file is in the service of six rules.
func BenchmarkDecide(b *testing.B) {
	for _, rules := range []int{10, 100, 1_000, 10_000, 100_000} {
		s := loadRules(b, rules, 1)
		for _, files := range []int{1, 20, 300, 3_000, 20_000} {
			b.Run(fmt.Sprintf("rules=%d/files=%d", rules, files), func(b *testing.B) {
				decide(b, s, pushOf(files, files, rules, 1))
			})
		}
	}
}

// BenchmarkDecideRepos: the same rules over 1,000 repositories.
func BenchmarkDecideRepos(b *testing.B) {
	s := loadRules(b, 10_000, 1_000)
	decide(b, s, pushOf(300, 300, 10_000, 1_000))
}

// BenchmarkDecideFixed: 300 files, ten of them in services, so 60 rules match.
func BenchmarkDecideFixed(b *testing.B) {
	for _, rules := range []int{100, 1_000, 10_000, 100_000} {
		s := loadRules(b, rules, 1)
		b.Run(fmt.Sprintf("rules=%d", rules), func(b *testing.B) {
			decide(b, s, pushOf(300, 10, rules, 1))
		})
	}
}

// BenchmarkLoad: a rule file, and how much longer that takes than reading its
// YAML alone.
func BenchmarkLoad(b *testing.B) {
	for _, rules := range []int{100, 10_000} {
		text := ruleFile(rules, 1)
		b.Run(fmt.Sprintf("rules=%d", rules), func(b *testing.B) {
			var yamlAlone time.Duration
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := LoadFiles([]File{{"rules.yaml", text}}, Unresolved); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				from := time.Now()
				if err := yaml.Unmarshal([]byte(text), new(yaml.Node)); err != nil {
					b.Fatal(err)
				}
				yamlAlone += time.Since(from)
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed())/float64(yamlAlone), "x-yaml-alone")
		})
	}
}
