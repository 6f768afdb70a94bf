package plan

import "time"

// The time that a chunk should take. Below the least, taking it costs more
// than 1 % (a claim is some 100 ns with its two clock readings); above the
// most, a stop or a change of plan comes late.
const (
	LeastChunk = 100 * time.Microsecond
	MostChunk  = 10 * time.Millisecond
	aimChunk   = time.Millisecond
	// aimFarChunk is for chunks that cross to another process. Each costs some
	// six changes of who has a CPU; with items of 1 ms sent one by one on two
	// busy CPUs that was 6 % of them (perf record -a).
	aimFarChunk = 4 * time.Millisecond
)

// ChunkSize is how many items a worker takes next when remaining are left for
// workers, each of nanos nanoseconds: a share of what is left that shrinks
// towards the end (guided self-scheduling, Polychronopoulos and Kuck, 1987),
// so that a slow last chunk idles the others for a short time only, kept
// between 0.1 and 10 ms of work.
func ChunkSize(remaining, workers int, nanos float64) int {
	return chunkSize(remaining, workers, nanos, LeastChunk, aimChunk)
}

// FarChunkSize is ChunkSize for workers in other processes, where a chunk
// should take aim, or 4 ms if that is 0. Whoever asks for more pays more for
// each chunk, so that the last ones do not shrink below a tenth of it.
func FarChunkSize(remaining, workers int, nanos float64, aim time.Duration) int {
	if aim <= aimFarChunk {
		return chunkSize(remaining, workers, nanos, LeastChunk, aimFarChunk)
	}
	return chunkSize(remaining, workers, nanos, aim/10, aim)
}

func chunkSize(remaining, workers int, nanos float64, fewest, most time.Duration) int {
	if remaining <= 1 {
		return remaining
	}
	if nanos <= 0 {
		nanos = 1
	}
	least := float64(fewest) / nanos
	aim := float64(most) / nanos
	guided := float64(remaining) / float64(4*max(1, workers))
	size := min(guided, aim)
	if size < least {
		// Never more than an even share, or one worker gets what two could do.
		size = min(least, float64(remaining)/float64(max(1, workers)))
	}
	return max(1, min(remaining, int(size)))
}

// Schedule names the way chunks are cut, in the words of OpenMP and numba.
func Schedule(mode Mode, nanos, spread float64, fixed int) string {
	switch {
	case mode == Plain:
		return "none"
	case fixed > 0:
		return "static"
	case mode == IO, nanos >= float64(aimChunk):
		return "dynamic"
	}
	return "guided"
}
