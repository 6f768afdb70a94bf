package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A kernel over four float64 at a time is built as a list of operations on
// values; registers are given to them where it is written out. value is an
// index into the list.
type value int

type operation struct {
	name string  // of the instruction, or load, const
	imm  string  // its immediate operand, with $ and comma
	args []value // in Intel's order: the first source first
	bits uint64  // of a const
	text string  // of a load: the operand
}

// kernel is a loop body: it reads its operands, computes, and stores.
type kernel struct {
	name string
	in   int // operands
	ops  []operation
}

func (k *kernel) emit(o operation) value {
	k.ops = append(k.ops, o)
	return value(len(k.ops) - 1)
}

var operandRegister = []string{"SI", "DX"}

func (k *kernel) load(operand int) value {
	return k.emit(operation{name: "load", text: fmt.Sprintf("(%s)", operandRegister[operand])})
}

// c is the same constant in each lane.
func (k *kernel) c(f float64) value { return k.bits(math.Float64bits(f)) }

func (k *kernel) bits(b uint64) value { return k.emit(operation{name: "const", bits: b}) }

func (k *kernel) op(name string, args ...value) value {
	return k.emit(operation{name: name, args: args})
}

func (k *kernel) add(a, b value) value  { return k.op("VADDPD", a, b) }
func (k *kernel) sub(a, b value) value  { return k.op("VSUBPD", a, b) }
func (k *kernel) mul(a, b value) value  { return k.op("VMULPD", a, b) }
func (k *kernel) div(a, b value) value  { return k.op("VDIVPD", a, b) }
func (k *kernel) and(a, b value) value  { return k.op("VANDPD", a, b) }
func (k *kernel) or(a, b value) value   { return k.op("VORPD", a, b) }
func (k *kernel) xor(a, b value) value  { return k.op("VXORPD", a, b) }
func (k *kernel) addq(a, b value) value { return k.op("VPADDQ", a, b) }
func (k *kernel) subq(a, b value) value { return k.op("VPSUBQ", a, b) }

// fma is a*b + c, fnma -(a*b) + c, fms a*b - c: each rounded once.
func (k *kernel) fma(a, b, c value) value  { return k.op("VFMADD", a, b, c) }
func (k *kernel) fnma(a, b, c value) value { return k.op("VFNMADD", a, b, c) }
func (k *kernel) fms(a, b, c value) value  { return k.op("VFMSUB", a, b, c) }

// clampLow and clampHigh keep NaN: the instruction gives its second source
// when one is NaN.
func (k *kernel) clampLow(x value, low float64) value   { return k.op("VMAXPD", k.c(low), x) }
func (k *kernel) clampHigh(x value, high float64) value { return k.op("VMINPD", k.c(high), x) }

func (k *kernel) shl(a value, n int) value {
	return k.emit(operation{name: "VPSLLQ", imm: fmt.Sprintf("$%d, ", n), args: []value{a}})
}

func (k *kernel) shr(a value, n int) value {
	return k.emit(operation{name: "VPSRLQ", imm: fmt.Sprintf("$%d, ", n), args: []value{a}})
}

// The predicates of VCMPPD; all are false for NaN but those that say so.
const (
	cmpEQ  = 0
	cmpLT  = 17
	cmpLE  = 18
	cmpNLE = 22 // not less or equal: true for NaN
	cmpNLT = 21 // not less: true for NaN
)

// cmp is all ones in the lanes where a predicate b.
func (k *kernel) cmp(predicate int, a, b value) value {
	return k.emit(operation{name: "VCMPPD", imm: fmt.Sprintf("$%d, ", predicate), args: []value{a, b}})
}

// pick is yes in the lanes whose sign bit is set in mask, no in the others.
func (k *kernel) pick(mask, yes, no value) value { return k.op("VBLENDVPD", no, yes, mask) }

// leave ends the loop before the four elements of which one is set in mask.
func (k *kernel) leave(mask value) {
	k.emit(operation{name: "leave", args: []value{mask}})
}

func (k *kernel) store(v value) {
	k.emit(operation{name: "store", args: []value{v}})
}

// poly is c[0] + x*(c[1] + x*(...)), by Horner's rule with fused steps.
func (k *kernel) poly(x value, c ...float64) value {
	p := k.c(c[len(c)-1])
	for _, f := range slices.Backward(c[:len(c)-1]) {
		p = k.fma(p, x, k.c(f))
	}
	return p
}

// text writes the kernel out. Values get registers in order; a register is
// free after the last use of its value. Constants are memory operands where an
// instruction takes one.
func (k *kernel) write(w *strings.Builder, pool *pool) {
	last := make([]int, len(k.ops))
	for i, o := range k.ops {
		for _, a := range o.args {
			last[a] = i
		}
	}
	at := map[value]string{}
	var free []string
	for r := range 16 {
		free = append(free, fmt.Sprintf("Y%d", r))
	}
	take := func() string {
		if len(free) == 0 {
			panic(k.name + ": more than 16 values at a time")
		}
		r := free[0]
		free = free[1:]
		return r
	}
	constant := func(v value) bool { return k.ops[v].name == "const" }
	memory := func(v value) string { return pool.name(k.ops[v].bits) }

	frame := 8 * (3 + k.in)
	fmt.Fprintf(w, "\nTEXT ·%s(SB), NOSPLIT, $0-%d\n\tMOVQ dst+0(FP), DI\n\tMOVQ a+8(FP), SI\n", k.name, frame)
	if k.in == 2 {
		fmt.Fprint(w, "\tMOVQ b+16(FP), DX\n")
	}
	fmt.Fprintf(w, "\tMOVQ n+%d(FP), CX\n\nloop:\n\tTESTQ CX, CX\n\tJZ done\n", 8*(1+k.in))
	for i, o := range k.ops {
		line := func(format string, args ...any) { fmt.Fprintf(w, "\t"+format+"\n", args...) }
		// in is an operand in a register; tmp, if not "", is to be freed.
		var temps []string
		in := func(v value) string {
			if constant(v) {
				r := take()
				line("VMOVUPD %s, %s", memory(v), r)
				temps = append(temps, r)
				return r
			}
			return at[v]
		}
		inOrMemory := func(v value) string {
			if constant(v) {
				return memory(v)
			}
			return at[v]
		}
		dies := func(v value) bool { return !constant(v) && last[v] == i }
		release := func() {
			for j, a := range o.args {
				if dies(a) && at[a] != "" && !slices.Contains(o.args[:j], a) {
					free = append(free, at[a])
					delete(at, a)
				}
			}
			free = append(free, temps...)
		}
		switch o.name {
		case "const":
		case "load":
			at[value(i)] = take()
			line("VMOVUPD %s, %s", o.text, at[value(i)])
		case "store":
			line("VMOVUPD %s, (DI)", in(o.args[0]))
			release()
		case "leave":
			line("VPTEST %s, %s", in(o.args[0]), in(o.args[0]))
			line("JNZ done")
			release()
		case "VFMADD", "VFNMADD", "VFMSUB":
			a, b, c := o.args[0], o.args[1], o.args[2]
			if constant(a) && !constant(b) {
				a, b = b, a
			}
			var dst string
			own := func(v value) bool { // v's register may be written over
				n := 0
				for _, x := range o.args {
					if x == v {
						n++
					}
				}
				return dies(v) && n == 1
			}
			switch {
			case constant(c):
				if own(a) && !constant(b) {
					dst = at[a]
					line("%s213PD %s, %s, %s", o.name, memory(c), in(b), dst)
					delete(at, a)
				} else {
					dst = take()
					line("VMOVUPD %s, %s", inOrMemory(b), dst)
					line("%s213PD %s, %s, %s", o.name, memory(c), at[a], dst)
				}
			case own(c):
				dst = at[c]
				line("%s231PD %s, %s, %s", o.name, inOrMemory(b), at[a], dst)
				delete(at, c)
			case own(a):
				dst = at[a]
				line("%s132PD %s, %s, %s", o.name, inOrMemory(b), at[c], dst)
				delete(at, a)
			default:
				dst = take()
				line("VMOVUPD %s, %s", at[c], dst)
				line("%s231PD %s, %s, %s", o.name, inOrMemory(b), at[a], dst)
			}
			release()
			at[value(i)] = dst
		case "VBLENDVPD":
			no, yes, mask := in(o.args[0]), inOrMemory(o.args[1]), in(o.args[2])
			dst := take()
			line("VBLENDVPD %s, %s, %s, %s", mask, yes, no, dst)
			release()
			at[value(i)] = dst
		default:
			args := slices.Clone(o.args)
			if len(args) == 2 && constant(args[0]) && slices.Contains([]string{"VADDPD", "VMULPD", "VANDPD", "VORPD", "VXORPD", "VPADDQ"}, o.name) {
				args[0], args[1] = args[1], args[0]
			}
			var names []string
			for j, a := range args {
				if j == len(args)-1 && len(args) > 1 {
					names = append([]string{inOrMemory(a)}, names...)
				} else {
					names = append([]string{in(a)}, names...)
				}
			}
			// The destination may be a source that dies.
			release()
			dst := take()
			line("%s %s%s, %s", o.name, o.imm, strings.Join(names, ", "), dst)
			at[value(i)] = dst
		}
	}
	fmt.Fprint(w, "\tADDQ $32, DI\n\tADDQ $32, SI\n")
	if k.in == 2 {
		fmt.Fprint(w, "\tADDQ $32, DX\n")
	}
	fmt.Fprintf(w, "\tSUBQ $4, CX\n\tJMP loop\n\ndone:\n\tVZEROUPPER\n\tMOVQ n+%d(FP), AX\n\tSUBQ CX, AX\n\tMOVQ AX, done+%d(FP)\n\tRET\n", 8*(1+k.in), 8*(2+k.in))
}

// pool is the constants, each once, four times over.
type pool struct {
	seen []uint64
}

func (p *pool) name(bits uint64) string {
	if !slices.Contains(p.seen, bits) {
		p.seen = append(p.seen, bits)
	}
	return fmt.Sprintf("c%016x<>(SB)", bits)
}

func (p *pool) write(w *strings.Builder) {
	for _, b := range slices.Sorted(slices.Values(p.seen)) {
		fmt.Fprintln(w)
		for i := range 4 {
			fmt.Fprintf(w, "DATA c%016x<>+%d(SB)/8, $%#016x\n", b, 8*i, b)
		}
		fmt.Fprintf(w, "GLOBL c%016x<>(SB), RODATA|NOPTR, $32\n", b)
	}
}
