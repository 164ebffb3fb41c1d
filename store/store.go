// Package store is the vocabulary of Broadsheet and the contract of its keepers.
//
// What comes in: a Poll, one visit to one feed, with the items that its document held (Arrivals) and
// the state that the feed shall have afterwards. What goes out: Items newest first, their Bodies, and
// the Stories that tie them. Start with Store.
//
// What follows from a poll is decided here, by pure functions, so that every keeper decides alike: who an item
// is (identity.go, recognise.go), what documents show of a feed's habits (habit.go), what is remembered of its visits
// (history.go), what changes (settle.go), which items carry one story (story.go; print.go, index.go, score.go), and what
// another name of an outlet or feed means (rename.go). A keeper looks up what Wanted asks for, lets Settle decide, and
// applies the result, all inside one transaction. How pollers share a store's feeds is in claim.go.
package store

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// ErrHeld says that another process holds the store.
var ErrHeld = errors.New("the store is held by another process")

// ErrAway says that the store cannot be reached for the time being (a database that is restarted, a connection that was
// cut). Whether a change that failed so was made is not known; all of them may be repeated until they succeed: a poll
// that is saved twice brings nothing twice.
var ErrAway = errors.New("the store cannot be reached")

// A Revision counts the commits that a published document could show. It only grows; two readers of
// one store that have seen the same revision have seen the same items.
type Revision uint64

// A Store keeps feed states, items, bodies and stories. All methods may be called concurrently.
// No method holds a transaction open while its caller runs, so that a slow consumer of an iterator
// neither blocks a writer nor lets the file grow. Times are kept in UTC to the microsecond. Strings
// come back byte for byte; they must be valid UTF-8 without U+0000.
type Store interface {
	// ID is a random UUID (RFC 9562 §5.4) that the store gets when it is made, and Created the time
	// of that. Backups and copies keep both; the ids of the section feeds hang on them.
	ID() string
	Created() time.Time

	// Now is the time by the keeper's own clock (a database's, where several machines share one), in UTC and to the microsecond.
	// The times of polls, and so all of items and feed states, are by this clock. It may leap when a clock is set.
	Now() time.Time

	// Claim grants hosts to a poller for a while. Each Want is answered by the Grant of the same place; all times are by
	// the keeper's own clock (a database's, where several machines share one).
	//
	// A host that c.Owner has and has not given back is granted again, even after its lease has ended, as long as
	// nobody else took it: its lease begins anew. Any other host is granted if it is free, because it was never
	// granted, was given back, or its lease has ended, and if Want.Visit is set or one of Want.Feeds at least stands in the store in
	// the version seen: where others have polled them all, the poller is only told the states. The epoch is 1 at first
	// and grows by one when a host goes to another owner than it had last.
	//
	// Grant.Wait is what is left of the pause after the last owner's requests: of Release.Pause, else, where a lease ended by
	// itself, of Want.Gap counted from that end. It is 0, or what is left of the same, for a host that was the poller's own already. A host of which
	// nothing was granted keeps its owner and its times as they were.
	//
	// Grants need not be durable where the keeper itself proves at Open that no poller is left (a file that one
	// process at a time can hold): there every host is free then, and epochs begin anew.
	Claim(ctx context.Context, c Claim) ([]Grant, error)

	// SavePolls saves polls, in their order, each whole or not at all, and durably, before it
	// returns: validators, items, stories and due times of one poll never part. It returns what
	// became of each poll. After an error each of them is stored whole or not at all, and may be saved again: what is
	// known already is not new.
	//
	// A poll of a host that has gone to another poller (its epoch is not the host's any more) is fenced: nothing
	// of it is stored, and the others are. Whoever is granted the host sees what was saved before, and nothing is
	// saved under the former epoch afterwards. The end of a lease alone fences nothing.
	SavePolls(ctx context.Context, polls ...Poll) ([]Saved, error)

	// Rewrite puts bodies in the place of stored ones, all or nothing, and durably, before it returns: each where the
	// body that it was made of still stands. Their items count as changed at the given time, and nothing else of
	// them changes. It returns how many they were.
	Rewrite(ctx context.Context, at time.Time, rewrites ...Rewrite) (int, error)

	// Recollection returns what the last poll of a feed that gave one has as its Recollection; nil if there is none. A rename
	// forgets those of the feeds that it concerns, a copy has none: nothing depends on it.
	Recollection(ctx context.Context, feed FeedName) ([]byte, error)

	// Feeds yields the state of every feed that was ever saved, ordered by outlet and address.
	Feeds(ctx context.Context) iter.Seq2[FeedState, error]

	// Revision is the revision of the last commit that a document could show; 0 for a new store.
	Revision(ctx context.Context) (Revision, error)

	// Items yields the items that q asks for, in its order. It sees a consistent prefix: an item that
	// is saved meanwhile may or may not be yielded, but none is yielded twice.
	Items(ctx context.Context, q Query) iter.Seq2[Item, error]

	// Bodies yields the bodies of the items with these ids, in this order; ids without an item are
	// passed over.
	Bodies(ctx context.Context, ids ...ItemID) iter.Seq2[Body, error]

	// Months says in which months the stored items arrived, and how far they have been pruned.
	Months(ctx context.Context) (Months, error)

	// Stories yields the stories with these ids, in this order; ids without a story are passed over.
	Stories(ctx context.Context, ids ...StoryID) iter.Seq2[Story, error]

	// Find yields the items that Item.Named calls by this name, in the order of their arrival. It may look at every item.
	Find(ctx context.Context, name string) iter.Seq2[Item, error]

	// Changes yields what happened to the items with these ids since they arrived, in this order, of each item the
	// oldest first. Each edit beyond the last MaxEdits is forgotten, and with its item all is.
	Changes(ctx context.Context, ids ...ItemID) iter.Seq2[Change, error]

	// Rename gives outlets and feeds other names, in this order, all or nothing, and durably, before it returns. States
	// and items go along as they are (see FeedState.renamed for what an address alone stood for); ids, dates and
	// stories stay, and what identified an item before identifies it afterwards, whether it is stored or pruned. What
	// is polled under an old name from then on is another feed. Where the store has the new name already, both
	// become one feed. Rename returns the renames that it did: one whose old name has no state is passed over, so that renames can be repeated.
	Rename(ctx context.Context, renames ...Rename) ([]Rename, error)

	// Prune deletes at most n items that arrived before the given time, oldest first, and says how
	// many. What identified them is remembered for TombstoneAge after an outlet last listed them, so
	// that a document that still holds them brings nothing back.
	Prune(ctx context.Context, before time.Time, n int) (int, error)

	Close() error
}

// Notes keeps what the parts above the store want to remember across restarts: small values under a
// kind and a key. A note that was never set is nil; setting one to nil removes it. Kinds are without U+0000.
type Notes interface {
	Note(ctx context.Context, kind, key string) ([]byte, error)
	SetNote(ctx context.Context, kind, key string, value []byte) error

	// Notes yields all notes of a kind, ordered by key.
	Notes(ctx context.Context, kind string) iter.Seq2[Note, error]

	// SwapNotes sets those of the notes that stand as their swaps say, durably, before it returns, and reports which
	// they were. It is how processes that share a store agree who does a thing.
	SwapNotes(ctx context.Context, kind string, swaps ...Swap) ([]bool, error)
}

// A Note is a value under its key.
type Note struct {
	Key   string
	Value []byte
}

// A Swap puts one value of a note in the place of another; nil is none.
type Swap struct {
	Key      string
	Old, New []byte
}

// A Sizer tells how many bytes it takes where it is kept, indexes and room that is free again included.
type Sizer interface {
	Size(ctx context.Context) (int64, error)
}

// A Backuper writes a consistent copy of itself, also while it is in use.
type Backuper interface {
	Backup(ctx context.Context, w io.Writer) error
}

// A Query chooses items. The zero Query is every item, newest date first, and of one date the one
// that arrived last first.
type Query struct {
	IDs       []ItemID // only these, in this order, all else is ignored; nil is all
	Outlets   []string // only items of these outlets; nil is all
	Since     Revision // only items that changed after this revision, in the order of their changes; 0 is all
	ByArrival bool     // newest arrival first

	// With ByArrival: only items that arrived at From or later, and before Until; zero is no bound.
	From, Until time.Time
}

// Arrived reports whether an item that arrived at t is within the bounds of the query.
func (q *Query) Arrived(t time.Time) bool {
	return !t.Before(q.From) && (q.Until.IsZero() || t.Before(q.Until))
}

// Months are the months of UTC in which items arrived. A month stands for its first moment.
type Months struct {
	Stored []time.Time // those of the stored items, oldest first
	Pruned time.Time   // when that one of all pruned items arrived that arrived last; zero if none was ever pruned
}

// Month is the month of UTC in which t lies.
func Month(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// A Poll is one visit to one feed, as fetch hands it to the store. Its State is made of the state that the poller knew:
// Saves says which version that was. Where it still stands, a keeper may take what is its own to set from there, in place
// of looking it up.
type Poll struct {
	At       time.Time // when the answer was there; new items arrive at this time
	State    FeedState // as it shall stand; Saves and what follows it are the store's to set, and LastNewItem
	Arrivals []Arrival // in the document's order, first to last; nil if there was no new document

	// Whole returns Arrivals with none of them recalled. Settle calls it where it needs more of one than was recalled, which
	// is seldom; it must not block. It may be nil where none is.
	Whole func() []Arrival

	// Recollection is what shall be known of the document when the next one comes. A keeper knows nothing of what is in it, and
	// keeps it with the poll; nil leaves what there is.
	Recollection []byte

	Owner string // whose outlet it is: no text ties the items of one owner; "" is the outlet itself

	Bytes int64         // that came over the wire as bodies
	Took  time.Duration // from the request to what is in the fields above

	Host  string // that was claimed for it; "" if none was: then nothing can fence it
	Epoch uint64 // with which the host was granted

	// Pushed says that nobody visited the feed: its hub sent a document, or something is to be noted of the hub. Of State only
	// the feed's name and Push count; all else of the feed's state stays as it is stored, whoever polls it meanwhile. The
	// document may hold a part of the feed, so nothing is made of what it lacks.
	Pushed bool
}

// A Rewrite is a body and what shall stand in its place.
type Rewrite struct{ Old, New Body }

// Saved says what became of a poll.
type Saved struct {
	State   FeedState // as it stands now
	New     int       // items that were not known
	Changed int       // known items that changed
	Fenced  bool      // its host has gone to another poller: nothing of it is stored, and nothing else is said here
}
