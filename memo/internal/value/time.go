package value

import (
	"strings"
	"time"
)

// appendTime writes a time as its MarshalBinary does, and behind it, if that is
// not UTC, the names of its location and of the zone in force.
func appendTime(t time.Time) ([]byte, error) {
	b, err := t.MarshalBinary()
	if err != nil || t.Location() == time.UTC {
		return b, err
	}
	zone, _ := t.Zone()
	return append(b, t.Location().String()+"\x00"+zone...), nil
}

// readTime reads it, with or without the names.
func readTime(b []byte) (t time.Time, err error) {
	n := min(len(b), 15)
	if n > 0 && b[0] == 2 {
		n = min(len(b), 16) // an offset with seconds
	}
	if err := t.UnmarshalBinary(b[:n]); err != nil {
		return t, err
	}
	where, zone, named := strings.Cut(string(b[n:]), "\x00")
	if !named {
		return t, nil
	}
	_, offset := t.Zone()
	fixed := t.In(time.FixedZone(zone, offset))
	loc := time.Local
	switch {
	case where == zone:
		return fixed, nil
	case where != "Local":
		if loc, err = time.LoadLocation(where); err != nil {
			return fixed, nil // not known here
		}
	}
	there := t.In(loc)
	if name, o := there.Zone(); name != zone || o != offset {
		return fixed, nil // other rules here
	}
	return there, nil
}
