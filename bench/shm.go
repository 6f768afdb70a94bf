package main

const (
	sharedArrayDoc   = "a large array handed to two processes, beside shared_memory and joblib"
	sharedArrayTitle = "Shared memory: 256 MB to two processes"
)

// Hand is what one contender took: seconds, and bytes of memory in all
// processes beyond what they had before, what they share counted once (PSS).
type Hand struct {
	// The array is in shared memory from the start.
	Shared       float64 `json:"shared"` // until both workers have read its ends
	SharedEach   float64 `json:"shared_each,omitempty"`
	SharedRead   float64 `json:"shared_read"` // until both have added it up
	SharedMemory int64   `json:"shared_memory"`
	// The array is in ordinary memory, so it has to be copied first.
	Plain       float64 `json:"plain"`
	PlainRead   float64 `json:"plain_read"`
	PlainMemory int64   `json:"plain_memory"`

	// Of Weft only.
	Make  float64   `json:"make,omitempty"`  // of the memory of the array
	Lock  float64   `json:"lock,omitempty"`  // Lock and Unlock, nobody else there
	Death []float64 `json:"death,omitempty"` // from kill -9 of a mutex's holder until the one who waits has it
}
