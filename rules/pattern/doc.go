// Package pattern is the glob language of rule files: a front end to
// github.com/gobwas/glob that makes it mean one thing and stay cheap. Contract:
//
//   - A pattern is split at "/" and its braces are expanded here, "**" is a
//     loop over segments and "*" one over the pieces of a segment between its
//     stars. Literals are compared; a piece that holds "?" or a class is given to
//     gobwas/glob, without stars, separators, braces or classes that it reads
//     otherwise than it says. A pattern of fifteen bytes that reached it whole
//     could take seconds for one match, and a segment with three stars the square
//     of its length.
//   - The whole value must match. Characters are code points; classes never
//     match "/".
//   - What is beyond the limits does not compile. What compiles matches any
//     value within [MaxPathBytes] and [MaxPathLevels] without allocating: the
//     usual pattern within a microsecond, the worst within a few milliseconds.
//     Cost grows with the value's length, never faster.
//   - Errors are meant for the author of a rule: see [Error].
package pattern
