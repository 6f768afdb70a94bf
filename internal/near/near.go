// Package near finds what somebody may have meant to write.
package near

import "strings"

// To returns the name that is at most two slips of the finger away from the
// one written, the nearest and first of them. It is empty if there is none, and if the name
// written is one of them.
func To(written string, names []string) string {
	best, at := "", 3
	for _, n := range names {
		if n == written {
			return ""
		}
		if abs(len(n)-len(written)) >= at {
			continue
		}
		if d := distance(strings.ToLower(written), strings.ToLower(n)); d < at && d < len(n) {
			best, at = n, d
		}
	}
	return best
}

func abs(n int) int { return max(n, -n) }

// distance is the number of letters to add, drop, change or swap with the next
// one (the optimal string alignment distance).
func distance(a, b string) int {
	two, one, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		two, one, row = one, row, two
		row[0] = i + 1
		for j := range len(b) {
			change := one[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, row[j]+1, one[j+1]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], two[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
