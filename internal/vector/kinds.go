package vector

// Float is what the functions of math work on.
type Float interface{ float32 | float64 }

// Integer is what wraps around.
type Integer interface{ int64 | int32 | uint8 }

// Real is what has an order.
type Real interface{ Float | Integer }

// Number is what can be added and multiplied.
type Number interface{ Real | complex128 }

// Element is what an array can hold.
type Element interface{ Number | bool }
