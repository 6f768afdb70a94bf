//go:build !unix

package main

import (
	"os"
	"os/signal"
)

// signals catches what would end the program.
func signals() <-chan os.Signal {
	c := make(chan os.Signal, 16)
	signal.Notify(c, os.Interrupt)
	return c
}
