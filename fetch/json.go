package fetch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// trimJSON prepares a JSON document for encoding/json, and is the guard before it: not more than maxDepth
// levels, not more than maxItems items. Where the document is cut off, so is its last item. What was lost is
// returned as damaged.
func trimJSON(src []byte) (trimmed []byte, damaged, err error) {
	var open []byte // brackets to close
	items := false  // inside of the array of items
	count, whole, cutAt := 0, -1, -1
	var key []byte // the string that was read last
	for i := 0; i < len(src); i++ {
		switch c := src[i]; c {
		case '"':
			end := stringEnd(src, i)
			if end < 0 {
				i = len(src)
				break
			}
			if len(open) == 1 {
				key = src[i+1 : end]
			}
			i = end
		case '{', '[':
			if len(open) >= maxDepth {
				return nil, nil, fmt.Errorf("the JSON nests more than %d levels: that is no feed", maxDepth)
			}
			open = append(open, c+2) // "}" and "]" stand two behind
			if len(open) == 2 && c == '[' && string(key) == "items" {
				items, whole = true, i+1
			}
			key = nil
		case '}', ']':
			if len(open) == 0 || open[len(open)-1] != c {
				return nil, nil, fmt.Errorf("the JSON is broken at byte %d: %q closes nothing", i, c)
			}
			open = open[:len(open)-1]
			switch {
			case len(open) == 0:
				if cutAt < 0 {
					return src[:i+1], nil, nil
				}
				return slices.Concat(src[:cutAt], src[whole:i+1]), fmt.Errorf("the document has more than %d items, the rest is not read", maxItems), nil
			case len(open) == 2 && items:
				if count++; count == maxItems && bytes.HasPrefix(bytes.TrimLeft(src[i+1:], " \t\r\n"), []byte(",")) {
					cutAt = i + 1
				}
				whole = i + 1
			case len(open) == 1 && items:
				items, whole = false, i
			}
		}
	}
	if !items {
		return nil, nil, errors.New("the JSON is cut off before its first item")
	}
	if cutAt < 0 {
		cutAt = whole
	}
	return append(slices.Clone(src[:cutAt]), "]}"...), errors.New("the document is cut off after its last complete item"), nil
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
	"language": "string", "url": "string", "external_url": "string", "content_html": "string",
	"content_text": "string", "summary": "string", "image": "string", "banner_image": "string", "date_published": "string",
	"date_modified": "string", "name": "string", "mime_type": "string", "author": "object", "items": "objects",
	"authors": "objects", "attachments": "objects", "tags": "strings", "id": "", "size_in_bytes": "",
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
