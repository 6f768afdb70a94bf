package objects

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
)

// sealer turns values into what is stored, and back. Without a key that is
// the value itself.
type sealer struct {
	gcm  cipher.AEAD // nil: not sealed
	name []byte      // the key of names
}

// newSealer takes a key of 16, 24 or 32 bytes, or none.
func newSealer(key []byte) (*sealer, error) {
	if len(key) == 0 {
		return &sealer{}, nil
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("objects: Key has %d bytes, want 16, 24 or 32 for AES", len(key))
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	// Names are hashed with a key of their own: else whoever sees a name
	// could tell whether a value that he guesses is behind it.
	h := hmac.New(sha256.New, key)
	h.Write([]byte("weft object names"))
	return &sealer{gcm: gcm, name: h.Sum(nil)}, nil
}

// hash is the content's name, of the value before it is sealed.
func (s *sealer) hash(p []byte) string {
	var h hash.Hash
	if s.gcm == nil {
		h = sha256.New()
	} else {
		h = hmac.New(sha256.New, s.name)
	}
	h.Write(p)
	return hex.EncodeToString(h.Sum(nil))
}

// size is that of a stored value of n bytes.
func (s *sealer) size(n int64) int64 {
	if s.gcm == nil {
		return n
	}
	return n + int64(s.gcm.Overhead())
}

// seal returns what is stored for a value called name. It may be p itself.
func (s *sealer) seal(name string, p []byte) []byte {
	if s.gcm == nil {
		return p
	}
	return s.gcm.Seal(make([]byte, 0, len(p)+s.gcm.Overhead()), nil, p, []byte(name))
}

// open returns the value that was stored as b under name, and checks it. It
// uses b.
func (s *sealer) open(name string, b []byte) ([]byte, error) {
	if s.gcm != nil {
		p, err := s.gcm.Open(b[:0], nil, b, []byte(name))
		if err != nil {
			return nil, fmt.Errorf("%w: it is not sealed with this key", ErrContent)
		}
		b = p
	}
	if s.hash(b) != name {
		return nil, fmt.Errorf("%w: its hash is another; it was changed, or sealed with a key that this store was opened without", ErrContent)
	}
	return b, nil
}
