package publish

import (
	"net/url"
	"time"
)

// A Publication is what the configuration says of the documents.
type Publication struct {
	Title    string
	BaseURL  string         // absolute; may have a path; without a trailing slash
	Hub      string         // address of a WebSub hub that is told of changes; "" if there is none
	Language string         // BCP 47, of the pages
	Location *time.Location `json:"-"` // of the dates on pages; nil is UTC
	Images   bool           // pages show pictures, from the outlets' servers
	Sheet    []byte         // the operator's own style sheet, after ours; nil if there is none
	Footer   string         // a line on every page, in which "[name](address)" is a link
	Outlets  []Outlet
	Sections []Section
	Withdraw []Withdrawal

	AlsoInText bool // feeds name the other outlets of a story in its text as well

	// Digest names this configuration and the program that reads it. Static files that were
	// written under another digest are looked at anew.
	Digest string
}

// An Outlet is a publication whose items may be shown. Items of outlets that are not listed never are.
type Outlet struct {
	ID, Name string
	Formerly []string // earlier ids
	URL      string   // home page; "" if there is none
	Language string   // BCP 47, of items that do not say; "" if unknown
	Rights   string   // plain text, of items that do not say
	Tags     []string
	Priority int    // whose version of a story stands for it; higher wins
	Content  string // "full", "excerpt" or "title": what may be published of its items; "" is "full"
	Feeds    []Feed

	Republish bool // what is polled with secrets may be shown as well
}

// A Feed is an address that is polled for an outlet.
type Feed struct {
	URL      string // as items and feed states name it
	Shown    string // as documents name it, without secrets; "" means URL
	Tags     []string
	Private  bool          // polled with secrets and not to be republished
	Interval time.Duration // between two polls by its schedule; 0 if it is not known
}

// A Section is a feed that is published. The zero value of a bound means that there is none.
type Section struct {
	Slug, Title, Description string
	From                     []string // outlet ids, "tag:x", feed addresses; none is every outlet
	Include, Exclude         []string // words, phrases, "/expressions/"
	Languages                []string // BCP 47 ranges; none is all
	Where                    string   // an expression over the item; "" is true
	LanguagesUnknown         string   // "keep" or "drop"; "" is "keep"
	Stories                  string   // "merge", "link" or "keep"; "" is "merge"
	MinOutlets               int      // how many outlets must carry a story; 0 is 1
	MaxPerOutlet             int
	MaxAge                   time.Duration // from the section's newest arrival back to an item's date
	Limit                    int
	Content                  string   // at most this; "" is what the outlets permit
	Formerly                 []string // earlier slugs
	Key                      string   // its addresses need it; "" is a public section
	Itunes                   Itunes   // of a section that is a podcast
}

// query is what follows the addresses of a section: the key of a private one.
func (s *Section) query() string {
	if s.Key == "" {
		return ""
	}
	return "?key=" + url.QueryEscape(s.Key)
}

// A Problem is something wrong in a Section.
type Problem struct {
	Key  string // as in "where", "include[0]"
	Text string // what is wrong, and what would be right
}

// CheckSection says what is wrong with the words and expressions of s, all of it.
func CheckSection(s Section) []Problem {
	_, problems := newFilter(s, nil)
	return problems
}
