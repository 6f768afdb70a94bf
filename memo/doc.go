// Package memo keeps results of expensive functions on disk, and is right
// about code: a stored result is used only if the code that would run is the
// code that ran.
//
//	cache, err := memo.Open(dir, memo.Config{MaxBytes: 10 << 30})
//	parse := memo.Wrap(cache, parseFile)   // the same signature
//	tree, err := parse(ctx, memo.File("a.go"))
//
// A wrapped function runs once for each argument, in all processes that share
// the directory. Errors, panics and cancelled calls leave nothing behind.
// [Func.Why] says whether a call would find its result, and if not, why.
//
// # Code
//
// There are three levels, and [Reason] and [Stats] say which is in force:
//
//   - [Exact]: the program embeds its own sources. What counts is the function
//     and all that it can reach in the module, the versions of the dependencies,
//     and Go's. Comments, formatting, the place of a function, names of local
//     variables and unrelated functions don't count. See [Source].
//   - [Build]: the program's binary counts as a whole. This is what you get
//     without doing anything: each change to the program empties the cache for
//     it.
//   - [Manual]: with [Version], you say when the code has changed.
//
// What a wrapped function reads besides its argument is for you to mind: files
// that are not a [File], environment variables, the time, values of its
// context, and what variables hold that the program sets while it runs (the
// code that makes it counts, what it is made from does not). Where an argument
// holds interfaces, the methods of all types of the program count.
//
// # Arguments and results
//
// The key of an argument is made of all its fields, pointers followed, maps
// sorted; a tag memo:"-" or [Ignore] leaves a field out. Channels, functions and
// cycles have no key: such a call fails with the path to the field. Results are
// stored with all their fields too, and come back as they were; a result that
// can't is an error that names the field. Several arguments go into a struct.
// Each hit is a copy of its own, except with Config.Mmap.
//
// # The directory
//
// Many processes may use a directory at once, on several hosts where its file
// system has locks. Entries appear as a whole or not at all; damage is found by
// checksums and is a miss with a warning. What is over the bounds is removed in
// the background, least recently used first.
//
// Whoever can write to the directory decides what the functions return: keep it
// private, as it is made. Reading it runs no code that it names. The beginning of
// each argument is kept in clear, for weft cache ls.
package memo
