package config

import (
	"fmt"
	"slices"
	"strings"
)

// formerly checks the former names of outlets and feeds. ids has the path of each outlet by its id. What is polled under
// a name cannot be the past of something else, or it would be taken for it at every start.
func (c checker) formerly(ids map[string]string) {
	outlets := map[string]string{} // the path, by former id
	for i, o := range c.cfg.Outlets {
		for j, id := range o.Formerly {
			at := fmt.Sprintf("outlet[%d].formerly[%d]", i, j)
			switch {
			case !outletID.MatchString(id):
				c.problem(at, "%s is no id; write the id that this outlet had", quote(id))
			case id == o.ID:
				c.problem(at, "%s is the outlet's id now; write the id that it had, or remove it", quote(id))
			case ids[id] != "":
				c.problem(at, "%s is the id of another outlet, on %s; remove it here, or that outlet", quote(id), c.seenFrom(at, ids[id]))
			case outlets[id] != "":
				c.problem(at, "%s is a former id already, on %s; remove one of the two", quote(id), c.seenFrom(at, outlets[id]))
			default:
				outlets[id] = at
			}
		}
		feeds := map[string]string{} // the path, by former address
		for j, f := range o.Feeds {
			for k, address := range f.Formerly {
				at := fmt.Sprintf("outlet[%d].feed[%d].formerly[%d]", i, j, k)
				n := slices.IndexFunc(o.Feeds, func(f Feed) bool { return f.Shown == address })
				fault := ""
				if !strings.Contains(address, "${") {
					fault = addressFault(address, address)
				}
				switch {
				case fault != "":
					c.problem(at, "%s", fault)
				case n == j:
					c.problem(at, "is the feed's address now; write the address that it had, or remove it")
				case n >= 0:
					url := fmt.Sprintf("outlet[%d].feed[%d].url", i, n)
					c.problem(at, "is the address of another feed of this outlet, on %s; remove it here, or that feed", c.seenFrom(at, url))
				case feeds[address] != "":
					c.problem(at, "is a former address already, on %s; remove one of the two", c.seenFrom(at, feeds[address]))
				default:
					feeds[address] = at
				}
			}
		}
	}
}

// formerSlugs checks the former slugs of sections. slugs has the path of each section by its slug.
func (c checker) formerSlugs(slugs map[string]string) {
	former := map[string]string{} // the path, by former slug
	for i, s := range c.cfg.Sections {
		for j, slug := range s.Formerly {
			at := fmt.Sprintf("section[%d].formerly[%d]", i, j)
			switch {
			case !sectionSlug.MatchString(slug) || slices.Contains(reserved, slug):
				c.problem(at, "%s was never a slug; write the slug that this section had", quote(slug))
			case slug == s.Slug:
				c.problem(at, "%s is the section's slug now; write the slug that it had, or remove it", quote(slug))
			case slugs[slug] != "":
				c.problem(at, "%s is the slug of another section, on %s; remove it here, or that section", quote(slug), c.seenFrom(at, slugs[slug]))
			case former[slug] != "":
				c.problem(at, "%s is a former slug already, on %s; remove one of the two", quote(slug), c.seenFrom(at, former[slug]))
			default:
				former[slug] = at
			}
		}
	}
}
