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
