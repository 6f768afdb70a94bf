package memo

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/weft-go/weft/memo/internal/key"
	"github.com/weft-go/weft/memo/internal/store"
	"github.com/weft-go/weft/memo/internal/value"
)

// Ref stands for a result that is loaded when it is wanted. It is a few words
// long however large the result, and may be copied and used concurrently.
type Ref[R any] struct {
	key   key.Key
	cache *Cache
	value *R // where there is no entry
}

// Load returns the result. It is [ErrGone] if the entry was removed since.
func (r Ref[R]) Load() (R, error) {
	var out R
	if r.value != nil {
		return *r.value, nil
	}
	if r.cache == nil {
		return out, errors.New("memo: load: the Ref is empty; make one with Ref of a wrapped function")
	}
	err := r.cache.store.Get(r.key, func(e *store.Entry) error {
		if err := value.Read(e.Payload, reflect.ValueOf(&out).Elem(), e.Mapped); err != nil {
			return err
		}
		r.cache.store.Touch(e)
		return nil
	})
	switch {
	case err == nil:
		return out, nil
	case errors.Is(err, store.ErrMissing):
		return *new(R), fmt.Errorf("memo: load %v: %w", r, ErrGone)
	}
	return *new(R), fmt.Errorf("memo: load %v: %w", r, err)
}

// String is the key of the entry; "(not stored)" where there is none.
func (r Ref[R]) String() string {
	if r.cache == nil {
		return "(not stored)"
	}
	return r.key.String()
}
