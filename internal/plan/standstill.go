package plan

import "time"

// Standstill sees that the items of a run have turned from computing to
// waiting: in look after look no goroutine of the process runs or stands ready
// to, nothing is finished, and the process uses no CPU. Other programs that
// have the CPU do not look like that, as their victim counts as running; other
// goroutines of the process can only hide it. The zero value is ready.
type Standstill struct {
	looks   int
	at      time.Duration
	counted int64
	cpu     time.Duration
}

// Look takes what is seen at now: the goroutines that run or stand ready, the
// one that looks left out, the items finished so far and the process's CPU
// time. It returns how many looks in a row have seen a standstill. One may be
// chance.
func (s *Standstill) Look(now time.Duration, running, counted int64, cpu time.Duration) int {
	still := running <= 0 && counted == s.counted
	if still && s.looks > 0 && cpu-s.cpu > (now-s.at)/2 {
		still = false // computes where the scheduler can't see it: in C
	}
	if still {
		s.looks++
	} else {
		s.looks = 0
	}
	s.at, s.counted, s.cpu = now, counted, cpu
	return s.looks
}
