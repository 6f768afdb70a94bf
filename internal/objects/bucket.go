package objects

import (
	"context"
	"errors"
	"fmt"
	"io"

	"gocloud.dev/blob"
)

// bucket is what a store needs of gocloud.dev/blob; tests put faults before
// it.
type bucket interface {
	write(ctx context.Context, path string, b []byte) error
	read(ctx context.Context, path string, size int64) ([]byte, error)
	size(ctx context.Context, path string) (int64, error)
	remove(ctx context.Context, path string) error
	// list calls f for objects whose path begins with prefix, which ends in a
	// slash. With folders it calls f for what is directly below only, and
	// names of folders end in a slash.
	list(ctx context.Context, prefix string, folders bool, f func(Object) error) error
	// reach asks whether the bucket answers.
	reach(ctx context.Context) error
	close() error
}

// cloud is a bucket of gocloud.dev/blob.
type cloud struct{ *blob.Bucket }

func (c cloud) write(ctx context.Context, path string, b []byte) error {
	return c.WriteAll(ctx, path, b, &blob.WriterOptions{ContentType: "application/octet-stream"})
}

func (c cloud) read(ctx context.Context, path string, size int64) ([]byte, error) {
	r, err := c.NewReader(ctx, path, nil)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	// A wrong size is found before memory is taken for it.
	if r.Size() != size {
		return nil, fmt.Errorf("%w: it has %d bytes, want %d", ErrContent, r.Size(), size)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("after part of %d bytes: %w", size, err)
	}
	return b, nil
}

func (c cloud) size(ctx context.Context, path string) (int64, error) {
	a, err := c.Attributes(ctx, path)
	if err != nil {
		return 0, err
	}
	return a.Size, nil
}

func (c cloud) remove(ctx context.Context, path string) error { return c.Delete(ctx, path) }

func (c cloud) list(ctx context.Context, prefix string, folders bool, f func(Object) error) error {
	o := &blob.ListOptions{Prefix: prefix}
	if folders {
		o.Delimiter = "/"
	}
	all := c.List(o)
	for {
		e, err := all.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = f(Object{Path: e.Key, Size: e.Size, Modified: e.ModTime})
		}
		if err != nil {
			return err
		}
	}
}

func (c cloud) close() error { return c.Close() }

func (c cloud) reach(ctx context.Context) error {
	ok, err := c.IsAccessible(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("it does not answer as it should; check the URL, the credentials in the environment and that it runs: %w", err)
	case !ok:
		return errNoBucket
	}
	return nil
}
