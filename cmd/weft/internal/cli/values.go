package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// duration is a flag such as 90s, 1.5h, or a number of seconds.
type duration time.Duration

// UnmarshalText reads a duration above 0.
func (d *duration) UnmarshalText(b []byte) error {
	s := string(b)
	v, err := time.ParseDuration(s)
	if err != nil {
		sec, numErr := strconv.ParseFloat(s, 64)
		if numErr != nil || sec > 1e9 {
			return fmt.Errorf("%q is no time; write it as 30s, 5m, 1h30m or a number of seconds", s)
		}
		v = time.Duration(sec * float64(time.Second))
	}
	if v <= 0 {
		return fmt.Errorf("%q: the time must be more than 0; leave the flag out for no limit", s)
	}
	*d = duration(v)
	return nil
}

// rate is a flag such as 10, 10/s, 300/m or 1000/h: starts a second.
type rate float64

// UnmarshalText reads a rate above 0.
func (r *rate) UnmarshalText(b []byte) error {
	s := string(b)
	num, unit, _ := strings.Cut(s, "/")
	per, ok := map[string]float64{"": 1, "s": 1, "m": 60, "min": 60, "h": 3600}[unit]
	v, err := strconv.ParseFloat(num, 64)
	if err != nil || !ok || !(v > 0) || v > 1e9 {
		return fmt.Errorf("%q is no rate; write the number of starts as 10 or 10/s a second, 300/m a minute, 1000/h an hour", s)
	}
	*r = rate(v / per)
	return nil
}

// size is a flag such as 512M, 2G or 1.5GiB: bytes, in powers of 1024.
type size int64

// UnmarshalText reads a size above 0.
func (z *size) UnmarshalText(b []byte) error {
	s := string(b)
	num := strings.TrimRight(s, "BbIiKkMmGgTt")
	unit := strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(s[len(num):]), "B"), "I")
	shift, ok := map[string]int{"": 0, "K": 10, "M": 20, "G": 30, "T": 40}[unit]
	v, err := strconv.ParseFloat(strings.TrimSpace(num), 64)
	v *= float64(int64(1) << shift)
	if err != nil || !ok || !(v >= 1) || v > 1<<60 {
		return fmt.Errorf("%q is no size; write bytes as 512M, 2G or 1.5G", s)
	}
	*z = size(v)
	return nil
}
