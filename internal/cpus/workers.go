package cpus

// Workers returns what a user means by n workers for CPU-bound work, given the
// CPUs there are. The result is at least 1.
//
//	n > 0   n, also above the number of CPUs
//	0       all of 1 or 2 CPUs, all but one of 3 to 8, all but two of more
//	-1      all CPUs
//	-2      all but one, and so on
//
// The automatic choice leaves room for the rest of the system and of the
// program, which a machine with few CPUs cannot afford and one with many does
// not notice. Negative numbers count as in joblib's n_jobs.
func Workers(n int, i Info) int {
	all := max(1, i.Effective)
	switch {
	case n > 0:
		return n
	case n < 0:
		return max(1, all+1+n)
	case all <= 2:
		return all
	case all <= 8:
		return all - 1
	}
	return all - 2
}
