package store

import "slices"

// What an owner says under many of its titles is a form: "Read the full story at …", "The post … appeared first on …", what a
// channel says of itself. It tells nothing of an item, however rare its words are with others.

const (
	formItems = 32 // of an owner's last items so many are looked at
	formShare = 6  // a word is of a form if one in so many of them has it in the text,
	formLeast = 3  // and so many at least,
	formTitle = 4  // and so many times as many as have it in the title: what it writes about stands there, too
)

// weighForms takes from a judgement what it owes to forms. A little less two items may score without them: some words of what
// happens are taken with them.
func (x *Index) weighForms(j *judgement, p *Print, n ordinal) {
	q := *x.print(n)
	a, b := x.withoutForms(p, uint32(p.owner)), x.withoutForms(&q, x.at(n).owner)
	if len(a.words) == len(p.words) && len(b.words) == len(q.words) {
		return
	}
	day := max(p.day(), q.day())
	k := judge(&a, &b, x.weigh(&a, day, nil), x.weigh(&b, day, nil))
	j.above, j.near = min(j.above, k.above+k.slack/3), min(j.near, k.near+k.slack/3)
}

// withoutForms is a print without the words of its owner's forms.
func (x *Index) withoutForms(p *Print, owner uint32) Print {
	var asked []uint64 // the terms of words that stand in the text only, and in the last eight bits which words they are
	for i, w := range p.words {
		if n, ok := x.number[w.stem()]; ok && w&inTitle == 0 {
			asked = append(asked, uint64(n)<<8|uint64(i))
		}
	}
	slices.Sort(asked)
	var text, title [maxWords]int
	items := 0
	for n := x.owners[owner]; items < formItems && x.at(n) != nil; n = x.at(n).earlier {
		if x.at(n).item == p.Item {
			continue
		}
		items++
		rest := asked
		for _, c := range x.unpack(n) {
			for len(rest) > 0 && rest[0]>>8 < c>>kindBits {
				rest = rest[1:]
			}
			switch {
			case len(rest) == 0 || rest[0]>>8 > c>>kindBits:
			case word(c)&inTitle != 0:
				title[rest[0]&0xff]++
			default:
				text[rest[0]&0xff]++
			}
		}
	}
	out := *p
	out.words, out.bare = nil, true
	for i, w := range p.words {
		if text[i] >= max(formLeast, items/formShare, formTitle*title[i]) {
			continue
		}
		out.words, out.bare = append(out.words, w), out.bare && w&inTitle != 0
	}
	if len(out.words) == len(p.words) {
		return *p
	}
	return out
}
