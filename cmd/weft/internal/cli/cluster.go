package cli

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/weft-go/weft/cluster"
)

// clusterCmd looks at and minds a cluster.
type clusterCmd struct {
	Cancel  clusterCancel  `cmd:"" help:"Ask runs to end."`
	Gc      clusterGC      `cmd:"" help:"Delete from the store what no run needs any more."`
	Runs    clusterRuns    `cmd:"" help:"List the runs that the server knows, the youngest first."`
	Status  clusterStatus  `cmd:"" help:"Say whether server, store and workers are there, or how far a run is."`
	Workers clusterWorkers `cmd:"" help:"List the workers that asked for work within the last minute or so."`
}

//go:embed cluster.txt
var clusterHelp string

func (*clusterCmd) usage() string { return "weft cluster status|runs|cancel|workers|gc [flags]" }

func (*clusterCmd) more() string { return clusterHelp }

// clusterURL is what all of them take.
type clusterURL struct {
	URL   string `name:"url" env:"WEFT_CLUSTER" placeholder:"URL" help:"The cluster: temporal://host:7233/namespace?queue=weft&store=... Defaults to WEFT_CLUSTER."`
	Pages string `placeholder:"URL" help:"Where the server's own pages are, for links. Defaults to http://HOST:8233."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// withCluster connects, runs f until a signal comes, and prints what it returns: as JSON,
// or by text.
func withCluster[T any](s *session, u *clusterURL, f func(ctx context.Context, c *cluster.Cluster) (T, error), text func(w io.Writer, out T)) int {
	if s.rest != nil {
		return s.usage(errors.New("weft cluster runs no command; leave -- and what follows out"))
	}
	ctx, cancel := s.untilSignal()
	defer cancel()
	url := u.URL
	if url == "" {
		url = s.getenv("WEFT_CLUSTER")
	}
	if url == "" {
		return s.usage(errors.New("which cluster? Give --url temporal://host:7233/namespace?queue=weft, or set WEFT_CLUSTER"))
	}
	c, err := cluster.Dial(ctx, url, cluster.Config{Pages: u.Pages, Warnings: io.Discard})
	var out T
	if err == nil {
		out, err = f(ctx, c)
		err = errors.Join(err, c.Close())
	}
	if e, ok := errors.AsType[signalError](err); ok {
		s.screen.Say("%v", e)
		return 128 + int(e.sig)
	}
	if err != nil {
		s.screen.Say("%v", err)
		return 1
	}
	var b bytes.Buffer
	if u.JSON {
		enc := json.NewEncoder(&b)
		enc.SetIndent("", "  ")
		if err := enc.Encode(out); err != nil {
			s.screen.Say("%v", err)
			return 1
		}
	} else {
		text(&b, out)
	}
	return s.print(b.String())
}

type clusterRuns struct {
	clusterURL
	Limit int `short:"n" placeholder:"N" help:"At most so many. Defaults to all."`
}

func (r *clusterRuns) run(s *session) int {
	if r.Limit < 0 {
		return s.usage(fmt.Errorf("--limit %d: it must not be negative", r.Limit))
	}
	return withCluster(s, &r.clusterURL, func(ctx context.Context, c *cluster.Cluster) ([]cluster.RunInfo, error) {
		rs, err := c.Runs(ctx)
		if r.Limit > 0 && len(rs) > r.Limit {
			rs = rs[:r.Limit]
		}
		return rs, err
	}, func(w io.Writer, rs []cluster.RunInfo) {
		if len(rs) == 0 {
			fmt.Fprintln(w, "no runs")
			return
		}
		rows := make([][]string, len(rs))
		for i, r := range rs {
			items := "-"
			if r.Items > 0 {
				items = strconv.Itoa(r.Items)
			}
			took := time.Since(r.Began)
			if !r.Ended.IsZero() {
				took = r.Ended.Sub(r.Began)
			}
			rows[i] = []string{r.ID, r.Status, r.Func, items, r.Began.Local().Format("2006-01-02 15:04:05"), took.Round(time.Millisecond).String(), r.Page}
		}
		table(w, "RUN\tSTATUS\tFUNCTION\tITEMS\tBEGAN\tTOOK\tPAGE", rows)
	})
}

type clusterWorkers struct{ clusterURL }

func (k *clusterWorkers) run(s *session) int {
	return withCluster(s, &k.clusterURL, func(ctx context.Context, c *cluster.Cluster) ([]cluster.Worker, error) {
		return c.Workers(ctx)
	}, printWorkers)
}

func printWorkers(w io.Writer, ws []cluster.Worker) {
	if len(ws) == 0 {
		fmt.Fprintln(w, "no workers: start one with PROGRAM weft-worker, where PROGRAM calls cluster.Init() first in main")
		return
	}
	rows := make([][]string, len(ws))
	for i, k := range ws {
		rows[i] = []string{k.Name, strconv.Itoa(k.Slots), k.Build, k.Seen.Local().Format("15:04:05")}
	}
	table(w, "WORKER\tSLOTS\tBUILD\tSEEN", rows)
}

type clusterCancel struct {
	clusterURL
	Runs []string `arg:"" help:"Ids of runs, as weft cluster runs prints them."`
}

func (k *clusterCancel) run(s *session) int {
	return withCluster(s, &k.clusterURL, func(ctx context.Context, c *cluster.Cluster) ([]string, error) {
		for _, id := range k.Runs {
			r, err := c.Attach(ctx, id)
			if err == nil {
				err = r.Cancel(ctx)
			}
			if err != nil {
				return nil, err
			}
		}
		return k.Runs, nil
	}, func(w io.Writer, ids []string) {
		for _, id := range ids {
			fmt.Fprintf(w, "%s is asked to end\n", id)
		}
	})
}

type clusterGC struct {
	clusterURL
	Keep time.Duration `default:"24h" help:"Keep the results of submitted runs for so long after their end."`
}

// collected is what gc prints.
type collected struct {
	Objects int
	Runs    []string
}

func (k *clusterGC) run(s *session) int {
	if k.Keep < 0 {
		return s.usage(fmt.Errorf("--keep %v: it must not be negative", k.Keep))
	}
	return withCluster(s, &k.clusterURL, func(ctx context.Context, c *cluster.Cluster) (collected, error) {
		n, runs, err := c.Collect(ctx, k.Keep)
		return collected{n, runs}, err
	}, func(w io.Writer, out collected) {
		fmt.Fprintf(w, "deleted %d objects of %d runs\n", out.Objects, len(out.Runs))
	})
}

type clusterStatus struct {
	clusterURL
	Run string `arg:"" optional:"" help:"The id of a run."`
}

// status is what status prints.
type status struct {
	URL      string
	Workers  []cluster.Worker  `json:",omitempty"`
	Slots    int               `json:",omitempty"`
	Running  int               `json:",omitempty"`
	Run      *cluster.RunInfo  `json:",omitempty"`
	Progress *cluster.Progress `json:",omitempty"`
	Why      string            `json:",omitempty"`
}

func (k *clusterStatus) run(s *session) int {
	return withCluster(s, &k.clusterURL, func(ctx context.Context, c *cluster.Cluster) (out status, err error) {
		out.URL = c.URL()
		if k.Run != "" {
			r, err := c.Attach(ctx, k.Run)
			if err != nil {
				return out, err
			}
			info := r.Info()
			out.Run = &info
			if p, err := r.Progress(ctx); err != nil {
				out.Why = err.Error()
			} else {
				out.Progress = &p
			}
			return out, nil
		}
		if out.Workers, err = c.Workers(ctx); err != nil {
			return out, err
		}
		for _, w := range out.Workers {
			out.Slots += w.Slots
		}
		rs, err := c.Runs(ctx)
		for _, r := range rs {
			if r.Status == "running" {
				out.Running++
			}
		}
		return out, err
	}, func(w io.Writer, out status) {
		if out.Run == nil {
			fmt.Fprintf(w, "%s answers\n%d workers with %d slots, %d runs under way\n", out.URL, len(out.Workers), out.Slots, out.Running)
			if len(out.Workers) == 0 {
				printWorkers(w, nil)
			}
			return
		}
		r := out.Run
		fmt.Fprintf(w, "%s  %s  %s\nbegan %s\n%s\n", r.ID, r.Status, r.Func, r.Began.Local().Format("2006-01-02 15:04:05"), r.Page)
		if out.Progress == nil {
			fmt.Fprintf(w, "how far it is can't be told: %s\n", out.Why)
			return
		}
		p := out.Progress
		of := ""
		if p.Items > 0 {
			of = fmt.Sprintf(" of %d", p.Items)
		}
		fmt.Fprintf(w, "%d%s items done, %d of them failed; %d batches out, %d lost their worker, %d refused\n", p.Done, of, p.Failed, p.Out, p.Losses, p.Refused)
		if len(p.Workers) == 0 {
			return
		}
		var rows [][]string
		for _, name := range slices.Sorted(maps.Keys(p.Workers)) {
			d := p.Workers[name]
			rows = append(rows, []string{name, strconv.Itoa(d.Items), strconv.Itoa(d.Batches), d.Time.Round(time.Millisecond).String()})
		}
		table(w, "WORKER\tITEMS\tBATCHES\tTIME", rows)
	})
}
