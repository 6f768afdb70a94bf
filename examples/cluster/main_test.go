package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weft-go/weft/cluster"
	"github.com/weft-go/weft/internal/clustertest"
)

func TestMain(m *testing.M) {
	cluster.Init()
	os.Exit(m.Run())
}

// The cluster's answer is that of this process.
func TestRun(t *testing.T) {
	s := clustertest.Start(t, clustertest.Options{})
	t.Setenv("WEFT_CLUSTER", s.URL+"/default?queue=demo&store=file://"+filepath.ToSlash(t.TempDir()))
	served := make(chan error, 1)
	go func() { served <- cluster.Serve(t.Context(), "", cluster.WorkerConfig{Slots: 2, Log: io.Discard}) }()
	dir, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	var here, there strings.Builder
	if err := run(t.Context(), &here, dir, true, false); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), &there, dir, false, false); err != nil {
		t.Fatal(err)
	}
	if here.String() != there.String() || !strings.Contains(here.String(), "main") {
		t.Errorf("here\n%s\nthere\n%s", &here, &there)
	}
	select {
	case err := <-served:
		t.Errorf("the worker ended: %v", err)
	default:
	}
}
