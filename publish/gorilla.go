package publish

import "github.com/gorilla/feeds"

// The formats' structs are gorilla/feeds'. Where it loses something or spells it wrong (one link in a
// feed and none to itself, one category, a text for a source, an author where RSS wants an address, no
// items where there are none, "size" for "size_in_bytes"), rss.go, atom.go and json.go embed its struct
// and put a field of their own in the place of the one that does not do.
type (
	rssChannelBase = feeds.RssFeed
	rssItemBase    = feeds.RssItem
	rssEnclosure   = feeds.RssEnclosure
	rssGUID        = feeds.RssGuid
	rssContent     = feeds.RssContent

	atomFeedBase  = feeds.AtomFeed
	atomEntryBase = feeds.AtomEntry
	atomContent   = feeds.AtomContent
	atomSummary   = feeds.AtomSummary

	jsonFeedBase = feeds.JSONFeed
	jsonItemBase = feeds.JSONItem
	jsonAuthor   = feeds.JSONAuthor
	jsonHub      = feeds.JSONHub
)
