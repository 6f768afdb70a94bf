// Package code says which code a function of a module can reach, from the
// module's sources alone, and hashes it.
//
// It reads syntax, not types: the sources of other modules are not there, and
// checking types would take longer than what is cached. So it can't always tell
// what a name means, and then takes every candidate: a method called x counts
// with every method x of the program's packages, a type with all its methods, a
// package with its init functions. The hash then changes too often, never too
// rarely. What can't be followed at all (cgo, linkname, files that are not
// there) is reported as a gap: the caller must take the whole binary instead.
//
// What is hashed is the tokens of each declaration: no comments, no line
// breaks, no trailing commas, and numbers in place of the names of local
// variables.
//
// What counts, for a function f:
//   - every package-level declaration that f mentions, and that those mention;
//   - all methods of each type among them, and all methods of the program with
//     a name that they select;
//   - of each package among them the init functions, the initialisers of blank
//     variables, and the packages that it imports for their effect;
//   - each declaration that assigns to a package variable among them, by itself,
//     and each init function that leads there, with all that it reaches;
//   - where a function value is called and a variable among them is assigned
//     elsewhere: every function of as many parameters that anyone takes as a
//     value, as it may have come that way.
package code
