package proc

import "time"

// WithQuiet sets how long a worker may leave a question unanswered.
func WithQuiet(c Config, d time.Duration) Config {
	c.quiet = d
	return c
}

// WithLate sets how long a worker may take to come to Init.
func WithLate(c Config, d time.Duration) Config {
	c.late = d
	return c
}
