package fetch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// trimJSON prepares a JSON document for encoding/json, and is the guard before it: no more than maxDepth
// levels, no more than maxItems items. Where the document is cut off or broken, the items that are whole and
// JSON are kept. What was lost is returned as damaged.
func trimJSON(src []byte) (trimmed []byte, damaged, err error) {
	s := jsonScan{src: src}
	if err := s.scan(); err != nil {
		return nil, nil, err
	}
	switch {
	case len(s.items) > maxItems:
		s.items = s.items[:maxItems]
		damaged = fmt.Errorf("the document has more than %d items, the rest is not read", maxItems)
	case s.end > 0 && json.Valid(src[:s.end]):
		return src[:s.end], nil, nil
	case s.end > 0:
		damaged = errors.New("the JSON is broken, its items that are whole are kept")
	default:
		damaged = errors.New("the document is cut off after its last complete item")
	}
	var whole [][]byte
	for _, item := range s.items {
		if item := src[item.from:item.to]; json.Valid(item) {
			whole = append(whole, item)
		}
	}
	if s.list == 0 || len(whole) == 0 && s.end == 0 {
		return nil, nil, errors.New("the JSON is cut off or broken before its first item")
	}
	items := append(bytes.Join(whole, []byte(",")), ']')
	if s.listEnd > 0 {
		if trimmed = slices.Concat(src[:s.list], items, src[s.listEnd:max(s.end, s.listEnd)]); json.Valid(trimmed) {
			return trimmed, damaged, nil
		}
	}
	if trimmed = slices.Concat(src[:s.list], items, []byte("}")); json.Valid(trimmed) {
		return trimmed, damaged, nil
	}
	return slices.Concat([]byte(`{"items":[`), items, []byte("}")), damaged, nil
}

// jsonScan finds the parts of a JSON Feed by its brackets and strings.
type jsonScan struct {
	src           []byte
	items         []span // objects of the list of items
	list, listEnd int    // where that list begins, behind its bracket, and ends; 0 if it does not
	end           int    // where the document ends; 0 if it does not
}

func (s *jsonScan) scan() error {
	var open []byte // brackets to come
	var key []byte  // the string that was read last
	item := 0
	for i := 0; i < len(s.src); i++ {
		switch c := s.src[i]; c {
		case '"':
			end := stringEnd(s.src, i)
			if end < 0 {
				return nil
			}
			if len(open) == 1 {
				key = s.src[i+1 : end]
			}
			i = end
		case '{', '[':
			if len(open) >= maxDepth {
				return fmt.Errorf("the JSON nests more than %d levels: that is no feed", maxDepth)
			}
			open = append(open, c+2) // "}" and "]" stand two behind
			switch {
			case len(open) == 2 && c == '[' && s.list == 0 && string(key) == "items":
				s.list = i + 1
			case len(open) == 3 && s.list > 0 && s.listEnd == 0:
				item = i
			}
		case '}', ']':
			if len(open) == 0 || open[len(open)-1] != c {
				return nil // nothing behind this can be trusted
			}
			open = open[:len(open)-1]
			switch {
			case len(open) == 2 && s.list > 0 && s.listEnd == 0:
				if s.items = append(s.items, span{item, i + 1}); len(s.items) > maxItems {
					return nil
				}
			case len(open) == 1 && s.list > 0 && s.listEnd == 0:
				s.listEnd = i + 1
			case len(open) == 0:
				s.end = i + 1
				return nil
			}
		}
	}
	return nil
}

// stringEnd is where the string ends that begins at i; -1 if it does not.
func stringEnd(src []byte, i int) int {
	for j := i + 1; j < len(src); j++ {
		n := bytes.IndexByte(src[j:], '"')
		if n < 0 {
			return -1
		}
		j += n
		back := 0
		for src[j-1-back] == '\\' {
			back++
		}
		if back%2 == 0 {
			return j
		}
	}
	return -1
}

// jsonMembers are the members of a JSON Feed and its items, by the type that they must have.
var jsonMembers = map[string]string{
	"version": "string", "title": "string", "home_page_url": "string", "feed_url": "string", "description": "string",
	"language": "string", "icon": "string", "favicon": "string", "url": "string", "external_url": "string", "content_html": "string",
	"content_text": "string", "summary": "string", "image": "string", "banner_image": "string", "date_published": "string",
	"date_modified": "string", "name": "string", "mime_type": "string", "author": "object", "items": "objects",
	"authors": "objects", "attachments": "objects", "tags": "strings", "id": "", "size_in_bytes": "", "duration_in_seconds": "",
}

// coerceJSON rewrites a JSON Feed with those members only that have the type that they must have.
func coerceJSON(src []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(src))
	d.UseNumber()
	var feed map[string]any
	if err := d.Decode(&feed); err != nil {
		return nil, err
	}
	coerceMembers(feed)
	return json.Marshal(feed)
}

func coerceMembers(object map[string]any) {
	for name, value := range object {
		var keep bool
		switch must, known := jsonMembers[name]; {
		case must == "string":
			if n, ok := value.(json.Number); ok {
				object[name] = n.String()
				continue
			}
			_, keep = value.(string)
		case must == "object":
			var member map[string]any
			if member, keep = value.(map[string]any); keep {
				coerceMembers(member)
			}
		case must == "objects":
			var list []any
			list, keep = value.([]any)
			object[name] = slices.DeleteFunc(list, func(v any) bool {
				member, ok := v.(map[string]any)
				coerceMembers(member)
				return !ok
			})
		case must == "strings":
			var list []any
			list, keep = value.([]any)
			object[name] = slices.DeleteFunc(list, func(v any) bool { _, ok := v.(string); return !ok })
		default:
			keep = known
		}
		if !keep {
			delete(object, name)
		}
	}
}
