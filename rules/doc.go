// Package rules decides which builds a push calls for.
//
// [Load] reads a rule file into a [Set]; [Set.Decide] asks it about a [Push]
// and gives a [Decision]: the rules that matched, the builds they start, and
// on request the evidence of every rule. Contract:
//
//   - A Set is immutable and safe for concurrent use. A Decision is a pure
//     function of the set, the push and what rules owe: the same arguments give
//     the same answer on any day and any machine.
//   - Nothing else in the program walks rules. Whoever wants to know what a
//     push would start calls Decide.
//   - Load does no I/O of its own: files come from an [io/fs.FS], secrets and
//     addresses from a [Lookup]. It reports all problems of a file at once, by
//     line and column.
//   - Secrets never print: [Secret] shows as "[secret]" wherever it is
//     formatted. The set keeps its files as they were written, so that what is
//     stored of it holds none.
//   - Values from a push are data. A template is rendered once, its output is
//     never rendered again, and an expression in a job path fills one segment.
package rules
