// Package vector holds the loops of the array package: one function an
// operation, each over whole slices.
//
// All have the form
//
//	func Add[T Number](dst, a, b []T)
//
// dst says how many elements there are; the operands must have at least as
// many, or the call panics as slicing does. dst may be an operand (the same
// slice from the same element on); slices that overlap in another way give
// wrong results. Forms whose name has Scalar take one value in place of a slice. Nothing
// here allocates, starts a goroutine or keeps a slice. Calls may run
// concurrently as long as none writes what another reads.
//
// # Same bits everywhere
//
// On amd64 with AVX2 and FMA, found when the program starts, most loops run in
// assembly; the Go loops beside them are their twins. Both give the same bits
// on every input for all functions of this package, with one exception: which
// NaN a NaN result is (its sign and payload) is not promised. This holds as
// each assembly kernel does the same IEEE operations in the same order as its
// twin, with fused multiply-adds in the same places (math.FMA in Go). The
// tests compare the two.
//
// # Accuracy
//
// + - * / and Sqrt round once. Exp, Log, Sin, Cos, Tanh and Pow are at most
// 2 ulp from the true value over the whole range, subnormal results included;
// for float32 they are computed in float64 and rounded, which is at most
// 0.51 ulp. The tests check this against big.Float. The other functions of
// math are called one element at a time and are as accurate as the standard
// library's.
//
// # Special values
//
// Arithmetic follows IEEE 754, and NumPy where that says more: integers wrap;
// FloorDiv and Mod round towards minus infinity, and by an integer zero give
// 0; Min and Max give NaN when an operand is NaN, and take -0 for less than
// +0; a conversion of a float that an integer type cannot hold gives what
// Cast says.
package vector
