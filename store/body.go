package store

import "time"

// A Body is what only rendering needs of an item. Summary, Content and the subtitles of Feed and Origin are sanitised
// HTML with absolute addresses; all else is plain text, decoded once, and addresses.
type Body struct {
	Item     ItemID
	Summary  string
	Content  string
	Comments string // address of a page of comments
	Rights   string
	License  string    // address of the licence that it, or its feed, is under
	Pictures []Picture // that stand beside the text; Item.Image is one of them, unless it is an enclosure

	Secret    bool      // it came by a feed that was polled with a secret, whatever is known of that feed now
	Published time.Time // as the outlet claims, zero if it does not
	Updated   time.Time

	Podcast Podcast // of an episode
	Feed    Origin  // what the feed said of itself when the item came (RFC 4287 §4.2.11)
	Origin  Origin  // where the outlet says that it has the item from: atom:source, RSS source
}

// An Author is a person or body that wrote an item (RFC 4287 §3.2).
type Author struct{ Name, Email, URL string }

// A Category is an item's own tag (RFC 4287 §4.2.2).
type Category struct{ Term, Scheme, Label string }

// An Enclosure is a file that belongs to an item: RSS's and Atom's, and what sounds or moves of Media RSS.
type Enclosure struct {
	URL, Type string
	Length    int64 // bytes; 0 if it is not known
	Title     string
	Duration  time.Duration // 0 if it is not known
}

// A Picture belongs to an item as a whole.
type Picture struct {
	URL             string
	Width, Height   int // pixels; 0 if they are not known
	Caption, Credit string
}

// An Origin is what a feed says of itself. The zero Origin is of a feed that says nothing.
type Origin struct {
	ID       string
	Title    string
	Subtitle string
	Link     string // of the page that the feed belongs to
	Feed     string // its address; of an item's own feed, which Item.Feeds names, it is not set
	Image    string // its logo or icon
	Rights   string
	Updated  time.Time // when it changed last
	Issued   time.Time // when its content was published, if it says so besides
	Authors  []Author

	Categories []Category
}

// Empty reports whether o says nothing.
func (o *Origin) Empty() bool {
	return o.ID+o.Title+o.Subtitle+o.Link+o.Feed+o.Image+o.Rights == "" && o.Updated.IsZero() && o.Issued.IsZero() && len(o.Authors) == 0 && len(o.Categories) == 0
}

// A Podcast is what the vocabularies of iTunes and of Podcasting 2.0 say of an episode. The zero Podcast is of an item
// that is none.
type Podcast struct {
	Title       string // without the number that the item's title may carry
	Type        string // "full", "trailer", "bonus"; "" if it is not said
	Season      int    // from 1; 0 if it is not said
	SeasonName  string
	Episode     string // a decimal number, as "3" or "3.5"
	EpisodeName string // what to show for the number
	Explicit    string // "true" or "false"; "" if it is not said
	Duration    time.Duration
	Image       string
	Blocked     bool // not to be listed by directories of podcasts (itunes:block)
	Chapters    PodcastFile
	Transcripts []PodcastFile
	Persons     []PodcastPerson
}

// Empty reports whether p says nothing.
func (p *Podcast) Empty() bool {
	return p.Title+p.Type+p.SeasonName+p.Episode+p.EpisodeName+p.Explicit+p.Image == "" && p.Season == 0 && p.Duration == 0 &&
		!p.Blocked && p.Chapters == PodcastFile{} && len(p.Transcripts) == 0 && len(p.Persons) == 0
}

// A PodcastFile is a transcript or a list of chapters.
type PodcastFile struct{ URL, Type, Language, Rel string }

// A PodcastPerson appears in an episode.
type PodcastPerson struct{ Name, Role, Group, Image, URL string }
