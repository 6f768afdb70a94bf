package cluster

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
)

// address is what a cluster's URL says.
type address struct {
	host      string // host:port of the server
	namespace string
	queue     string
	store     string // URL of the object store, "" if there is none
	tls       bool
}

const (
	form           = "temporal://host:7233/namespace?queue=weft&store=s3://bucket/prefix"
	defaultPort    = "7233"
	defaultQueue   = "weft"
	defaultNS      = "default"
	environment    = "WEFT_CLUSTER"
	mostQueueBytes = 200
)

// A queue's name is part of names of workflows and of objects.
var queueName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// parseAddress reads a URL. What it does not know is an error, so that a typo
// is not another cluster.
func parseAddress(raw string) (a address, err error) {
	if raw == "" {
		return a, fmt.Errorf("no URL: pass one like %s, or set %s", form, environment)
	}
	u, err := url.Parse(raw)
	if err != nil {
		return a, fmt.Errorf("the URL can't be read (%w): it looks like %s", err, form)
	}
	switch u.Scheme {
	case "temporal":
	case "temporal+tls":
		a.tls = true
	case "http", "https":
		return a, fmt.Errorf("the URL %s begins with %s://, as the server's web pages do: workers and drivers use temporal://%s:%s", u.Redacted(), u.Scheme, u.Hostname(), defaultPort)
	default:
		return a, fmt.Errorf("the URL %s does not begin with temporal:// (or temporal+tls://): it looks like %s", u.Redacted(), form)
	}
	if u.User != nil {
		return a, fmt.Errorf("the URL %s holds credentials, which end up in logs: set Config.APIKey or WEFT_CLUSTER_API_KEY", u.Redacted())
	}
	if u.Hostname() == "" {
		return a, fmt.Errorf("the URL %s names no host: it looks like %s", u.Redacted(), form)
	}
	port := u.Port()
	if port == "" {
		port = defaultPort
	}
	a.host = net.JoinHostPort(u.Hostname(), port)
	a.namespace = strings.Trim(u.Path, "/")
	if a.namespace == "" {
		a.namespace = defaultNS
	}
	if strings.Contains(a.namespace, "/") {
		return a, fmt.Errorf("the URL's path %q is no namespace, which has no slash: it looks like %s", u.Path, form)
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return a, fmt.Errorf("the URL's part after ? can't be read: %w", err)
	}
	a.queue = defaultQueue
	for k, v := range q {
		if k != "queue" && k != "store" {
			return a, fmt.Errorf("the URL has the parameter %q; there are queue and store. A store's own parameters need escapes: store=%s", k, url.QueryEscape("s3://bucket/prefix?region=eu-central-1"))
		}
		if len(v) > 1 {
			return a, fmt.Errorf("the URL has %s twice", k)
		}
		if k == "queue" {
			a.queue = v[0]
		} else {
			a.store = v[0]
		}
	}
	if !queueName.MatchString(a.queue) || len(a.queue) > mostQueueBytes {
		return a, fmt.Errorf("the queue %.60q is none: a name has letters, digits, '-', '_' and '.', up to %d of them", a.queue, mostQueueBytes)
	}
	return a, nil
}

func (a address) String() string {
	s := fmt.Sprintf("temporal://%s/%s?queue=%s", a.host, a.namespace, a.queue)
	if a.store != "" {
		s += "&store=" + a.store
	}
	return s
}
