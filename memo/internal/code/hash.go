package code

import (
	"fmt"
	"go/ast"
	"go/scanner"
	"go/token"

	"github.com/weft-go/weft/memo/internal/key"
)

// hash hashes the tokens of the declaration.
func (a *analysis) hash() key.Key {
	n := a.n
	file := n.file.set.File(n.decl.Pos())
	from, to := file.Offset(n.decl.Pos()), file.Offset(n.decl.End())
	text := n.file.text[from:to]
	set := token.NewFileSet()
	base := set.AddFile("", -1, len(text))
	var s scanner.Scanner
	s.Init(base, text, func(token.Position, string) {}, 0)
	out := make([]byte, 0, len(text)+64)
	out = append(out, n.keyword.String()...)
	if n.keyword == token.CONST {
		// One of a group: which one it is counts too.
		out = append(append(out, ' '), n.name...)
	}
	//lint:ignore SA1019 as above
	numbers := map[*ast.Object]int{}
	begin := n.decl.Pos()
	// held is a separator that counts only if no closing bracket follows.
	var held token.Token
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			break
		}
		if held != token.ILLEGAL {
			if tok != token.RPAREN && tok != token.RBRACK && tok != token.RBRACE {
				out = append(out, 0)
				out = append(out, held.String()...)
			}
			held = token.ILLEGAL
		}
		if tok == token.COMMA || tok == token.SEMICOLON {
			held = tok
			continue
		}
		out = append(out, 0)
		if tok != token.IDENT {
			if tok.IsLiteral() {
				out = append(out, byte(tok))
				out = append(out, lit...)
			} else {
				out = append(out, tok.String()...)
			}
			continue
		}
		at := begin + (pos - token.Pos(base.Base()))
		if id := a.locals[at]; id != nil && id.Obj != nil {
			if a.keep[at] {
				out = append(append(out, 1), lit...)
			}
			number, ok := numbers[id.Obj]
			if !ok {
				number = len(numbers)
				numbers[id.Obj] = number
			}
			out = fmt.Appendf(out, "\x02%d", number)
			continue
		}
		out = append(append(out, 1), lit...)
	}
	return key.Of(append(out, a.meaning()...))
}

// meaning is what the tokens mean besides: which packages the names before dots
// stand for, and the version of the language.
func (a *analysis) meaning() []byte {
	n := a.n
	out := append([]byte{0}, n.file.version...)
	dots := func(all bool) {
		for _, im := range n.file.imports {
			if im.name == "." || all {
				out = append(append(append(append(out, 0), im.name...), ' '), im.path...)
			}
		}
	}
	dots(false)
	for _, r := range n.refs {
		switch r.pkg {
		case "":
		case unknownImport:
			dots(true)
		default:
			out = append(append(out, 0), r.pkg...)
		}
	}
	return out
}
