package main

import (
	"fmt"
	"strings"
)

// The kernels of one instruction or a few an element. They take n elements, a
// multiple of those in 128 bytes, and work on 128 bytes at a time.

type kind struct {
	name      string
	size      int
	broadcast string // of a scalar on the stack
	suffix    string // of float instructions
	sign      uint64 // the sign bit of each float in 64 bits
}

var (
	f64   = kind{"F64", 8, "VBROADCASTSD", "PD", 1 << 63}
	f32   = kind{"F32", 4, "VBROADCASTSS", "PS", 1<<63 | 1<<31}
	i64   = kind{"I64", 8, "VPBROADCASTQ", "", 0}
	i32   = kind{"I32", 4, "VPBROADCASTD", "", 0}
	u8    = kind{"U8", 1, "VPBROADCASTB", "", 0}
	types = []kind{f64, f32, i64, i32, u8}
)

// binaries are the instructions of each operation and type.
var binaries = []struct {
	op string
	of map[string]string
}{
	{"add", map[string]string{"F64": "VADDPD", "F32": "VADDPS", "I64": "VPADDQ", "I32": "VPADDD", "U8": "VPADDB"}},
	{"sub", map[string]string{"F64": "VSUBPD", "F32": "VSUBPS", "I64": "VPSUBQ", "I32": "VPSUBD", "U8": "VPSUBB"}},
	{"mul", map[string]string{"F64": "VMULPD", "F32": "VMULPS", "I32": "VPMULLD"}},
	{"div", map[string]string{"F64": "VDIVPD", "F32": "VDIVPS"}},
	{"min", map[string]string{"F64": "VMINPD", "F32": "VMINPS", "I32": "VPMINSD", "U8": "VPMINUB"}},
	{"max", map[string]string{"F64": "VMAXPD", "F32": "VMAXPS", "I32": "VPMAXSD", "U8": "VPMAXUB"}},
	{"and", map[string]string{"U8": "VPAND"}},
	{"or", map[string]string{"U8": "VPOR"}},
	{"xor", map[string]string{"U8": "VPXOR"}},
}

func simple(s, d *strings.Builder, p *pool) {
	for _, b := range binaries {
		for _, k := range types {
			ins := b.of[k.name]
			if ins == "" {
				continue
			}
			// Of two floats, min and max give the second where one is NaN or
			// both are 0. Both orders together give the right one: a NaN stays
			// NaN with the bits of a number or-ed into it or, for max, and-ed
			// (then the NaN is put back), and the zeros' signs are joined.
			pairs := func(x, y, to, tmp string) []string {
				float := k.suffix != ""
				switch {
				case b.op == "min" && float:
					return []string{
						fmt.Sprintf("%s %s, %s, %s", ins, y, x, tmp),
						fmt.Sprintf("%s %s, %s, %s", ins, x, y, to),
						fmt.Sprintf("VORPD %s, %s, %s", tmp, to, to),
					}
				case b.op == "max" && float:
					// NaN and a number: one order gives NaN, the other the
					// number; and-ing may lose the NaN, adding cannot, and
					// makes one zero of two; so: and where equal or both
					// numbers, sum where unordered.
					return []string{
						fmt.Sprintf("%s %s, %s, %s", ins, y, x, tmp),
						fmt.Sprintf("%s %s, %s, Y14", ins, x, y),
						fmt.Sprintf("VANDPD %s, Y14, Y14", tmp),
						fmt.Sprintf("VCMP%s $3, %s, %s, %s", k.suffix, y, x, tmp),
						fmt.Sprintf("VORPD %s, Y14, %s", tmp, to),
					}
				}
				return []string{fmt.Sprintf("%s %s, %s, %s", ins, y, x, to)}
			}
			name := b.op + k.name
			fmt.Fprintf(s, "\nTEXT ·%s(SB), NOSPLIT, $0-32\n\tMOVQ dst+0(FP), DI\n\tMOVQ a+8(FP), SI\n\tMOVQ b+16(FP), DX\n\tMOVQ n+24(FP), CX\n\nloop:\n", name)
			for i := range 4 {
				fmt.Fprintf(s, "\tVMOVUPD %d(SI), Y%d\n\tVMOVUPD %d(DX), Y%d\n", 32*i, i, 32*i, 4+i)
			}
			for i := range 4 {
				for _, l := range pairs(fmt.Sprintf("Y%d", i), fmt.Sprintf("Y%d", 4+i), fmt.Sprintf("Y%d", i), "Y13") {
					fmt.Fprintf(s, "\t%s\n", l)
				}
				fmt.Fprintf(s, "\tVMOVUPD Y%d, %d(DI)\n", i, 32*i)
			}
			fmt.Fprintf(s, "\tADDQ $128, DI\n\tADDQ $128, SI\n\tADDQ $128, DX\n\tSUBQ $%d, CX\n\tJNZ loop\n\tVZEROUPPER\n\tRET\n", 128/k.size)
			fmt.Fprintf(d, "\n//go:noescape\nfunc %s(dst, a, b unsafe.Pointer, n int)\n", name)

			if k.name == "U8" && (b.op == "and" || b.op == "or" || b.op == "xor") {
				continue
			}
			// The same with a scalar on the right, and for - and / of floats on the left.
			forms := []string{"Scalar"}
			if (b.op == "sub" || b.op == "div") && k.suffix != "" {
				forms = append(forms, "ScalarLeft")
			}
			for _, form := range forms {
				name := b.op + form + k.name
				fmt.Fprintf(s, "\nTEXT ·%s(SB), NOSPLIT, $0-32\n\tMOVQ dst+0(FP), DI\n\tMOVQ a+8(FP), SI\n\tMOVQ s+16(FP), DX\n\t%s (DX), Y15\n\tMOVQ n+24(FP), CX\n\nloop:\n", name, k.broadcast)
				for i := range 4 {
					fmt.Fprintf(s, "\tVMOVUPD %d(SI), Y%d\n", 32*i, i)
				}
				for i := range 4 {
					r := fmt.Sprintf("Y%d", i)
					x, y := r, "Y15"
					if form == "ScalarLeft" {
						x, y = y, x
					}
					for _, l := range pairs(x, y, r, "Y13") {
						fmt.Fprintf(s, "\t%s\n", l)
					}
					fmt.Fprintf(s, "\tVMOVUPD %s, %d(DI)\n", r, 32*i)
				}
				fmt.Fprintf(s, "\tADDQ $128, DI\n\tADDQ $128, SI\n\tSUBQ $%d, CX\n\tJNZ loop\n\tVZEROUPPER\n\tRET\n", 128/k.size)
				fmt.Fprintf(d, "\n// s points to the scalar.\n//\n//go:noescape\nfunc %s(dst, a, s unsafe.Pointer, n int)\n", name)
			}
		}
	}

	unary := func(name string, size int, lines func(r string) string) {
		fmt.Fprintf(s, "\nTEXT ·%s(SB), NOSPLIT, $0-24\n\tMOVQ dst+0(FP), DI\n\tMOVQ a+8(FP), SI\n\tMOVQ n+16(FP), CX\n\nloop:\n", name)
		for i := range 4 {
			fmt.Fprintf(s, "\tVMOVUPD %d(SI), Y%d\n", 32*i, i)
		}
		for i := range 4 {
			r := fmt.Sprintf("Y%d", i)
			fmt.Fprintf(s, "\t%s\n\tVMOVUPD %s, %d(DI)\n", lines(r), r, 32*i)
		}
		fmt.Fprintf(s, "\tADDQ $128, DI\n\tADDQ $128, SI\n\tSUBQ $%d, CX\n\tJNZ loop\n\tVZEROUPPER\n\tRET\n", 128/size)
		fmt.Fprintf(d, "\n//go:noescape\nfunc %s(dst, a unsafe.Pointer, n int)\n", name)
	}
	for _, k := range []kind{f64, f32} {
		unary("sqrt"+k.name, k.size, func(r string) string { return fmt.Sprintf("VSQRT%s %s, %s", k.suffix, r, r) })
		unary("neg"+k.name, k.size, func(r string) string { return fmt.Sprintf("VXORPD %s, %s, %s", p.name(k.sign), r, r) })
		unary("abs"+k.name, k.size, func(r string) string { return fmt.Sprintf("VANDPD %s, %s, %s", p.name(^k.sign), r, r) })
		for i, name := range []string{"round", "floor", "ceil", "trunc"} {
			unary(name+k.name, k.size, func(r string) string { return fmt.Sprintf("VROUND%s $%d, %s, %s", k.suffix, i, r, r) })
		}
	}
	unary("notU8", 1, func(r string) string { return fmt.Sprintf("VPXOR %s, %s, %s", p.name(0x0101010101010101), r, r) })

	compare(s, d)
	pick(s, d)
	reduce(s, d)
	convert(s, d)
	stream(s, d)
}

// compare writes bools: 8 at a time from the sign bits of 8 comparisons.
func compare(s, d *strings.Builder) {
	for _, k := range []kind{f64, f32} {
		for _, c := range []struct {
			name      string
			predicate int
		}{{"eq", 0}, {"ne", 4}, {"lt", 17}, {"le", 18}, {"gt", 30}, {"ge", 29}} {
			for _, scalar := range []bool{false, true} {
				if !scalar && (c.name == "gt" || c.name == "ge") {
					continue // lt and le the other way round
				}
				name, third := c.name+k.name, "b"
				if scalar {
					name, third = c.name+"Scalar"+k.name, "s"
				}
				fmt.Fprintf(s, "\nTEXT ·%s(SB), NOSPLIT, $0-32\n\tMOVQ dst+0(FP), DI\n\tMOVQ a+8(FP), SI\n\tMOVQ %s+16(FP), DX\n\tMOVQ n+24(FP), CX\n\tMOVQ $0x0101010101010101, R8\n", name, third)
				if scalar {
					fmt.Fprintf(s, "\t%s (DX), Y15\n", k.broadcast)
				}
				fmt.Fprint(s, "\nloop:\n")
				vectors := 8 * k.size / 32
				for i := range vectors {
					fmt.Fprintf(s, "\tVMOVUPD %d(SI), Y%d\n", 32*i, i)
					other := fmt.Sprintf("%d(DX)", 32*i)
					if scalar {
						other = "Y15"
					}
					fmt.Fprintf(s, "\tVCMP%s $%d, %s, Y%d, Y%d\n\tVMOVMSK%s Y%d, R%d\n", k.suffix, c.predicate, other, i, i, k.suffix, i, 9+i)
				}
				if vectors == 2 {
					fmt.Fprint(s, "\tSHLQ $4, R10\n\tORQ R10, R9\n")
				}
				fmt.Fprintf(s, "\tPDEPQ R8, R9, R9\n\tMOVQ R9, (DI)\n\tADDQ $8, DI\n\tADDQ $%d, SI\n", 8*k.size)
				if !scalar {
					fmt.Fprintf(s, "\tADDQ $%d, DX\n", 8*k.size)
				}
				fmt.Fprint(s, "\tSUBQ $8, CX\n\tJNZ loop\n\tVZEROUPPER\n\tRET\n")
				fmt.Fprintf(d, "\n//go:noescape\nfunc %s(dst, a, %s unsafe.Pointer, n int)\n", name, third)
			}
		}
	}
}

// pick is Where, 8 elements at a time.
func pick(s, d *strings.Builder) {
	for _, k := range []kind{f64, f32} {
		wide := map[int]string{8: "VPMOVZXBQ", 4: "VPMOVZXBD"}[k.size]
		shift := map[int]string{8: "VPSLLQ $63", 4: "VPSLLD $31"}[k.size]
		name := "where" + k.name
		fmt.Fprintf(s, "\nTEXT ·%s(SB), NOSPLIT, $0-40\n\tMOVQ dst+0(FP), DI\n\tMOVQ mask+8(FP), R8\n\tMOVQ a+16(FP), SI\n\tMOVQ b+24(FP), DX\n\tMOVQ n+32(FP), CX\n\nloop:\n", name)
		step := 32 / k.size
		for i := range 8 / step {
			fmt.Fprintf(s, "\t%s %d(R8), Y0\n\t%s, Y0, Y0\n\tVMOVUPD %d(DX), Y1\n\tVBLENDV%s Y0, %d(SI), Y1, Y1\n\tVMOVUPD Y1, %d(DI)\n", wide, i*step, shift, 32*i, k.suffix, 32*i, 32*i)
		}
		fmt.Fprintf(s, "\tADDQ $8, R8\n\tADDQ $%d, DI\n\tADDQ $%d, SI\n\tADDQ $%d, DX\n\tSUBQ $8, CX\n\tJNZ loop\n\tVZEROUPPER\n\tRET\n", 8*k.size, 8*k.size, 8*k.size)
		fmt.Fprintf(d, "\n//go:noescape\nfunc %s(dst, mask, a, b unsafe.Pointer, n int)\n", name)
	}
}

// reduce adds n elements, a multiple of 16, to 16 lanes; and finds the
// smallest or largest of n, a multiple of 16, and whether one is NaN.
func reduce(s, d *strings.Builder) {
	for _, k := range []kind{f64, f32} {
		v := 16 * k.size / 32
		for _, op := range []string{"sum", "dot", "sumSquares"} {
			args, frame, third := "lanes, a unsafe.Pointer", 24, ""
			switch op {
			case "dot":
				args, frame, third = "lanes, a, b unsafe.Pointer", 32, "b"
			case "sumSquares":
				args, frame, third = "lanes, a, center unsafe.Pointer", 32, "center"
			}
			fmt.Fprintf(s, "\nTEXT ·%s%s(SB), NOSPLIT, $0-%d\n\tMOVQ lanes+0(FP), DI\n\tMOVQ a+8(FP), SI\n", op, k.name, frame)
			if third != "" {
				fmt.Fprintf(s, "\tMOVQ %s+16(FP), DX\n", third)
			}
			fmt.Fprintf(s, "\tMOVQ n+%d(FP), CX\n", frame-8)
			if op == "sumSquares" {
				fmt.Fprintf(s, "\t%s (DX), Y15\n", k.broadcast)
			}
			for i := range v {
				fmt.Fprintf(s, "\tVMOVUPD %d(DI), Y%d\n", 32*i, i)
			}
			fmt.Fprint(s, "\nloop:\n")
			for i := range v {
				switch op {
				case "sum":
					fmt.Fprintf(s, "\tVADD%s %d(SI), Y%d, Y%d\n", k.suffix, 32*i, i, i)
				case "dot":
					fmt.Fprintf(s, "\tVMOVUPD %d(SI), Y%d\n\tVMUL%s %d(DX), Y%d, Y%d\n\tVADD%s Y%d, Y%d, Y%d\n", 32*i, 8+i, k.suffix, 32*i, 8+i, 8+i, k.suffix, 8+i, i, i)
				case "sumSquares":
					fmt.Fprintf(s, "\tVMOVUPD %d(SI), Y%d\n\tVSUB%s Y15, Y%d, Y%d\n\tVMUL%s Y%d, Y%d, Y%d\n\tVADD%s Y%d, Y%d, Y%d\n", 32*i, 8+i, k.suffix, 8+i, 8+i, k.suffix, 8+i, 8+i, 8+i, k.suffix, 8+i, i, i)
				}
			}
			fmt.Fprintf(s, "\tADDQ $%d, SI\n", 32*v)
			if op == "dot" {
				fmt.Fprintf(s, "\tADDQ $%d, DX\n", 32*v)
			}
			fmt.Fprint(s, "\tSUBQ $16, CX\n\tJNZ loop\n")
			for i := range v {
				fmt.Fprintf(s, "\tVMOVUPD Y%d, %d(DI)\n", i, 32*i)
			}
			fmt.Fprint(s, "\tVZEROUPPER\n\tRET\n")
			fmt.Fprintf(d, "\n//go:noescape\nfunc %s%s(%s, n int)\n", op, k.name, args)
		}
	}
}

// convert is between the two widths of floats, 8 elements at a time.
func convert(s, d *strings.Builder) {
	for _, c := range []struct {
		name, in string
		from, to int
		load     string
	}{
		{"widen", "VCVTPS2PD", 4, 8, ""},
		{"narrow", "VCVTPD2PSY", 8, 4, ""},
		{"widenI32", "VCVTDQ2PD", 4, 8, ""},
	} {
		fmt.Fprintf(s, "\nTEXT ·%s(SB), NOSPLIT, $0-24\n\tMOVQ dst+0(FP), DI\n\tMOVQ a+8(FP), SI\n\tMOVQ n+16(FP), CX\n\nloop:\n", c.name)
		for i := range 2 {
			if c.from == 4 {
				fmt.Fprintf(s, "\t%s %d(SI), Y%d\n\tVMOVUPD Y%d, %d(DI)\n", c.in, 16*i, i, i, 32*i)
			} else {
				fmt.Fprintf(s, "\t%s %d(SI), X%d\n\tVMOVUPS X%d, %d(DI)\n", c.in, 32*i, i, i, 16*i)
			}
		}
		fmt.Fprintf(s, "\tADDQ $%d, DI\n\tADDQ $%d, SI\n\tSUBQ $8, CX\n\tJNZ loop\n\tVZEROUPPER\n\tRET\n", 8*c.to, 8*c.from)
		fmt.Fprintf(d, "\n//go:noescape\nfunc %s(dst, a unsafe.Pointer, n int)\n", c.name)
	}
}

// stream copies past the caches; dst is a multiple of 32.
func stream(s, d *strings.Builder) {
	fmt.Fprint(s, "\nTEXT ·streamBytes(SB), NOSPLIT, $0-24\n\tMOVQ dst+0(FP), DI\n\tMOVQ a+8(FP), SI\n\tMOVQ n+16(FP), CX\n\nloop:\n")
	for i := range 4 {
		fmt.Fprintf(s, "\tVMOVUPD %d(SI), Y%d\n", 32*i, i)
	}
	for i := range 4 {
		fmt.Fprintf(s, "\tVMOVNTPD Y%d, %d(DI)\n", i, 32*i)
	}
	fmt.Fprint(s, "\tADDQ $128, DI\n\tADDQ $128, SI\n\tSUBQ $128, CX\n\tJNZ loop\n\tSFENCE\n\tVZEROUPPER\n\tRET\n")
	fmt.Fprint(d, "\n// n is in bytes.\n//\n//go:noescape\nfunc streamBytes(dst, a unsafe.Pointer, n int)\n")
}
