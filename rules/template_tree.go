package rules

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"text/template/parse"
)

var errNoTemplates = errors.New("define, block and template are not part of the language")

// A turn says whether a part of a template is worked through again and again.
type turn struct {
	is  bool     // within a range
	own []string // variables of ranges, which are one file each
	// Of the template as a whole, for traits: whether the dot is no more the push,
	// and what was seen so far.
	narrow bool
	seen   *traits
}

// see notes which fields of a push a node renders. A variable or a dot stands for
// the whole push only where that was given to it, which was seen there.
func (in turn) see(node parse.Node) {
	switch n := node.(type) {
	case *parse.DotNode:
		if !in.narrow {
			*in.seen |= rendersFiles | rendersHead
		}
	case *parse.VariableNode:
		if n.Ident[0] == "$" && len(n.Ident) == 1 {
			*in.seen |= rendersFiles | rendersHead
		}
		in.seeFields(n.Ident[1:])
	case *parse.FieldNode:
		in.seeFields(n.Ident)
	}
}

func (in turn) seeFields(names []string) {
	for _, name := range names {
		switch name {
		case "Files":
			*in.seen |= rendersFiles
		case "Message", "Author":
			*in.seen |= rendersHead
		}
	}
}

// prepare refuses what is not part of the language: templates within a
// template, counting, and looking at the message or at all files at each turn of
// a range, which could work for hours and print nothing, and unknown fields, also
// where the samples do not get to. With encode it appends nameFunc to every pipeline
// whose value is printed. Each turn of a range is made to write nothing first.
func prepare(list *parse.ListNode, encode bool, in turn) error {
	if list == nil {
		return nil
	}
	for _, node := range list.Nodes {
		var branch *parse.BranchNode
		switch n := node.(type) {
		case *parse.TemplateNode:
			return errNoTemplates
		case *parse.ActionNode:
			if err := checkPipe(n.Pipe, in); err != nil {
				return err
			}
			if encode && len(n.Pipe.Decl) == 0 {
				id := parse.NewIdentifier(nameFunc).SetPos(n.Pos)
				n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{NodeType: parse.NodeCommand, Pos: n.Pos, Args: []parse.Node{id}})
			}
			continue
		case *parse.IfNode:
			branch = &n.BranchNode
		case *parse.WithNode:
			branch = &n.BranchNode
		case *parse.RangeNode:
			if n.Pipe.Cmds[0].Args[0].Type() == parse.NodeNumber {
				return errors.New("range over a number is not part of the language")
			}
			branch = &n.BranchNode
		default:
			continue
		}
		if err := checkPipe(branch.Pipe, in); err != nil {
			return err
		}
		within := in
		within.narrow = in.narrow || node.Type() != parse.NodeIf
		if node.Type() == parse.NodeRange {
			within.is = true
			for _, v := range branch.Pipe.Decl {
				within.own = append(within.own[:len(within.own):len(within.own)], v.Ident[0])
			}
		}
		if err := prepare(branch.List, encode, within); err != nil {
			return err
		}
		if err := prepare(branch.ElseList, encode, in); err != nil {
			return err
		}
		if node.Type() == parse.NodeRange {
			nothing := &parse.TextNode{NodeType: parse.NodeText, Pos: node.Position(), Text: aTurn}
			branch.List.Nodes = slices.Insert(branch.List.Nodes, 0, parse.Node(nothing))
		}
	}
	return nil
}

// checkPipe refuses fields that nothing in a template has, and in a range
// whatever may be long.
func checkPipe(node parse.Node, in turn) error {
	const rangeOnly = "within a range only the file and short fields such as $.Branch are part of the language, not %s"
	in.see(node)
	switch n := node.(type) {
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			for _, arg := range c.Args {
				if err := checkPipe(arg, in); err != nil {
					return err
				}
			}
		}
	case *parse.ChainNode:
		return checkPipe(n.Node, in)
	case *parse.FieldNode:
		if in.is && long(n.Ident[0]) {
			return fmt.Errorf(rangeOnly, "."+n.Ident[0])
		}
		return checkField(n.Ident)
	case *parse.VariableNode:
		switch {
		case n.Ident[0] != "$":
			if in.is && !slices.Contains(in.own, n.Ident[0]) {
				return fmt.Errorf(rangeOnly, n.Ident[0])
			}
		case len(n.Ident) == 1 && in.is:
			return fmt.Errorf(rangeOnly, "$")
		case len(n.Ident) > 1 && in.is && long(n.Ident[1]):
			return fmt.Errorf(rangeOnly, "$."+n.Ident[1])
		case len(n.Ident) > 1:
			return checkField(n.Ident[1:])
		}
	}
	return nil
}

// long says that a field may hold megabytes.
func long(field string) bool { return field == "Message" || field == "Files" }

// checkField takes the fields of a push, and of a person for within "with".
func checkField(names []string) error {
	push, person := reflect.TypeFor[templateData](), reflect.TypeFor[Person]()
	if hasField(push, names) || hasField(person, names) {
		return nil
	}
	path := strings.Join(names, ".")
	in := []reflect.Type{push, person}
	if names[0] == "Author" && len(names) > 1 {
		in, names = in[1:], names[1:]
	}
	var known []string
	for _, t := range in {
		for f := range t.Fields() {
			known = append(known, f.Name)
		}
	}
	hint := suggest(names[0], known)
	if !strings.HasPrefix(hint, "did you mean") || slices.Contains(known, names[0]) {
		return fmt.Errorf("there is no field .%s", path)
	}
	return fmt.Errorf("there is no field .%s; %s", path, hint)
}

// hasField follows names from one field to the next.
func hasField(t reflect.Type, names []string) bool {
	for _, name := range names {
		if t.Kind() != reflect.Struct {
			return false
		}
		f, ok := t.FieldByName(name)
		if !ok {
			return false
		}
		t = f.Type
	}
	return true
}
