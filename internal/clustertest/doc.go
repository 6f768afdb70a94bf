// Package clustertest starts the other side of a cluster for tests: a real
// Temporal server as a process of its own (internal/testserver), and an S3
// store in this process.
//
// The server is built once and kept; building takes some minutes, so run
// scripts/testserver before the tests, as make test does. Where it cannot be
// built the tests that need it are skipped as NOT TESTED.
package clustertest
