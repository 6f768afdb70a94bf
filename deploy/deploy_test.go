// Package deploy holds files for running a cluster; its tests read them as
// strictly as those who run them wish that somebody had.
package deploy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// What Compose files may hold here; anything else is a typo, or needs a look.
type compose struct {
	Name     string
	Services map[string]service
	Volumes  map[string]any
}

type service struct {
	Image           string
	Command         []string
	Environment     map[string]string
	DependsOn       map[string]struct{ Condition string } `yaml:"depends_on"`
	Ports           []string
	Volumes         []string
	Healthcheck     *health
	StopGracePeriod string `yaml:"stop_grace_period"`
	MemLimit        string `yaml:"mem_limit"`
	Cpus            string
	Restart         string
}

type health struct {
	Test              []string
	Interval, Timeout string
	Retries           int
}

// What Kubernetes files may hold here.
type object struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct {
		Name   string
		Labels map[string]string
	}
	// Of a ServiceAccount.
	AutomountServiceAccountToken *bool `yaml:"automountServiceAccountToken"`
	// Of a Secret.
	Type       string
	StringData map[string]string `yaml:"stringData"`
	// Of the kustomization.
	Namespace string
	Resources []string
	Images    []struct {
		Name    string
		NewName string `yaml:"newName"`
		NewTag  string `yaml:"newTag"`
	}
	Spec yaml.Node
}

type deployment struct {
	Selector labels
	Strategy struct {
		RollingUpdate struct {
			MaxSurge       string `yaml:"maxSurge"`
			MaxUnavailable int    `yaml:"maxUnavailable"`
		} `yaml:"rollingUpdate"`
	}
	Template struct {
		Metadata struct{ Labels map[string]string }
		Spec     pod
	}
}

type labels struct {
	MatchLabels map[string]string `yaml:"matchLabels"`
}

type pod struct {
	ServiceAccountName            string `yaml:"serviceAccountName"`
	AutomountServiceAccountToken  *bool  `yaml:"automountServiceAccountToken"`
	TerminationGracePeriodSeconds int    `yaml:"terminationGracePeriodSeconds"`
	SecurityContext               struct {
		RunAsNonRoot   bool                  `yaml:"runAsNonRoot"`
		RunAsUser      int                   `yaml:"runAsUser"`
		RunAsGroup     int                   `yaml:"runAsGroup"`
		FsGroup        int                   `yaml:"fsGroup"`
		SeccompProfile struct{ Type string } `yaml:"seccompProfile"`
	} `yaml:"securityContext"`
	Containers []container
	Volumes    []struct {
		Name     string
		EmptyDir struct {
			SizeLimit string `yaml:"sizeLimit"`
		} `yaml:"emptyDir"`
	}
}

type container struct {
	Name, Image string
	Args        []string
	Env         []struct {
		Name, Value string
		ValueFrom   struct {
			SecretKeyRef struct{ Name, Key string } `yaml:"secretKeyRef"`
		} `yaml:"valueFrom"`
	}
	Resources       struct{ Requests, Limits map[string]string }
	SecurityContext struct {
		AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
		ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
		Capabilities             struct{ Drop []string }
	} `yaml:"securityContext"`
	VolumeMounts []struct {
		Name      string
		MountPath string `yaml:"mountPath"`
	} `yaml:"volumeMounts"`
}

type scaled struct {
	ScaleTargetRef  struct{ Name string } `yaml:"scaleTargetRef"`
	MinReplicaCount int                   `yaml:"minReplicaCount"`
	MaxReplicaCount int                   `yaml:"maxReplicaCount"`
	PollingInterval int                   `yaml:"pollingInterval"`
	CooldownPeriod  int                   `yaml:"cooldownPeriod"`
	Triggers        []struct {
		Type     string
		Metadata map[string]string
	}
}

type network struct {
	PodSelector labels   `yaml:"podSelector"`
	PolicyTypes []string `yaml:"policyTypes"`
	Egress      []struct {
		Ports []struct {
			Port     int
			Protocol string
		}
	}
}

// strict decodes all documents of a file; unknown fields are errors.
func strict[T any](b []byte) (docs []T, err error) {
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	for {
		var v T
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, err
		}
		docs = append(docs, v)
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// spec decodes what an object says of itself.
func spec[T any](t *testing.T, o object) T {
	t.Helper()
	b, err := yaml.Marshal(&o.Spec)
	if err != nil {
		t.Fatal(err)
	}
	vs, err := strict[T](b)
	if err != nil || len(vs) != 1 {
		t.Fatalf("%s %s: %v", o.Kind, o.Metadata.Name, err)
	}
	return vs[0]
}

var pinned = regexp.MustCompile(`^[a-z0-9./-]+:v?[0-9]+\.[0-9]+(\.[0-9]+)?$`)

// lintCompose says what is wrong with a Compose file, given the variables
// that its example of .env sets.
func lintCompose(b []byte, env map[string]string) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	docs, err := strict[compose](b)
	if err != nil || len(docs) != 1 {
		return []string{fmt.Sprint("cannot be read: ", err)}
	}
	c := docs[0]
	required := regexp.MustCompile(`\$\{([A-Z_]+)(:\?[^}]+)?\}`)
	for _, m := range required.FindAllSubmatch(b, -1) {
		if _, ok := env[string(m[1])]; !ok {
			fault("example.env does not set %s", m[1])
		}
		if len(m[2]) == 0 {
			fault("%s has no message for when it is missing", m[1])
		}
	}
	for name, s := range c.Services {
		once := s.Restart == "no"
		if !pinned.MatchString(s.Image) && !strings.HasPrefix(s.Image, "${WEFT_IMAGE:?") {
			fault("%s: image %q has no version", name, s.Image)
		}
		if s.MemLimit == "" {
			fault("%s: no mem_limit", name)
		}
		if s.Restart == "" {
			fault("%s: no restart", name)
		}
		if s.Healthcheck == nil && !once && name != "worker" {
			fault("%s: no healthcheck", name)
		}
		if h := s.Healthcheck; h != nil && (len(h.Test) < 2 || h.Interval == "" || h.Timeout == "" || h.Retries < 1) {
			fault("%s: half a healthcheck: %+v", name, *h)
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				fault("%s: port %s is open to the network", name, p)
			}
		}
		for on, d := range s.DependsOn {
			switch other, ok := c.Services[on]; {
			case !ok:
				fault("%s depends on %s, which is not there", name, on)
			case d.Condition == "service_healthy" && other.Healthcheck == nil:
				fault("%s waits until %s is healthy, which nobody checks", name, on)
			case d.Condition == "service_completed_successfully" && other.Restart != "no":
				fault("%s waits for the end of %s, which is restarted", name, on)
			case d.Condition != "service_healthy" && d.Condition != "service_completed_successfully":
				fault("%s depends on %s by %q", name, on, d.Condition)
			}
		}
		for _, v := range s.Volumes {
			from, _, ok := strings.Cut(v, ":")
			if _, there := c.Volumes[from]; !ok || !there {
				fault("%s: volume %s is not declared", name, v)
			}
		}
		for key, value := range s.Environment {
			if secret := strings.Contains(key, "PASSWORD") || strings.Contains(key, "PWD") || strings.Contains(key, "SECRET"); secret && !strings.HasPrefix(value, "${") {
				fault("%s: %s is written into the file", name, key)
			}
		}
	}
	w, ok := c.Services["worker"]
	if !ok {
		return append(faults, "no worker")
	}
	grace, err := time.ParseDuration(w.StopGracePeriod)
	if err != nil || grace <= drain(w.Command) {
		fault("worker: stop_grace_period %q is not longer than -drain in %v", w.StopGracePeriod, w.Command)
	}
	return append(faults, lintURL("worker", w.Environment["WEFT_CLUSTER"])...)
}

// drain is the worker's own limit of ending.
func drain(args []string) time.Duration {
	if i := slices.Index(args, "-drain"); i >= 0 && i+1 < len(args) && slices.Contains(args, "weft-worker") {
		if d, err := time.ParseDuration(args[i+1]); err == nil {
			return d
		}
	}
	return time.Hour // not said: whatever is compared with it fails
}

// lintURL checks a cluster's URL as far as one can without a cluster.
func lintURL(who, raw string) []string {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "temporal" || u.Port() == "" {
		return []string{fmt.Sprintf("%s: WEFT_CLUSTER %q", who, raw)}
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil || q.Get("queue") == "" || len(q) != 2 {
		return []string{fmt.Sprintf("%s: WEFT_CLUSTER %q: parameters %v, %v; are the store's escaped?", who, raw, q, err)}
	}
	s, err := url.Parse(q.Get("store"))
	if err != nil || s.Scheme != "s3" || s.Host == "" || s.Query().Get("region") == "" && s.Query().Get("endpoint") == "" {
		return []string{fmt.Sprintf("%s: WEFT_CLUSTER %q: store %q", who, raw, q.Get("store"))}
	}
	return nil
}

func variables(t *testing.T, name string) map[string]string {
	t.Helper()
	vs := map[string]string{}
	s := bufio.NewScanner(bytes.NewReader(read(t, name)))
	for s.Scan() {
		line := strings.TrimSpace(s.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || value == "" || vs[key] != "" {
			t.Errorf("%s: line %q", name, line)
		}
		vs[key] = value
	}
	return vs
}

func TestCompose(t *testing.T) {
	t.Parallel()
	env := variables(t, "compose/example.env")
	b := read(t, "compose/compose.yaml")
	for _, f := range lintCompose(b, env) {
		t.Error(f)
	}
	// The check finds what it is for.
	for what, change := range map[string][2]string{
		"has no version":          {"postgres:17.6", "postgres:latest"},
		"field hostname not":      {"    mem_limit: 32m", "    hostname: x"},
		"no mem_limit":            {"    mem_limit: 32m\n", ""},
		"open to the network":     {"127.0.0.1:7233:7233", "7233:7233"},
		"which is not there":      {"      store:\n        condition: service_healthy", "      shop:\n        condition: service_healthy"},
		"not longer than -drain":  {"stop_grace_period: 45s", "stop_grace_period: 30s"},
		"is written into":         {"ROOT_SECRET_KEY: ${STORE_SECRET_KEY:?copy example.env to .env and set it there}", "ROOT_SECRET_KEY: secret"},
		"does not set":            {"${WEFT_IMAGE:?", "${WEFT_PICTURE:?"},
		"is not declared":         {"volumes:\n  postgres:\n", "volumes:\n"},
		"no healthcheck":          {`    healthcheck:` + "\n" + `      test: ["CMD", "pg_isready", "-U", "temporal"]` + "\n      interval: 5s\n      timeout: 5s\n      retries: 12\n", ""},
		"are the store's escaped": {"&store=s3%3A", "&region=x&store=s3%3A"},
	} {
		broken := bytes.Replace(b, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(broken, b) {
			t.Errorf("%q is not in the file", change[0])
		}
		if fs := lintCompose(broken, env); !strings.Contains(strings.Join(fs, "\n"), what) {
			t.Errorf("a file with %q says %q, want %q", change[1], fs, what)
		}
	}
}

func TestKubernetes(t *testing.T) {
	t.Parallel()
	k, err := strict[object](read(t, "kubernetes/kustomization.yaml"))
	if err != nil || len(k) != 1 || k[0].Kind != "Kustomization" {
		t.Fatal(err)
	}
	names, err := filepath.Glob("kubernetes/*.yaml")
	if err != nil || len(names) != len(k[0].Resources)+1 {
		t.Errorf("%d files, the kustomization lists %d: %v", len(names), len(k[0].Resources), err)
	}
	objects := map[string]object{} // "Kind/name"
	for _, name := range k[0].Resources {
		os, err := strict[object](read(t, "kubernetes/"+name))
		if err != nil {
			t.Fatal(name, err)
		}
		for _, o := range os {
			objects[o.Kind+"/"+o.Metadata.Name] = o
		}
	}
	versions := map[string]string{
		"Namespace": "v1", "Secret": "v1", "ServiceAccount": "v1", "Deployment": "apps/v1",
		"NetworkPolicy": "networking.k8s.io/v1", "ScaledObject": "keda.sh/v1alpha1",
	}
	for id, o := range objects {
		if o.APIVersion != versions[o.Kind] {
			t.Errorf("%s has apiVersion %q, want %q", id, o.APIVersion, versions[o.Kind])
		}
	}
	if len(objects) != len(versions) {
		t.Errorf("%d objects, want one of each of %d kinds", len(objects), len(versions))
	}
	if _, ok := objects["Namespace/"+k[0].Namespace]; !ok {
		t.Errorf("the namespace %q is not made", k[0].Namespace)
	}

	d := spec[deployment](t, objects["Deployment/weft-worker"])
	p := d.Template.Spec
	if len(p.Containers) != 1 {
		t.Fatalf("%d containers", len(p.Containers))
	}
	c := p.Containers[0]
	if !mapsEqual(d.Selector.MatchLabels, d.Template.Metadata.Labels) || len(d.Selector.MatchLabels) == 0 {
		t.Errorf("selector %v does not select %v", d.Selector.MatchLabels, d.Template.Metadata.Labels)
	}
	if _, ok := objects["ServiceAccount/"+p.ServiceAccountName]; !ok {
		t.Errorf("the service account %q is not made", p.ServiceAccountName)
	}
	if grace := time.Duration(p.TerminationGracePeriodSeconds) * time.Second; grace <= drain(c.Args) {
		t.Errorf("a grace period of %v is not longer than -drain in %v", grace, c.Args)
	}
	image := ""
	for _, i := range k[0].Images {
		if i.Name == c.Image {
			image = i.NewName + ":" + i.NewTag
		}
	}
	if !pinned.MatchString(image) {
		t.Errorf("image %q, by the kustomization %q, has no version", c.Image, image)
	}
	for _, e := range c.Env {
		ref := e.ValueFrom.SecretKeyRef
		switch {
		case e.Name == "WEFT_CLUSTER":
			for _, f := range lintURL("worker", e.Value) {
				t.Error(f)
			}
		case ref.Name != "":
			if objects["Secret/"+ref.Name].StringData[ref.Key] == "" {
				t.Errorf("%s comes from secret %s, key %s, which is not there", e.Name, ref.Name, ref.Key)
			}
		case e.Value == "" || strings.Contains(e.Name, "SECRET"):
			t.Errorf("%s is %q", e.Name, e.Value)
		}
	}
	for _, r := range []map[string]string{c.Resources.Requests, c.Resources.Limits} {
		if r["memory"] == "" || r["ephemeral-storage"] == "" {
			t.Errorf("requests or limits without memory or storage: %v", r)
		}
	}
	s, no := c.SecurityContext, false
	if s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation != no || !s.ReadOnlyRootFilesystem || !slices.Equal(s.Capabilities.Drop, []string{"ALL"}) ||
		!p.SecurityContext.RunAsNonRoot || p.SecurityContext.SeccompProfile.Type != "RuntimeDefault" || p.AutomountServiceAccountToken == nil || *p.AutomountServiceAccountToken {
		t.Errorf("the namespace enforces the restricted standard, which the pod does not keep: %+v", s)
	}
	var volumes []string
	for _, v := range p.Volumes {
		if v.EmptyDir.SizeLimit == "" {
			t.Errorf("volume %s has no limit", v.Name)
		}
		volumes = append(volumes, v.Name)
	}
	for _, m := range c.VolumeMounts {
		if !slices.Contains(volumes, m.Name) {
			t.Errorf("volume %s is not there", m.Name)
		}
	}

	n := spec[network](t, objects["NetworkPolicy/weft-worker"])
	if !mapsEqual(n.PodSelector.MatchLabels, d.Selector.MatchLabels) || !slices.Equal(n.PolicyTypes, []string{"Ingress", "Egress"}) || len(n.Egress) == 0 {
		t.Errorf("the network policy is not for the worker: %+v", n)
	}

	a := spec[scaled](t, objects["ScaledObject/weft-worker"])
	if _, ok := objects["Deployment/"+a.ScaleTargetRef.Name]; !ok {
		t.Errorf("what is scaled, %q, is not there", a.ScaleTargetRef.Name)
	}
	if a.MinReplicaCount < 0 || a.MaxReplicaCount <= a.MinReplicaCount || len(a.Triggers) != 1 || a.Triggers[0].Type != "temporal" {
		t.Fatalf("scaling is %+v", a)
	}
	known := []string{"endpoint", "namespace", "taskQueue", "queueTypes", "targetQueueSize", "activationTargetQueueSize"}
	for key, value := range a.Triggers[0].Metadata {
		if !slices.Contains(known, key) || value == "" {
			t.Errorf("the trigger has %s: %q", key, value)
		}
	}
	m := a.Triggers[0].Metadata
	var cluster string
	for _, e := range c.Env {
		if e.Name == "WEFT_CLUSTER" {
			cluster = e.Value
		}
	}
	u, err := url.Parse(cluster)
	if err != nil || u.Host != m["endpoint"] || strings.Trim(u.Path, "/") != m["namespace"] || m["taskQueue"] != "weft."+u.Query().Get("queue")+".BUILD" {
		t.Errorf("workers ask %s, scaling asks %v", cluster, m)
	}
}

func mapsEqual(a, b map[string]string) bool {
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return len(a) == len(b)
}

// directives are what a unit may hold here, by section.
var directives = map[string][]string{
	"Unit": {"Description", "Documentation", "Wants", "After"},
	"Service": {
		"Type", "ExecStart", "EnvironmentFile", "Environment", "CacheDirectory", "CacheDirectoryMode", "DynamicUser", "KillMode", "KillSignal",
		"TimeoutStopSec", "Restart", "RestartSec", "MemoryMax", "MemorySwapMax", "TasksMax", "NoNewPrivileges", "PrivateDevices", "PrivateTmp",
		"ProtectControlGroups", "ProtectHome", "ProtectKernelModules", "ProtectKernelTunables", "ProtectSystem", "RestrictAddressFamilies",
		"RestrictSUIDSGID", "SystemCallArchitectures",
	},
	"Install": {"WantedBy"},
}

// unit reads a unit file: "Section.Key" to value.
func unit(b []byte) (map[string]string, error) {
	values, section := map[string]string{}, ""
	for i, line := range strings.Split(string(b), "\n") {
		line = strings.TrimSpace(line)
		switch key, value, ok := strings.Cut(line, "="); {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			section = strings.Trim(line, "[]")
			if directives[section] == nil {
				return nil, fmt.Errorf("line %d: section %s", i+1, line)
			}
		case !ok || value == "" || !slices.Contains(directives[section], key):
			return nil, fmt.Errorf("line %d: %q is no directive of [%s] that is known here", i+1, line, section)
		case values[section+"."+key] != "":
			return nil, fmt.Errorf("line %d: %s is there twice", i+1, key)
		default:
			values[section+"."+key] = value
		}
	}
	return values, nil
}

func TestUnit(t *testing.T) {
	t.Parallel()
	v, err := unit(read(t, "systemd/weft-worker.service"))
	if err != nil {
		t.Fatal(err)
	}
	stop, err := time.ParseDuration(v["Service.TimeoutStopSec"])
	if args := strings.Fields(v["Service.ExecStart"]); err != nil || stop <= drain(args) || !filepath.IsAbs(args[0]) {
		t.Errorf("TimeoutStopSec %v, %v, is not longer than -drain in %v", stop, err, args)
	}
	for key, want := range map[string]string{
		"Service.KillSignal": "SIGTERM", "Service.KillMode": "mixed", "Service.Restart": "always", "Install.WantedBy": "multi-user.target",
		"Service.EnvironmentFile": "/etc/weft/worker.env", "Service.Environment": "XDG_CACHE_HOME=/var/cache/" + v["Service.CacheDirectory"],
	} {
		if v[key] != want {
			t.Errorf("%s is %q, want %q", key, v[key], want)
		}
	}
	for _, f := range lintURL("worker.env", variables(t, "systemd/worker.env")["WEFT_CLUSTER"]) {
		t.Error(f)
	}
	for _, bad := range []string{"[Service]\nExecstart=/x\n", "[Servce]\n", "[Unit]\nType=exec\n", "[Service]\nType=exec\nType=simple\n", "[Service]\nType\n"} {
		if _, err := unit([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// The tools that will read the files read them, where they are.
func TestTools(t *testing.T) {
	t.Parallel()
	env := append(os.Environ(), "WEFT_IMAGE=x:1.0", "POSTGRES_PASSWORD=x", "STORE_ACCESS_KEY=x", "STORE_SECRET_KEY=x")
	for _, c := range []struct{ probe, command []string }{
		{[]string{"docker", "compose", "version"}, []string{"docker", "compose", "--file", "compose/compose.yaml", "config", "--quiet"}},
		{[]string{"kubectl", "kustomize", "--help"}, []string{"kubectl", "kustomize", "kubernetes"}},
	} {
		t.Run(c.probe[0], func(t *testing.T) {
			t.Parallel()
			if err := exec.Command(c.probe[0], c.probe[1:]...).Run(); err != nil {
				t.Skipf("NOT TESTED: %s, as it is not here: %v", strings.Join(c.command, " "), err)
			}
			cmd := exec.Command(c.command[0], c.command[1:]...)
			cmd.Env = env
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %v\n%s", c.command, err, out)
			}
		})
	}
}
