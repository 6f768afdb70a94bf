package code

import (
	"go/scanner"
	"go/token"
	"strconv"

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
	s.Init(base, text, nil, 0)
	out := append(a.out[:0], n.keyword.String()...)
	if n.keyword == token.CONST {
		// One of a group: which one it is counts too.
		out = append(append(out, ' '), n.name...)
	}
	clear(a.numbers)
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
		if m := a.marks[pos-token.Pos(base.Base())]; m.local != nil {
			if m.keep {
				out = append(append(out, 1), lit...)
			}
			number, ok := a.numbers[m.local]
			if !ok {
				number = len(a.numbers)
				a.numbers[m.local] = number
			}
			out = strconv.AppendInt(append(out, 2), int64(number), 10)
			continue
		}
		out = append(append(out, 1), lit...)
	}
	a.out = append(out, a.meaning()...)
	return key.Of(a.out)
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
