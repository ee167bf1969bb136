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

// prepare refuses what is not part of the language: templates within a
// template, counting, which could work for hours and print nothing, and unknown
// fields, also where the samples do not get to. With encode it appends nameFunc
// to every pipeline whose value is printed.
func prepare(list *parse.ListNode, encode bool) error {
	if list == nil {
		return nil
	}
	for _, node := range list.Nodes {
		var branch *parse.BranchNode
		switch n := node.(type) {
		case *parse.TemplateNode:
			return errNoTemplates
		case *parse.ActionNode:
			if err := checkFields(n.Pipe); err != nil {
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
		if err := checkFields(branch.Pipe); err != nil {
			return err
		}
		for _, list := range []*parse.ListNode{branch.List, branch.ElseList} {
			if err := prepare(list, encode); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkFields refuses fields that nothing in a template has.
func checkFields(node parse.Node) error {
	switch n := node.(type) {
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			for _, arg := range c.Args {
				if err := checkFields(arg); err != nil {
					return err
				}
			}
		}
	case *parse.FieldNode:
		return checkField(n.Ident[0])
	case *parse.VariableNode:
		if len(n.Ident) > 1 && n.Ident[0] == "$" {
			return checkField(n.Ident[1])
		}
	}
	return nil
}

// checkField takes the fields of a push, and of a person for within "with".
func checkField(name string) error {
	var known []string
	for _, t := range []reflect.Type{reflect.TypeFor[templateData](), reflect.TypeFor[Person]()} {
		for f := range t.Fields() {
			known = append(known, f.Name)
		}
	}
	if slices.Contains(known, name) {
		return nil
	}
	hint := suggest(name, known)
	if !strings.HasPrefix(hint, "did you mean") {
		return fmt.Errorf("there is no field .%s", name)
	}
	return fmt.Errorf("there is no field .%s; %s", name, hint)
}
