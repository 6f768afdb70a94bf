// Package objects keeps values by reference in an object store: a directory,
// S3, Google Cloud Storage, Azure, or memory for tests (gocloud.dev/blob).
//
// [Store.Put] names a value by its content and returns a [Ref], which is small
// enough for a message; [Store.Get] gives the value back and checks length and
// content, so that whoever can write to the store can destroy values but not
// change them, as long as the refs themselves are right. The same value put
// twice below one prefix is one object.
//
// A worker keeps what it read and wrote in a bounded cache on its own disk,
// which all processes of its user share. With a key everything is sealed by
// AES-GCM, in the store and in the cache, and names do not tell which content
// they stand for.
//
// Stores fail and are slow: each operation is tried again for a while, with
// growing pauses. What is left of a run is deleted by [Store.DeletePrefix].
// The package knows nothing of runs, Temporal or Weft.
package objects
