package config

import (
	"cmp"
	"maps"
	"net/mail"
	"slices"
	"strings"
)

// itunes checks what a section that is a podcast says of itself, and fills in its names.
func (c checker) itunes(path string, s *Itunes) {
	if *s == (Itunes{}) {
		return
	}
	category, sub := s.Split()
	known, ok := itunesCategories[category]
	switch {
	case category == "":
		c.problem(path+".category", "is missing; directories of podcasts want one, such as \"News\" or \"News > Politics\"")
	case !ok:
		c.problem(path+".category", "%s is no category of Apple's; known are %s", quote(category), strings.Join(slices.Sorted(maps.Keys(itunesCategories)), ", "))
	case sub != "" && !slices.Contains(strings.Split(known, ", "), sub):
		c.problem(path+".category", "%s has no subcategory %s; known are %s", quote(category), quote(sub), cmp.Or(known, "none"))
	}
	if a, err := mail.ParseAddress(s.Email); err != nil || a.Name != "" {
		c.problem(path+".email", "%s is no e-mail address; directories of podcasts write to it to make sure who you are", quote(s.Email))
	}
	if s.Image != "" {
		if fault := addressFault(s.Image, c.raw(path+".image")); fault != "" {
			c.problem(path+".image", "%s", fault)
		}
	}
	if s.Type != "" {
		c.choice(path+".type", s.Type, "episodic", "serial")
	}
	s.Author, s.Owner = cmp.Or(s.Author, c.cfg.Title), cmp.Or(s.Owner, c.cfg.Title)
}

// Split returns the category and its subcategory; "" where there is none.
func (s *Itunes) Split() (category, sub string) {
	category, sub, _ = strings.Cut(s.Category, ">")
	return strings.TrimSpace(category), strings.TrimSpace(sub)
}

// itunesCategories are Apple's, with their subcategories: https://podcasters.apple.com/support/1691-apple-podcasts-categories.
var itunesCategories = map[string]string{
	"Arts":                    "Books, Design, Fashion & Beauty, Food, Performing Arts, Visual Arts",
	"Business":                "Careers, Entrepreneurship, Investing, Management, Marketing, Non-Profit",
	"Comedy":                  "Comedy Interviews, Improv, Stand-Up",
	"Education":               "Courses, How To, Language Learning, Self-Improvement",
	"Fiction":                 "Comedy Fiction, Drama, Science Fiction",
	"Government":              "",
	"Health & Fitness":        "Alternative Health, Fitness, Medicine, Mental Health, Nutrition, Sexuality",
	"History":                 "",
	"Kids & Family":           "Education for Kids, Parenting, Pets & Animals, Stories for Kids",
	"Leisure":                 "Animation & Manga, Automotive, Aviation, Crafts, Games, Hobbies, Home & Garden, Video Games",
	"Music":                   "Music Commentary, Music History, Music Interviews",
	"News":                    "Business News, Daily News, Entertainment News, News Commentary, Politics, Sports News, Tech News",
	"Religion & Spirituality": "Buddhism, Christianity, Hinduism, Islam, Judaism, Spirituality",
	"Science":                 "Astronomy, Chemistry, Earth Sciences, Life Sciences, Mathematics, Natural Sciences, Nature, Physics, Social Sciences",
	"Society & Culture":       "Documentary, Personal Journals, Philosophy, Places & Travel, Relationships",
	"Sports":                  "Baseball, Basketball, Cricket, Fantasy Sports, Football, Golf, Hockey, Rugby, Running, Soccer, Swimming, Tennis, Volleyball, Wilderness, Wrestling",
	"TV & Film":               "After Shows, Film History, Film Interviews, Film Reviews, TV Reviews",
	"Technology":              "",
	"True Crime":              "",
}
