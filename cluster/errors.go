package cluster

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
)

var (
	// ErrClosed is wrapped by what a closed Cluster returns.
	ErrClosed = errors.New("cluster: it is closed")
	// ErrNoWorkers is wrapped by the error of a run that found no worker.
	ErrNoWorkers = errors.New("no worker answers")
	// ErrEnded is wrapped by the error of a run whose workflow was ended by
	// somebody else: by weft cluster cancel, on the server's pages.
	ErrEnded = errors.New("the run was ended from outside")
)

func (c *Cluster) noWorkers(why string) error {
	return fmt.Errorf("%w on the queue %q of %s%s: start one with %s", ErrNoWorkers, c.at.queue, c.at.host, why, startWorker)
}

// explain adds what to do to an error of the server.
func (a address) explain(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*serviceerror.NamespaceNotFound](err); ok {
		return fmt.Errorf("the server at %s has no namespace %q: make it with temporal operator namespace create --namespace %s, or use another in the URL (%w)", a.host, a.namespace, a.namespace, err)
	}
	if _, ok := errors.AsType[*serviceerror.PermissionDenied](err); ok {
		return fmt.Errorf("the server at %s does not let this program in: check APIKey, CertFile and KeyFile in the config (%w)", a.host, err)
	}
	if _, ok := errors.AsType[*serviceerror.Unavailable](err); ok || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no Temporal server answers at %s: start one (temporal server start-dev), or check the URL and whether it wants TLS (%w)", a.host, err)
	}
	return err
}
