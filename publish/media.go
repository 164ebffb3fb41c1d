package publish

import (
	"broadsheet/store"
)

// Media RSS (https://www.rssboard.org/media-rss) carries what stands beside an item's text: in RSS files and pictures, in Atom,
// which has links for files, pictures alone.
type (
	mediaContent struct {
		URL      string    `xml:"url,attr"`
		Type     string    `xml:"type,attr,omitempty"`
		Length   int64     `xml:"fileSize,attr,omitempty"`
		Medium   string    `xml:"medium,attr,omitempty"`
		Duration int       `xml:"duration,attr,omitempty"` // seconds
		Width    int       `xml:"width,attr,omitempty"`
		Height   int       `xml:"height,attr,omitempty"`
		Title    *charData `xml:"media:title"` // also what stands below a picture: feedparser takes a media:description for the item's text
		Credit   *charData `xml:"media:credit"`
	}
)

func mediaFile(f *store.Enclosure) mediaContent {
	return mediaContent{URL: f.URL, Type: f.Type, Length: f.Length, Medium: medium(f.Type), Duration: seconds(f.Duration), Title: optional(f.Title)}
}

// mediaPictures are the pictures of an item that are not among its files.
func mediaPictures(e *listed) (all []mediaContent) {
	for _, p := range e.Pictures {
		if named(p.URL) != "" {
			all = append(all, mediaContent{URL: p.URL, Medium: "image", Width: p.Width, Height: p.Height, Title: optional(p.Caption), Credit: optional(p.Credit)})
		}
	}
	return all
}

// cleanPictures are the pictures of an item, its own first, but for those that are files of it.
func cleanPictures(own string, all []store.Picture, files []store.Enclosure) (out []store.Picture) {
	known := map[string]bool{"": true}
	for _, f := range files {
		known[f.URL] = true
	}
	add := func(p store.Picture) {
		if p.URL = Address(p.URL); known[p.URL] {
			return
		}
		known[p.URL] = true
		p.Width, p.Height, p.Caption, p.Credit = max(p.Width, 0), max(p.Height, 0), plainLine(p.Caption), plainLine(p.Credit)
		out = append(out, p)
	}
	for _, p := range all {
		if Address(p.URL) == own {
			add(p)
		}
	}
	add(store.Picture{URL: own})
	for _, p := range all {
		add(p)
	}
	return out
}
