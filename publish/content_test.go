package publish

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestExcerpt(t *testing.T) {
	filler := strings.Repeat("Word ", 80) // 400 characters without an end
	for text, want := range map[string]string{
		"":                                    "",
		"Short.":                              "Short.",
		"One sentence. " + filler:             "One sentence.",
		"One. Two! Three? " + filler:          "One. Two! Three?",
		"He said “no.” Then " + filler:        "He said “no.”",
		"A sentence (in brackets.) " + filler: "A sentence (in brackets.)",
		"Prices rose 3.5 percent. " + filler:  "Prices rose 3.5 percent.",
		"Mr. Smith of the U.S. Army came. He " + filler:       "Mr. Smith of the U.S. Army came.",
		"J. R. Ewing went. And then " + filler:                "J. R. Ewing went.",
		"See example.org for more. Then " + filler:            "See example.org for more.",
		"It was … strange. But " + filler:                     "It was … strange.",
		"東京で地震がありました。" + strings.Repeat("余震", 200):            "東京で地震がありました。",
		"نص قصير؟ " + filler:                                  "نص قصير؟",
		strings.Repeat("Ten chars. ", 40):                     strings.TrimSpace(strings.Repeat("Ten chars. ", 27)),
		strings.Repeat("x", excerptLength-2) + ".” " + filler: strings.Repeat("x", excerptLength-2) + ".”",
		strings.Repeat("x", excerptLength-1) + ".” " + filler: strings.Repeat("x", excerptLength-1) + "…",
		filler: strings.TrimSpace(filler[:5*59]) + "…",
	} {
		if got := excerpt(text); got != want {
			t.Errorf("excerpt(%.40q…) = %q, want %q", text, got, want)
		}
		if n := utf8.RuneCountInString(excerpt(text)); n > excerptLength {
			t.Errorf("%d characters: %q", n, excerpt(text))
		}
	}
}
