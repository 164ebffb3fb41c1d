package fetch

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// parseDate reads a date as feeds write it: RFC 3339 and the rest of ISO 8601, RFC 822 and what is taken for it,
// ANSI C's. It looks for numbers, names and a zone instead of trying layouts, so that a comma, a long name or a
// missing second harms none. A date without a zone, or with one that nobody knows, is UTC's. The zero time if s
// is no date, or names a day or an hour that there is not.
func parseDate(s string) time.Time {
	if s = strings.TrimSpace(s); len(s) < 4 || len(s) > 100 {
		return time.Time{}
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t
	}
	d := dateParts{s: s}
	for d.i < len(s) && !d.bad {
		switch c := s[d.i]; {
		case '0' <= c && c <= '9':
			d.number()
			d.numbers = true
		case c == '(': // a comment (RFC 822 §3.1.4)
			end := strings.IndexByte(s[d.i:], ')')
			if end < 0 {
				end = len(s) - d.i - 1
			}
			d.i += end + 1
		case (c == '+' || c == '-') && (d.hasTime || d.hasZone || d.ends()):
			d.offsetFromUTC()
		case strings.IndexByte(" \t\n,;:-/.'|", c) >= 0:
			d.i++
		default:
			d.word()
		}
	}
	return d.time()
}

// dateParts is what was found of a date so far.
type dateParts struct {
	s string
	i int

	year, day, yearDay int
	month              time.Month
	hour, min, sec, ns int
	offset             int // seconds east of UTC
	numbers            bool
	hasYear, hasDay    bool
	hasTime, hasZone   bool
	monthFirst         bool // if the hour turns out to be before or after noon
	either             bool // of day and month, all in numbers, one may be the other
	weekday            time.Weekday
	hasWeekday         bool
	zone               *time.Location // whose name stands there; nil if none does
	half               int            // 12-hour clock: 1 before, 2 after noon
	bad                bool
}

func (d *dateParts) time() time.Time {
	if d.bad || !d.hasYear || d.month == 0 && d.yearDay == 0 {
		return time.Time{}
	}
	if d.monthFirst && (d.half != 0 || d.month > 12) && d.day <= 12 {
		d.month, d.day = time.Month(d.day), int(d.month)
	}
	if !d.hasDay {
		d.day = 1
	}
	if d.half != 0 && d.hour <= 12 {
		d.hour = d.hour%12 + 12*(d.half-1)
	}
	days := max(0, d.yearDay-1)
	if d.yearDay > 0 {
		d.month, d.day = 1, 1
	}
	if d.hour == 24 && d.min == 0 && d.sec == 0 { // ISO 8601: the end of the day
		d.hour, days = 0, days+1
	}
	if d.sec == 60 { // a leap second
		d.sec = 59
	}
	if d.year < 1 || d.year > 9999 || d.hour > 23 || d.min > 59 || d.sec > 59 {
		return time.Time{}
	}
	t := time.Date(d.year, d.month, d.day, d.hour, d.min, d.sec, d.ns, time.UTC)
	if t.Day() != d.day || t.Month() != d.month {
		return time.Time{}
	}
	if d.either && d.hasWeekday && d.day <= 12 && t.Weekday() != d.weekday {
		other := time.Date(d.year, time.Month(d.day), int(d.month), d.hour, d.min, d.sec, d.ns, time.UTC)
		if other.Weekday() == d.weekday {
			t = other
		}
	}
	if d.zone != nil && !d.hasZone {
		t = time.Date(t.Year(), t.Month(), t.Day(), d.hour, d.min, d.sec, d.ns, d.zone)
	}
	return t.AddDate(0, 0, days).Add(-time.Duration(d.offset) * time.Second)
}

// ends reports whether the day is known and a sign with a number, with which a zone begins, is next.
func (d *dateParts) ends() bool {
	return d.hasYear && d.hasDay && d.s[d.i-1] == ' ' && d.i+1 < len(d.s) && '0' <= d.s[d.i+1] && d.s[d.i+1] <= '9'
}

// digits reads a number and says how many digits it has.
func (d *dateParts) digits() (value, n int) {
	for d.i < len(d.s) && '0' <= d.s[d.i] && d.s[d.i] <= '9' {
		if n++; n <= 18 {
			value = 10*value + int(d.s[d.i]-'0')
		}
		d.i++
	}
	return value, n
}

// follows takes the byte c if it is next and a digit comes after it.
func (d *dateParts) follows(c byte) bool {
	if d.i+1 < len(d.s) && d.s[d.i] == c && '0' <= d.s[d.i+1] && d.s[d.i+1] <= '9' {
		d.i++
		return true
	}
	return false
}

func (d *dateParts) number() {
	first := d.i
	a, n := d.digits()
	rest := d.s[d.i:]
	switch {
	case strings.HasPrefix(rest, "月") || strings.HasPrefix(rest, "월"):
		d.month = time.Month(a)
	case d.follows(':'):
		d.clock(a)
	case !d.hasYear && !d.hasDay && rest != "" && strings.IndexByte("-/.", rest[0]) >= 0 && d.follows(rest[0]):
		d.numeric(a, n, rest[0], first == 1 && d.s[0] == '-')
	case n == 4 && first == 1 && d.s[0] == '-' && rest == "": // ISO 8601: -YYMM
		d.year, d.month, d.hasYear = shortYear(a/100), time.Month(a%100), true
	case n == 4 && d.hasTime && d.hasYear && !d.hasZone: // its sign is missing
		d.offset, d.hasZone, d.bad = 3600*(a/100)+60*(a%100), true, a/100 > 14 || a%100 > 59
	case n == 4 && first == 0 && (rest == "" || rest[0] == 'T'): // of ISO 8601 the year
		d.year, d.month, d.hasYear = a, time.January, true
	case n == 4 && !d.hasYear:
		d.year, d.hasYear = a, true
	case n == 7 && !d.hasYear && !d.hasDay && first == 0: // the day of the year
		d.year, d.yearDay, d.hasYear, d.hasDay = a/1000, a%1000, true, true
		d.bad = d.yearDay < 1 || d.yearDay > 366
	case n == 8 && !d.hasYear && !d.hasDay:
		d.date(a/10000, a/100%100, a%100)
	case n == 6 && d.hasYear && !d.hasTime && d.s[first-1] == 'T':
		d.hour, d.min, d.sec, d.hasTime = a/1e4, a/100%100, a%100, true
	case n == 14 && !d.hasYear && !d.hasDay:
		d.date(a/1e10, a/1e8%100, a/1e6%100)
		d.hour, d.min, d.sec, d.hasTime = a/1e4%100, a/100%100, a%100, true
	case n == 6 && !d.hasYear && !d.hasDay && first == 0:
		d.date(shortYear(a/10000), a/100%100, a%100)
	case (n == 10 || n == 13) && first == 0 && rest == "": // since 1970
		if n == 13 {
			a /= 1000
		}
		t := time.Unix(int64(a), 0).UTC()
		d.date(t.Year(), int(t.Month()), t.Day())
		d.hour, d.min, d.sec = t.Clock()
	case n <= 2 && d.hasDay && d.month == 0 && !d.hasYear && a >= 1 && a <= 31 && d.s[first-1] == ' ': // "11 04 2020"
		d.month, d.monthFirst, d.either = time.Month(a), true, true
	case n <= 2 && !d.hasDay && a >= 1 && a <= 31:
		d.day, d.hasDay = a, true
	case n == 2 && !d.hasYear && d.month != 0:
		d.year, d.hasYear = shortYear(a), true
	case n == 3 && !d.hasYear && a >= 100: // years since 1900
		d.year, d.hasYear = 1900+a, true
	case n <= 2 && d.hasDay && d.hasYear && !d.hasTime && (d.s[first-1] == ' ' || d.s[first-1] == 'T'):
		d.hour, d.hasTime = a, true
	default:
		d.bad = true
	}
}

func shortYear(y int) int {
	if y < 70 {
		return 2000 + y
	}
	return 1900 + y
}

func (d *dateParts) date(year, month, day int) {
	d.year, d.month, d.day, d.hasYear, d.hasDay = year, time.Month(month), day, true, true
}

// clock reads what follows the hour.
func (d *dateParts) clock(hour int) {
	if d.hasTime {
		d.bad = true
		return
	}
	d.hour, d.hasTime = hour, true
	d.min, _ = d.digits()
	if d.follows(':') {
		d.sec, _ = d.digits()
		if d.follows('.') || d.follows(',') {
			from := d.i
			value, n := d.digits()
			for ; n < 9; n++ {
				value *= 10
			}
			if d.ns = value; d.i-from > 9 {
				d.ns = 0
			}
		} else if d.follows(':') { // "15:04:05:00"
			d.digits()
		}
	}
}

// numeric reads a date that is all numbers, of which the first is a, of n digits.
func (d *dateParts) numeric(a, n int, separator byte, noCentury bool) {
	b, m := d.digits()
	if !d.follows(separator) {
		switch {
		case n == 4 && m == 3:
			d.year, d.yearDay, d.hasYear, d.hasDay = a, b, true, true
			d.bad = b < 1 || b > 366
		case n == 4:
			d.year, d.month, d.hasYear = a, time.Month(b), true
		case n == 2 && m == 3:
			d.year, d.yearDay, d.hasYear, d.hasDay = shortYear(a), b, true, true
			d.bad = b < 1 || b > 366
		case noCentury:
			d.year, d.month, d.hasYear = shortYear(a), time.Month(b), true
		default:
			d.bad = true
		}
		return
	}
	c, o := d.digits()
	switch {
	case n == 4:
		d.date(a, b, c)
	case o == 4 || separator == '.':
		if o == 2 {
			c = shortYear(c)
		}
		d.date(c, b, a)
		d.monthFirst, d.either = separator != '.', separator != '.'
	case separator == '-' || a > 31:
		d.date(shortYear(a), b, c)
	default:
		d.date(shortYear(c), a, b)
		d.either = true
	}
}

// offsetFromUTC reads "+0200", "+02:00", "+2".
func (d *dateParts) offsetFromUTC() {
	sign := 1
	for d.i < len(d.s) && (d.s[d.i] == '+' || d.s[d.i] == '-') {
		if d.s[d.i] == '-' {
			sign = -1
		}
		d.i++
	}
	value, n := d.digits()
	hours, minutes := value, 0
	switch {
	case n == 3 || n == 4:
		hours, minutes = value/100, value%100
	case n == 0 || n > 4:
		d.bad = true
	case d.follows(':'):
		if minutes, _ = d.digits(); d.follows(':') {
			d.digits()
		}
	}
	if hours > 23 || minutes > 59 {
		d.bad = true
	}
	d.offset, d.hasZone = sign*(3600*hours+60*minutes), true
}

func (d *dateParts) word() {
	from := d.i
	for d.i < len(d.s) {
		r, n := utf8.DecodeRuneInString(d.s[d.i:])
		if !unicode.IsLetter(r) && !unicode.IsMark(r) {
			break
		}
		d.i += n
	}
	w := d.s[from:d.i]
	if w == "" {
		d.bad = true
		return
	}
	lower := strings.ToLower(w)
	if d.hasTime && d.i < len(d.s) && d.s[d.i] == '/' {
		name, _, _ := strings.Cut(d.s[from:], " ")
		if zone, err := time.LoadLocation(name); err == nil { // "Europe/Brussels"
			d.zone = zone
			d.i = from + len(name)
			return
		}
	}
	if weekday, ok := weekdays[lower]; ok {
		d.weekday, d.hasWeekday = weekday, true
		return
	}
	if month, ok := months[lower]; ok {
		d.month = month
		return
	}
	if offset, ok := zones[lower]; ok && (d.hasTime || d.hasYear && d.i == len(d.s)) {
		if !d.hasZone {
			d.offset, d.hasZone = offset, true
		}
		return
	}
	if offset, ok := military(w); ok && d.hasTime && !d.hasZone && d.i == len(d.s) {
		d.offset, d.hasZone = offset, true
		return
	}
	switch lower {
	case "am", "오전", "上午":
		d.half = 1
	case "pm", "오후", "下午":
		d.half = 2
	case "a", "p":
		if rest := strings.ToLower(d.s[d.i:]); strings.HasPrefix(rest, ".m") {
			d.i += len(".m")
			d.half = 1
			if lower == "p" {
				d.half = 2
			}
			return
		}
		d.bad = true
	case "t", "at", "etc", "de", "of", "um", "uhr", "à", "в", "г", "st", "nd", "rd", "th", "年", "日", "月", "년", "월", "일", "h":
	default:
		// Before the first number it is the name of a day, in whatever language; behind the time a zone.
		if d.bad = (d.numbers || d.month != 0) && !(d.hasTime && len(w) <= 5 && w == strings.ToUpper(w) && w != lower); !d.bad && d.numbers {
			d.hasZone = true
		}
	}
	if (lower == "년" || lower == "오전" || lower == "오후") && !d.hasZone { // of Korea, which has one zone
		d.offset, d.hasZone = 9*3600, true
	}
}

// military is the zone of a letter as RFC 822 §5.1 has it: A is an hour west, N an hour east.
func military(w string) (offset int, ok bool) {
	if len(w) != 1 || w[0] == 'J' || w[0] < 'A' || w[0] > 'Y' {
		return 0, false
	}
	switch n := int(w[0]-'A') + 1; {
	case w[0] >= 'N':
		return 3600 * int(w[0]-'N'+1), true
	case w[0] > 'J':
		return -3600 * (n - 1), true
	default:
		return -3600 * n, true
	}
}

// weekdays are the days of RFC 822, and their whole names.
var weekdays = func() map[string]time.Weekday {
	m := map[string]time.Weekday{}
	for day := time.Sunday; day <= time.Saturday; day++ {
		name := strings.ToLower(day.String())
		m[name], m[name[:3]] = day, day
	}
	return m
}()

// months are the names of the months and what is made of them, in the languages of outlets that do not keep to
// RFC 822's English.
var months = func() map[string]time.Month {
	m := map[string]time.Month{}
	for _, year := range []string{
		"january february march april may june july august september october november december",
		"jan feb mar apr may jun jul aug sep oct nov dec",
		"janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
		"janv févr mars avr mai juin juil août sept oct nov déc",
		"januar februar märz april mai juni juli august september oktober november dezember",
		"jän feb mär apr mai jun jul aug sept okt nov dez",
		"enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
		"ene feb mar abr may jun jul ago set oct nov dic",
		"janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
		"jan fev mar abr mai jun jul ago set out nov dez",
		"gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
		"gen feb mar apr mag giu lug ago set ott nov dic",
		"januari februari maart april mei juni juli augustus september oktober november december",
		"января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
		"янв фев мар апр май июн июл авг сен окт ноя дек",
		"stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
		"ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık",
		"ιαν φεβ μαρ απρ μαι ιουν ιουλ αυγ σεπ οκτ νοε δεκ",
		"ιαν φεβ μάρ απρ μάι ιούν ιούλ αύγ σεπ οκτ νοέ δεκ",
		"január február március április május június július augusztus szeptember október november december",
	} {
		for i, name := range strings.Fields(year) {
			m[name] = time.Month(i + 1)
		}
	}
	for name, month := range map[string]time.Month{"sept": 9, "februári": 2, "majus": 5, "máujus": 5,
		"μάώ": 3, "μαώ": 3, "μαϊ": 5, "ιον": 6, "ιολ": 7} {
		m[name] = month
	}
	return m
}()

// zones are the names of zones in seconds east of UTC. Of those that several places use, the one that feeds mean.
var zones = map[string]int{
	"z": 0, "ut": 0, "utc": 0, "gmt": 0, "wet": 0, "west": 3600, "bst": 3600, "met": 3600, "cet": 3600, "mez": 3600,
	"mest": 7200, "cest": 7200, "mesz": 7200, "eet": 7200, "eest": 10800, "msk": 10800, "msd": 14400, "trt": 10800,
	"sast": 7200, "cat": 7200, "eat": 10800, "wat": 3600, "idt": 10800, "irst": 12600, "gst": 14400, "pkt": 18000,
	"ist": 19800, "npt": 20700, "bdt": 21600, "ict": 25200, "wib": 25200, "hkt": 28800, "sgt": 28800, "myt": 28800,
	"pht": 28800, "awst": 28800, "jst": 32400, "kst": 32400, "acst": 34200, "aest": 36000, "acdt": 37800, "aedt": 39600,
	"nzst": 43200, "nzdt": 46800, "nst": -12600, "ndt": -9000, "brt": -10800, "art": -10800, "clt": -14400,
	"at": -14400, "ast": -14400, "adt": -10800, "et": -18000, "est": -18000, "edt": -14400, "ct": -21600, "cst": -21600, "cdt": -18000,
	"mt": -25200, "mst": -25200, "mdt": -21600, "pt": -28800, "pst": -28800, "pdt": -25200, "akst": -32400, "akdt": -28800, "hst": -36000,
}
