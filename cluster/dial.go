package cluster

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	sdklog "go.temporal.io/sdk/log"
	"google.golang.org/grpc"

	commonpb "go.temporal.io/api/common/v1"

	"github.com/weft-go/weft"
	"github.com/weft-go/weft/internal/objects"
)

// Cluster is a connection to a server and its store. It is a weft.Executor:
// pass it to weft.On or graph.On. All methods are safe for concurrent use, and
// several runs may share one.
type Cluster struct {
	at        address
	cfg       Config
	client    client.Client
	converter converter.DataConverter
	store     *objects.Store // nil if there is none
	build     build
	errs      map[string]error // registered ones
	skew      atomic.Int64     // how far the server's clock is ahead, in nanoseconds

	mu       sync.Mutex
	closed   bool
	sessions map[*weft.Lifetime]*session
	known    presence
	trip     time.Duration // of a batch, the shortest seen
	rate     float64       // bytes a second of the store, the best seen
}

// presence is who was there when last looked.
type presence struct {
	at      time.Time
	workers []Worker
}

// patience is how long a server may take to answer the first time, and workers
// to appear.
const patience = 8 * time.Second

// Dial connects to a cluster at a URL like
//
//	temporal://host:7233/namespace?queue=weft&store=s3://bucket/prefix
//
// "" is that of WEFT_CLUSTER. temporal+tls:// uses TLS. The namespace defaults to
// "default", the queue to "weft"; workers serve one queue of one namespace. The
// store is what package gocloud.dev/blob has, or a directory that all machines
// see, file:///data/weft; its own parameters must be escaped. Without one what
// is larger than a message can't travel.
//
// It takes two or three round trips. It is an error, with what to do, if there
// is no server, no such namespace or no such store. That there are no workers
// is said by the first run, after eight seconds.
func Dial(ctx context.Context, url string, cfg ...Config) (*Cluster, error) {
	if len(cfg) > 1 {
		return nil, errors.New("cluster: Dial: more than one Config; pass one, or none")
	}
	var one Config
	if len(cfg) == 1 {
		one = cfg[0]
	}
	c, err := dial(ctx, url, one, driverIdentity(), nil)
	if err != nil {
		return nil, fmt.Errorf("cluster: Dial: %w", err)
	}
	return c, nil
}

func driverIdentity() string {
	return "weft-driver/" + processName()
}

// processName is host/pid.
func processName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d", strings.ReplaceAll(host, "/", "-"), os.Getpid())
}

func dial(ctx context.Context, url string, cfg Config, who string, errs io.Writer) (*Cluster, error) {
	if ctx == nil {
		return nil, errors.New("the context is nil; pass context.Background()")
	}
	if url == "" {
		url = os.Getenv(environment)
	}
	at, err := parseAddress(url)
	if err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	secure, err := cfg.tls(at)
	if err != nil {
		return nil, err
	}
	dc, err := newConverter(cfg.Key)
	if err != nil {
		return nil, err
	}
	c := &Cluster{
		at: at, cfg: cfg, converter: dc, build: thisBuild(), errs: weft.RegisteredErrors(),
		sessions: map[*weft.Lifetime]*session{},
	}
	o := client.Options{
		HostPort: at.host, Namespace: at.namespace, Identity: who, DataConverter: dc, Logger: quiet{errs},
		ConnectionOptions: client.ConnectionOptions{
			TLS:         secure,
			DialOptions: []grpc.DialOption{grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64 << 20))},
		},
	}
	if cfg.APIKey != "" {
		o.Credentials = client.NewAPIKeyStaticCredentials(cfg.APIKey)
	}
	first, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c.client, err = client.DialContext(first, o)
	if err == nil {

		_, err = c.client.WorkflowService().DescribeNamespace(first, &workflowservice.DescribeNamespaceRequest{Namespace: at.namespace})
		if err != nil {
			c.client.Close()
		}
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if first.Err() != nil {
			err = errors.Join(first.Err(), err)
		}
		return nil, at.explain(err)
	}
	if at.store != "" {
		c.store, err = objects.Open(ctx, at.store, objects.Options{Key: cfg.Key, CacheDir: cfg.CacheDir, CacheBytes: cfg.CacheBytes})
		if err != nil {
			c.client.Close()
			return nil, fmt.Errorf("the store of the URL: %w", err)
		}
	}
	return c, nil
}

// Close ends the runs that this process drives, and the connection. Those of
// Submit go on. It is safe to call twice. The error is always nil.
func (c *Cluster) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	var ss []*session
	for _, s := range c.sessions {
		ss = append(ss, s)
	}
	c.mu.Unlock()
	for _, s := range ss {
		s.close(ErrClosed)
	}
	if c.store != nil {
		_ = c.store.Close()
	}
	c.client.Close()
	return nil
}

// URL is the cluster's, as it was given.
func (c *Cluster) URL() string { return c.at.String() }

func (c *Cluster) warn(format string, args ...any) {
	fmt.Fprintf(c.cfg.Warnings, "weft: cluster: "+format+"\n", args...)
}

// quiet keeps the SDK's own log lines out of drivers: what matters comes back
// as an error, or as a warning of ours. Of a worker its errors are printed.
type quiet struct{ to io.Writer }

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (q quiet) Error(msg string, keys ...any) {
	if q.to != nil {
		fmt.Fprintln(q.to, "weft: temporal:", msg, keys)
	}
}
func (q quiet) With(...any) sdklog.Logger        { return q }
func (q quiet) WithCallerSkip(int) sdklog.Logger { return q }

// newConverter puts values into payloads, encrypted if there is a key.
func newConverter(key []byte) (converter.DataConverter, error) {
	dc := converter.GetDefaultDataConverter()
	if len(key) == 0 {
		return dc, nil
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("the config's Key: %w", err)
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("the config's Key: %w", err)
	}
	return converter.NewCodecDataConverter(dc, &sealing{gcm}), nil
}

// sealing encrypts payloads.
type sealing struct{ gcm cipher.AEAD }

const sealed = "binary/weft-aes-gcm"

// Encode implements converter.PayloadCodec.
func (s *sealing) Encode(ps []*commonpb.Payload) ([]*commonpb.Payload, error) {
	out := make([]*commonpb.Payload, len(ps))
	for i, p := range ps {
		b, err := p.Marshal()
		if err != nil {
			return nil, err
		}
		out[i] = &commonpb.Payload{
			Metadata: map[string][]byte{converter.MetadataEncoding: []byte(sealed)},
			Data:     s.gcm.Seal(nil, nil, b, []byte(sealed)),
		}
	}
	return out, nil
}

// Decode implements converter.PayloadCodec. What is not encrypted is refused:
// else whoever can write to the server could do without the key.
func (s *sealing) Decode(ps []*commonpb.Payload) ([]*commonpb.Payload, error) {
	out := make([]*commonpb.Payload, len(ps))
	for i, p := range ps {
		if e := string(p.GetMetadata()[converter.MetadataEncoding]); e != sealed {
			return nil, fmt.Errorf("a payload is not encrypted (%q): the other side has no Key in its config", e)
		}
		b, err := s.gcm.Open(nil, nil, p.GetData(), []byte(sealed))
		if err != nil {
			return nil, errors.New("a payload can't be decrypted: the other side has another Key in its config")
		}
		out[i] = &commonpb.Payload{}
		if err := out[i].Unmarshal(b); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// newID is the id of a run: when it began, and something random.
func newID() string {
	var b [5]byte
	_, _ = io.ReadFull(rand.Reader, b[:])
	return fmt.Sprintf("weft-%s-%x", time.Now().UTC().Format("20060102-150405"), b)
}
