// Package pattern is the glob language of rule files: a front end to
// github.com/gobwas/glob that makes it mean one thing and stay cheap. Contract:
//
//   - A pattern is split at "/" and its braces are expanded here, "**" is a
//     loop over segments, and gobwas/glob is given one segment at a time,
//     without separators, braces or classes that it reads otherwise than it
//     says. A pattern of fifteen bytes that reached it whole could take seconds
//     for one match.
//   - The whole value must match. Characters are code points; classes never
//     match "/".
//   - What is beyond the limits does not compile; what compiles matches any
//     value within [MaxPathBytes] and [MaxPathLevels] in microseconds, without
//     allocating.
//   - Errors are meant for the author of a rule: see [Error].
package pattern
