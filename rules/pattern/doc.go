// Package pattern is the glob language of rule files: a front end to
// github.com/gobwas/glob that makes it mean one thing and stay cheap. Contract:
//
//   - A pattern is split at "/" and its braces are expanded here, "**" is a
//     loop over segments, and gobwas/glob is given one segment at a time,
//     without separators, braces or classes that it reads otherwise than it says:
//     a pattern of fifteen bytes that reached it whole could take seconds for one
//     match. A segment that is more than one star with plain characters behind it
//     reaches it piece by piece, between the stars, as it would take the square of
//     the segment's length otherwise.
//   - The whole value must match. Characters are code points; classes never
//     match "/".
//   - What is beyond the limits does not compile. What compiles matches any
//     value within [MaxPathBytes] and [MaxPathLevels] without allocating: the
//     usual pattern within a microsecond, the worst within a few milliseconds.
//     Cost grows with the value's length, never faster.
//   - Errors are meant for the author of a rule: see [Error].
package pattern
