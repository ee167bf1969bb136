package triggers

// A Followed is a started build that is looked at together with others.
type Followed struct {
	Request Request
	Handle  string
}

// A Looked is what came of one look: what State gives for the same build at
// the same moment. Err is nil or an [*Error].
type Looked struct {
	State State
	Err   error
}

// A Finding is what a look at a server's setup says about one thing.
type Finding struct {
	// Target is what it is about; empty for the server itself.
	Target string
	// OK says that nothing seen stands in the way of a start. With a Problem
	// it is a remark: the start works, something around it does not.
	OK bool
	// Found is what was seen, as in "jenkins 2.579, signed in as ci".
	Found string
	// Problem is what is wrong, in one line; Hint what to do about it. Both
	// may be empty.
	Problem, Hint string
}
