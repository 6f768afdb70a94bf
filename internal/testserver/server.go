package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives"
	schema "go.temporal.io/server/schema/sqlite"
	"go.temporal.io/server/temporal"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
)

const (
	loopback  = "127.0.0.1"
	namespace = "default"
	cell      = "active" // the name of this one cluster
)

type options struct {
	file  string // SQLite file; "" is memory
	port  int    // 0 is any
	level string // of log lines; "" is none
	set   map[string]any
}

type server struct {
	temporal.Server
	address string
}

// newServer prepares a server with all services in this process.
func newServer(o options) (*server, error) {
	ports, err := freePorts(4)
	if err != nil {
		return nil, err
	}
	if o.port != 0 {
		ports[0] = o.port
	}
	db, err := database(o.file)
	if err != nil {
		return nil, err
	}

	address := net.JoinHostPort(loopback, strconv.Itoa(ports[0]))
	c := &config.Config{
		Persistence: config.Persistence{
			DefaultStore:     sqlite.PluginName,
			VisibilityStore:  sqlite.PluginName,
			NumHistoryShards: 4,
			DataStores:       map[string]config.DataStore{sqlite.PluginName: {SQL: db}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        cell,
			CurrentClusterName:       cell,
			ClusterInformation: map[string]cluster.ClusterInformation{
				cell: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: address},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		PublicClient:        config.PublicClient{HostPort: address},
		Services:            map[string]config.Service{},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: "disabled"},
			Visibility: config.VisibilityArchival{State: "disabled"},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: "disabled"},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
		}},
	}
	// One process is all there is: its services know each other by address,
	// without the gossip that would remember the dead after a crash.
	hosts := map[primitives.ServiceName]static.Hosts{}
	for i, name := range []primitives.ServiceName{
		primitives.FrontendService, primitives.HistoryService, primitives.MatchingService, primitives.WorkerService,
	} {
		c.Services[string(name)] = config.Service{RPC: config.RPC{GRPCPort: ports[i], BindOnIP: loopback}}
		hosts[name] = static.SingleLocalHost(net.JoinHostPort(loopback, strconv.Itoa(ports[i])))
	}

	ns, err := schema.NewNamespaceConfig(cell, namespace, false, nil)
	if err != nil {
		return nil, err
	}
	if err := schema.CreateNamespaces(db, ns); err != nil {
		return nil, fmt.Errorf("database %s: %w", o.file, err)
	}

	settings := dynamicconfig.StaticClient{
		// A search attribute or namespace can be used as soon as it is made.
		dynamicconfig.ForceSearchAttributesCacheRefreshOnRead.Key(): true,
	}
	for key, value := range o.set {
		settings[dynamicconfig.MakeKey(key)] = value
	}
	var logger log.Logger = log.NewNoopLogger()
	if o.level != "" {
		logger = log.NewZapLogger(log.BuildZapLogger(log.Config{Level: o.level}))
	}
	s, err := temporal.NewServer(
		temporal.WithConfig(c),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(hosts),
		temporal.WithLogger(logger),
		temporal.WithDynamicConfigClient(settings),
		temporal.WithCustomMetricsHandler(metrics.NoopMetricsHandler),
	)
	if err != nil {
		return nil, err
	}
	return &server{s, address}, nil
}

// database says how SQLite is opened, and makes the tables of a new file.
func database(file string) (*config.SQL, error) {
	db := &config.SQL{PluginName: sqlite.PluginName}
	if file == "" {
		db.DatabaseName = "testserver"
		db.ConnectAttributes = map[string]string{"mode": "memory", "cache": "shared"}
		return db, nil
	}
	file, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	db.DatabaseName = file
	// The journal survives a killed process without waiting for the disk at
	// each commit; only a machine that loses power may lose the last ones.
	db.ConnectAttributes = map[string]string{"mode": "rwc", "journal_mode": "wal", "synchronous": "normal", "busy_timeout": "10000"}
	if _, err := os.Stat(file); err == nil || !errors.Is(err, os.ErrNotExist) {
		return db, err
	}
	if _, err := os.Stat(filepath.Dir(file)); err != nil {
		return nil, fmt.Errorf("--db %s: %w", file, err)
	}
	if err := schema.SetupSchema(db); err != nil {
		return nil, fmt.Errorf("making tables in %s: %w", file, err)
	}
	return db, nil
}

// answers returns when the server does the work of a client's first minute:
// each of its services has replied.
func (s *server) answers(ctx context.Context) error {
	conn, err := grpc.NewClient(s.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	c := workflowservice.NewWorkflowServiceClient(conn)
	ask := func() error {
		// The frontend and the store.
		if _, err := c.DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace}); err != nil {
			return err
		}
		// The matching service.
		_, err := c.DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
			Namespace: namespace, TaskQueue: &taskqueuepb.TaskQueue{Name: "ready"}, TaskQueueType: enumspb.TASK_QUEUE_TYPE_ACTIVITY,
		})
		if err != nil {
			return err
		}
		// The history service, each of its shards by some name.
		for i := range 32 {
			_, err := c.DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{
				Namespace: namespace, Execution: &commonpb.WorkflowExecution{WorkflowId: "ready-" + strconv.Itoa(i)},
			})
			if code := status.Code(err); code != codes.OK && code != codes.NotFound {
				return err
			}
		}
		return nil
	}
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer on %s: %w", s.address, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// freePorts finds n ports that nothing listens on. Another process may take
// one before the server does; then starting fails and says so.
func freePorts(n int) (ports []int, err error) {
	for range n {
		l, err := net.Listen("tcp", loopback+":0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // all at the end, so that each is another
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
