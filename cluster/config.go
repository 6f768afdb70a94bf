package cluster

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/weft-go/weft/internal/cpus"
)

// Config is how a program reaches a cluster. The zero value works for a server
// without TLS.
type Config struct {
	// TLS asks for TLS with the system's roots, or with what the other fields
	// say. temporal+tls:// in the URL does too. Defaults to false.
	TLS bool
	// CAFile has the certificates of who signs the server's, in PEM. Defaults
	// to the system's.
	CAFile string
	// CertFile and KeyFile are this client's own certificate and key, in PEM,
	// for a server that wants to know (mTLS). Default to none.
	CertFile, KeyFile string
	// ServerName is the name in the server's certificate, where it is not that
	// of the URL. Defaults to the URL's host.
	ServerName string
	// APIKey is sent with each request, over TLS only. Defaults to
	// WEFT_CLUSTER_API_KEY, or none.
	APIKey string
	// Key encrypts what passes through the server and the store by AES-GCM: 16,
	// 24 or 32 bytes, the same for drivers and workers. Defaults to none.
	Key []byte
	// CacheDir and CacheBytes are where copies of objects of the store are kept
	// and how many bytes of them; -1 is no cache. Default to a directory of the
	// user's cache and 1 GiB, and no cache for a store that is a directory.
	CacheDir   string
	CacheBytes int64
	// Lost is how long a worker may be silent in the middle of a batch until the
	// batch is given to another one. Defaults to 5 s; at least 1 s.
	Lost time.Duration
	// Patience is how long a run goes on without any worker, or without a
	// server that answers, before it fails. Before its first batch it is ten
	// seconds. Defaults to 10 minutes.
	Patience time.Duration
	// Batch is how much work a batch should hold. Defaults to 1 s.
	Batch time.Duration
	// Priority of this program's runs where workers are short: 1, the first,
	// to 5. Defaults to 3.
	Priority int
	// Fairness is a name that runs of one user, or one team, share: workers
	// that are short are shared out evenly among names, in proportion to
	// FairnessWeight (0.001 to 1000). Default to none and 1.
	Fairness       string
	FairnessWeight float64
	// Pages is the address of the server's own web pages, for links to runs.
	// Defaults to http://HOST:8233, where temporal server start-dev has them.
	Pages string
	// Warnings gets a line for what goes wrong and mends itself: no worker for
	// ten seconds, a clock that differs. Defaults to os.Stderr; io.Discard is
	// none.
	Warnings io.Writer

	cut int // events after which a run's history is cut, for tests
}

const (
	defaultLost     = 5 * time.Second
	defaultPatience = 10 * time.Minute
	defaultBatch    = time.Second
	defaultPages    = "8233"
	keyEnvironment  = "WEFT_CLUSTER_API_KEY"
)

func (c Config) withDefaults() Config {
	c.APIKey = cmp.Or(c.APIKey, os.Getenv(keyEnvironment))
	c.Lost = cmp.Or(c.Lost, defaultLost)
	c.Patience = cmp.Or(c.Patience, defaultPatience)
	c.Batch = cmp.Or(c.Batch, defaultBatch)
	if c.Warnings == nil {
		c.Warnings = os.Stderr
	}
	return c
}

func (c *Config) validate() error {
	switch n := len(c.Key); {
	case n != 0 && n != 16 && n != 24 && n != 32:
		return fmt.Errorf("the config's Key has %d bytes; an AES key has 16, 24 or 32", n)
	case c.Lost < time.Second:
		return fmt.Errorf("the config's Lost is %v; give at least 1s, as workers are asked about once a second", c.Lost)
	case c.Patience < 0:
		return fmt.Errorf("the config's Patience is %v; give a time above 0", c.Patience)
	case c.Batch < 0 || c.Batch > time.Minute:
		return fmt.Errorf("the config's Batch is %v; give a time above 0, up to a minute", c.Batch)
	case c.Priority < 0 || c.Priority > 5:
		return fmt.Errorf("the config's Priority is %d; give 1, the first, to 5", c.Priority)
	case len(c.Fairness) > 64:
		return fmt.Errorf("the config's Fairness has %d bytes; at most 64", len(c.Fairness))
	case c.FairnessWeight != 0 && (c.FairnessWeight < 0.001 || c.FairnessWeight > 1000):
		return fmt.Errorf("the config's FairnessWeight is %v; give 0.001 to 1000", c.FairnessWeight)
	case (c.CertFile == "") != (c.KeyFile == ""):
		return errors.New("the config has one of CertFile and KeyFile; a certificate needs its key, so give both")
	case c.CacheBytes < -1:
		return fmt.Errorf("the config's CacheBytes is %d; give a number of bytes, or -1 for no cache", c.CacheBytes)
	}
	return nil
}

// tls returns nil where none is asked for.
func (c *Config) tls(a address) (*tls.Config, error) {
	if !c.TLS && !a.tls && c.CAFile == "" && c.CertFile == "" && c.APIKey == "" {
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("the config's CAFile: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("the config's CAFile %s holds no certificate in PEM", c.CAFile)
		}
	}
	if c.CertFile != "" {
		own, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("the config's CertFile and KeyFile: %w", err)
		}
		t.Certificates = []tls.Certificate{own}
	}
	return t, nil
}

// WorkerConfig is how a worker is to be. The zero value works.
type WorkerConfig struct {
	// Config is how the worker reaches the cluster.
	Config
	// Slots is how many items run at once: 0 is one for each CPU slot, -1 one for
	// each CPU, -2 all CPUs but one, and so on. Items that mostly wait may have
	// more slots than there are CPUs. Defaults to 0.
	Slots int
	// Memory is how many bytes this process, and those of Isolate, may hold: a
	// further batch begins only when what batches have taken so far has room.
	// What counts is anonymous memory, not the kernel's cache of files. Defaults
	// to three quarters of the tightest of the cgroup's limit, GOMEMLIMIT and
	// the machine's memory.
	Memory int64
	// Resources are names of what this worker has beside CPUs, each with how many
	// items can use it at once: "gpu": 1. Each is a queue of its own, of which
	// items come beside the worker's Slots: a driver asks for it by
	// queue=NAME.gpu in its URL. Defaults to none.
	Resources map[string]int
	// Isolate runs items in child processes (package proc): one that crashes,
	// hangs or takes too much memory ends its process and not the worker, and can
	// be stopped. On Linux. Defaults to false.
	Isolate bool
	// ItemMemory is the most bytes that an item's process may hold under Isolate,
	// and ItemTimeout the longest that an item may run there. Default to 0: no
	// limit.
	ItemMemory  int64
	ItemTimeout time.Duration
	// QueueRate is how many batches a second the server hands out for the whole
	// queue, to all workers together. Defaults to 0: no limit.
	QueueRate float64
	// Drain is how long the worker may take to end once it was asked to. Items
	// that run end; what has not begun goes to others. Defaults to 30 s.
	Drain time.Duration
	// Log gets a line for each thing that an operator wants to know: that it
	// joined, a batch that was lost to it, an item that was cut off. Defaults to
	// os.Stderr; io.Discard is none.
	Log io.Writer
}

const (
	defaultDrain = 30 * time.Second
	mostSlots    = 4096
)

func (c WorkerConfig) withDefaults() WorkerConfig {
	c.Config = c.Config.withDefaults()
	if c.Slots <= 0 {
		c.Slots = cpus.Workers(c.Slots, cpus.Get())
	}
	c.Drain = cmp.Or(c.Drain, defaultDrain)
	if c.Log == nil {
		c.Log = os.Stderr
	}
	return c
}

func (c *WorkerConfig) validate() error {
	switch {
	case c.Slots > mostSlots:
		return fmt.Errorf("the config's Slots is %d; at most %d run at once in a worker", c.Slots, mostSlots)
	case c.Memory < 0:
		return fmt.Errorf("the config's Memory is %d; give a number of bytes above 0", c.Memory)
	case c.QueueRate < 0:
		return fmt.Errorf("the config's QueueRate is %v; give a number of batches a second above 0", c.QueueRate)
	case c.Drain < 0:
		return fmt.Errorf("the config's Drain is %v; give a time above 0", c.Drain)
	case !c.Isolate && (c.ItemMemory != 0 || c.ItemTimeout != 0):
		return errors.New("the config's ItemMemory and ItemTimeout need Isolate: only a process can be stopped from outside")
	}
	for name, n := range c.Resources {
		if !queueName.MatchString(name) || n < 1 || n > mostSlots {
			return fmt.Errorf("the config's Resources has %q: %d; give a name of letters and digits, and how many items can use it at once", name, n)
		}
	}
	return c.Config.validate()
}
