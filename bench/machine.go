package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// machine describes where a benchmark ran, as Markdown list items. Every
// section of RESULTS.md starts with it. modules are the Go libraries whose
// versions matter, by path.
func machine(ctx context.Context, modules ...string) []string {
	lines := []string{
		"Date: " + time.Now().UTC().Format("2006-01-02 15:04 MST"),
		fmt.Sprintf("Machine: %s, %d CPUs%s, %s/%s, kernel %s", cpuModel(), runtime.NumCPU(), threadsPerCore(),
			runtime.GOOS, runtime.GOARCH, firstLine("/proc/sys/kernel/osrelease")),
		fmt.Sprintf("Go: %s, GOMAXPROCS %d", runtime.Version(), runtime.GOMAXPROCS(0)),
	}
	if load := firstLine("/proc/loadavg"); load != unknown {
		lines = append(lines, "Load average at the start: "+strings.Join(strings.Fields(load)[:3], " "))
	}
	if commit, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--abbrev=12").Output(); err == nil {
		lines = append(lines, "Weft: commit "+strings.TrimSpace(string(commit)))
	}
	if versions := moduleVersions(modules); versions != "" {
		lines = append(lines, "Go libraries: "+versions)
	}
	return lines
}

const unknown = "unknown"

func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "CPU " + unknown
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if key, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "CPU " + unknown
}

// threadsPerCore says whether CPUs share cores, as two that do are less than
// twice as fast as one.
func threadsPerCore() string {
	switch siblings := firstLine("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list"); {
	case siblings == unknown:
		return ""
	case strings.ContainsAny(siblings, ",-"):
		return " (threads that share cores)"
	default:
		return " (one thread a core)"
	}
}

func firstLine(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return unknown
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

// moduleVersions are the versions that this binary was built with.
func moduleVersions(paths []string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	var versions []string
	for _, path := range paths {
		for _, dep := range info.Deps {
			if dep.Path == path {
				versions = append(versions, path+" "+dep.Version)
			}
		}
	}
	return strings.Join(versions, ", ")
}
